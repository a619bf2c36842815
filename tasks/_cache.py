"""The cache that everything is built in: opened by one build at a time, swept, pruned and cleaned.

Only what a seal lists and what a killed build left is ever removed; a file that a person put there stays.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

from doit.exceptions import TaskFailed

from scratchbuild import files
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.state import seal
from scratchbuild.tasks import _project, _stage, _users

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def task() -> dict[str, Any]:
    """Return the task that all stages wait for: it takes the lock and clears away what has no owner."""
    return {"actions": [Careful(open_cache, "open the cache")], "io": {"capture": False}, "doc": "open the cache"}


def open_cache() -> None:
    """Take the lock; remove what killed builds left half-made, and images whose definition is gone.

    Raises ScratchbuildError when there is no definition at all: nobody asks for a build of nothing.
    """
    _stage.take_lock()
    _users.records().read()  # whoever had the lock before may have made what other tasks need
    project = _project.current()
    # What is deeper down is swept by the stage that was cut short there, which runs again.
    files.sweep(project.cache, deep=False)
    for folder in built():
        files.sweep(folder, deep=False)
        files.sweep(os.path.join(folder, _stage.SEALS), deep=False)
    for folder in orphans():
        clean_folder(folder)
    if not project.images:
        raise ScratchbuildError(
            "there is no image definition, which is a file called NAME.toml",
            where=_project.shown(project.configs),
            mend="Write one there, or name the folder that has them: configs=DIR.",
        )


def orphans() -> Iterator[str]:
    """Yield the folders of the cache that were built from a definition that no longer exists."""
    project = _project.current()
    names = {image.name for image in project.images}
    for folder in built():
        if os.path.basename(folder) in names:
            continue
        with contextlib.suppress(OSError):
            with open(os.path.join(folder, _stage.SEALS, _stage.DEFINITION), "rb") as file:
                definition = os.fsdecode(file.read())
            # Another folder of definitions may share this cache: its images are its own.
            if not os.path.exists(definition) or os.path.dirname(definition) == project.configs:
                yield folder


def built() -> list[str]:
    """Return the folders of the cache that hold an image, by name."""
    cache = _project.current().cache
    with contextlib.suppress(OSError):
        return [
            item.path
            for item in sorted(os.scandir(cache), key=lambda item: item.name)
            if item.is_dir(follow_symlinks=False) and os.path.isdir(os.path.join(item.path, _stage.SEALS))
        ]
    return []


def clean_folder(folder: str) -> None:
    """Remove an image's folder but for what a person put in it. Raises OSError."""
    seals = os.path.join(folder, _stage.SEALS)
    # Named also where no seal tells: it may be damaged, or from before the folder was moved.
    layers = [image.layer for image in _project.current().images if image.folder == folder]
    made = {path + end for path in layers for end in ("", ".sha256")}
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir(seals):
            made.update(seal.listed(os.path.join(seals, name)))
    files.sweep(folder)
    for name in ("rootfs", "sandbox", *_stage.NAMES, os.path.basename(folder) + ".tar"):
        files.remove(os.path.join(folder, name))
    for path in sorted(made, reverse=True):
        if os.path.dirname(path) == folder:
            files.remove(path)
    files.remove(seals)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def clean_all() -> None:
    """Remove everything that was built in the cache, and its state; the folder itself if nothing else is in it."""
    project = _project.current()
    if not os.path.isdir(project.cache):
        return
    _stage.take_lock()
    for folder in built():
        clean_folder(folder)
    files.sweep(project.cache)
    for name in (_users.NAME, os.path.basename(project.lock.path)):
        files.remove(os.path.join(project.cache, name))
    with contextlib.suppress(OSError):
        os.rmdir(project.cache)


def clean_image(image: _project.Image) -> None:
    """Remove one image's folder."""
    if os.path.isdir(image.folder):
        _stage.take_lock()
        clean_folder(image.folder)


class Careful:
    """An action for doit whose failures are messages; its text is what `doit clean` says that it does."""

    def __init__(self, act: Callable[[], None], text: str) -> None:
        self._act = act
        self._text = text

    def __call__(self) -> TaskFailed | None:
        """Act; return the failure, or None."""
        try:
            self._act()
        except ScratchbuildError as error:
            return TaskFailed(str(error))
        except OSError as error:
            return TaskFailed(str(from_os_error(error, self._text, where=error.filename or "")))
        return None

    def __repr__(self) -> str:
        return f"<{self._text}"  # doit leaves out the first character
