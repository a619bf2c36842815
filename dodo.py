"""The ten steps from binaries that exist to a container that runs, as doit tasks: `doit list`, `doit build`.

A project of one's own has a dodo.py that takes every name from here (`from scratchbuild.dodo import *`), `configs/`
beside it, and tasks of its own.
"""

from collections.abc import Iterator
from typing import Any

from scratchbuild.tasks import (
    _build,
    _cache,
    _project,
    _reporter,
    _stage,
    _users,
    archive,
    binaries,
    config,
    digest,
    layer,
    libraries,
    load,
    manifest,
    rootfs,
    verify,
)

DOIT_CONFIG = {
    "default_tasks": ["build"],
    "continue": True,  # one image that fails does not stop the others
    "reporter": _reporter.Reporter,
    "sort": "definition",
    "par_type": "thread",
    "backend": "json",
    "dep_file": "/dev/null",  # the stages have seals; what a person's own tasks need is in the cache
    "codec_cls": _users.Codec,
    "check_file_uptodate": _users.Checker,
}

variables = _project.variables

Tasks = Iterator[dict[str, Any]]


def task_build() -> Tasks:
    """Make every image, up to its archive; build:NAME one of them."""
    yield from _build.tasks()


def task__cache() -> dict[str, Any]:
    """Take the lock, clear away what has no owner."""
    return _cache.task()


def task_rootfs() -> Tasks:
    """1. mkdir: the directories that the definition names."""
    yield from _stage.each(rootfs.stage)


def task_binaries() -> Tasks:
    """2. cp: programs and files."""
    yield from _stage.each(binaries.stage)


def task_libraries() -> Tasks:
    """3. ldd, cp: the libraries that they need, and the dynamic linker."""
    yield from _stage.each(libraries.stage)


def task_layer() -> Tasks:
    """4. tar: the staged tree as a layer."""
    yield from _stage.each(layer.stage)


def task_digest() -> Tasks:
    """5. sha256sum: the layer's digest."""
    yield from _stage.each(digest.stage)


def task_config() -> Tasks:
    """6. config.json: how the image runs."""
    yield from _stage.each(config.stage)


def task_manifest() -> Tasks:
    """7. manifest.json: what the image is called and made of."""
    yield from _stage.each(manifest.stage)


def task_archive() -> Tasks:
    """8. tar: the archive that engines load."""
    yield from _stage.each(archive.stage)


def task_load() -> Tasks:
    """9. docker load: the image in an engine."""
    yield from _stage.each(load.stage)


def task_verify() -> Tasks:
    """10. docker run: the image runs, and says what it should."""
    yield from _stage.each(verify.stage)
