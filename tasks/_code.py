"""Which code a stage runs, as one fingerprint: a stage that other code made is stale."""

from __future__ import annotations

import functools
import os

import xxhash

import scratchbuild

# The rooms whose code does not reach any byte of an image.
_SILENT = frozenset({"report", "engines"})


def fingerprint(stage: str) -> str:
    """Return the XXH3-128 of the code that a stage runs: the library's, and its own module's.

    The library counts as a whole but for the rooms that no byte of an image passes through; load and verify are
    decided by those as well.
    """
    state = xxhash.xxh3_128(_library(frozenset() if stage in {"load", "verify"} else _SILENT))
    state.update(_contents(os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{stage}.py")))
    return state.hexdigest()


@functools.cache
def _library(without: frozenset[str]) -> bytes:
    state = xxhash.xxh3_128()
    for path in _modules(os.path.dirname(os.path.abspath(scratchbuild.__file__)), without):
        state.update(_contents(path))
    return state.digest()


def _modules(package: str, without: frozenset[str]) -> list[str]:
    found = []
    for item in sorted(os.scandir(package), key=lambda item: item.name):
        if item.name.endswith(".py") and not item.is_symlink():
            found.append(item.path)
        elif item.is_dir(follow_symlinks=False) and item.name not in {"__pycache__", *without}:
            found.extend(_modules(item.path, without))
    return found


def _contents(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(descriptor, os.fstat(descriptor).st_size)
    finally:
        os.close(descriptor)
