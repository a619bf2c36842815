"""What doit remembers: nothing for our stages, which have seals; for a person's own tasks, what their files were.

doit's database would be kept in the folder that one stands in, trusts times, and loses a whole run when it is killed
(docs/architecture.md, "Seals"). These two classes take its place through doit's own settings: a codec that keeps the
records of a person's tasks in the cache, and a checker that compares files by size and XXH3-128.
"""

from __future__ import annotations

import contextlib
import json
import os
from typing import Any

import xxhash

from scratchbuild import files
from scratchbuild.state.imprint import hash_descriptor
from scratchbuild.tasks import _project, _stage

NAME = ".tasks.json"
# A stage's file as doit shall see it: never changed, whatever happened to it. Its seal knows.
_SEALED = "sealed"


class Sealed(dict[str, Any]):
    """doit's record of one of our stages: says of every file that it is as it was, and keeps nothing."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the state of a file; doit's own entries end with a colon, and are absent."""
        return default if name.endswith(":") else _SEALED

    def __setitem__(self, name: str, value: Any) -> None:
        """Keep nothing."""


class Records(dict[str, Any]):
    """doit's database: a task's name to its record."""

    def __init__(self, kept: dict[str, Any]) -> None:
        super().__init__(kept)
        self.kept = json.dumps(kept, sort_keys=True)

    def __contains__(self, task: object) -> bool:
        return task in _stage.own or super().__contains__(task)

    def __getitem__(self, task: str) -> Any:
        return _SEALED_RECORD if task in _stage.own else super().__getitem__(task)

    def __delitem__(self, task: str) -> None:
        if task not in _stage.own:
            super().__delitem__(task)


_SEALED_RECORD = Sealed()


class Codec:
    """doit's `codec_cls`: reads and writes the records of a person's own tasks, in the cache."""

    def decode(self, _: str) -> Records:
        """Return the records; those that cannot be read are forgotten, and the tasks run again."""
        with contextlib.suppress(OSError, ValueError):
            with open(os.path.join(_project.current().cache, NAME), encoding="utf-8") as file:
                kept = json.load(file)
            if isinstance(kept, dict):
                return Records({task: record for task, record in kept.items() if isinstance(record, dict)})
        return Records({})

    def encode(self, records: Records) -> str:
        """Write the records if they changed; return what doit writes itself, which is nothing."""
        kept = json.dumps(records, sort_keys=True)
        if kept != records.kept:
            with contextlib.suppress(OSError):
                os.makedirs(_project.current().cache, exist_ok=True)
                files.write(os.path.join(_project.current().cache, NAME), kept.encode())
        return ""


class Checker:
    """doit's `check_file_uptodate`: whether a file of a person's own task changed."""

    CheckerError = OSError

    @staticmethod
    def exists(path: str) -> bool:
        """Return whether there is something at `path`."""
        return os.path.exists(path)

    @staticmethod
    def info(path: str) -> os.stat_result:
        """Return what the other two need to know. Raises OSError."""
        return os.stat(path)

    @staticmethod
    def check_modified(path: str, status: os.stat_result, state: Any) -> bool:
        """Return whether the file differs from `state`."""
        if state == _SEALED:
            return False
        try:
            key, fingerprint = state
        except (TypeError, ValueError):
            return True
        return bool(key != _key(status) and fingerprint != _fingerprint(path))

    @staticmethod
    def get_state(path: str, state: Any) -> list[Any] | None:
        """Return the file's state to remember, or None to keep the old one."""
        if state == _SEALED:
            return None
        return [_key(os.stat(path)), _fingerprint(path)]


def _key(status: os.stat_result) -> list[int]:
    return [status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def _fingerprint(path: str) -> str:
    if os.path.isdir(path):
        return xxhash.xxh3_128_hexdigest("/".join(sorted(os.listdir(path))).encode("utf-8", "surrogateescape"))
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return hash_descriptor(descriptor)[1]
    finally:
        os.close(descriptor)
