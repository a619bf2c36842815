"""What doit remembers: nothing for our stages, which have seals; for a person's own tasks, what their files were.

doit's database would be kept in the folder that one stands in, trusts times, and loses a whole run when it is killed
(docs/architecture.md, "Seals"). These two classes take its place through doit's own settings: a codec that keeps the
records of a person's tasks in the cache, and a checker that compares files by size and XXH3-128.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import threading
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
    """doit's database: a task's name to its record.

    doit would write it when a run has ended. Here a record leaves the file before its task runs and is there again as
    soon as the task has ended well: a killed run loses nothing, and no record outlives what it tells of.
    """

    def __init__(self) -> None:
        super().__init__()
        self._kept: dict[str, Any] = {}
        self._lock = threading.Lock()
        self.read()

    def read(self) -> None:
        """Take what the file says; where it cannot be read, nothing is known and the tasks run again."""
        kept = None
        path = os.path.join(_project.current().cache, NAME)
        with contextlib.suppress(OSError, ValueError, RecursionError), open(path, encoding="utf-8") as file:
            kept = json.load(file)
        found = kept if isinstance(kept, dict) else {}
        self._kept = {task: record for task, record in found.items() if isinstance(record, dict)}
        self.clear()
        self.update(copy.deepcopy(self._kept))

    def forget(self, task: str) -> None:
        """Know nothing of a task that is about to run, and let the file know nothing."""
        self.pop(task, None)
        self._write({name: record for name, record in self._kept.items() if name != task})

    def keep(self, task: str) -> None:
        """Put the record of a task that ended well into the file."""
        if task in self and task not in _stage.own:
            self._write(self._kept | {task: copy.deepcopy(self[task])})

    def keep_all(self) -> None:
        """Let the file know all that is known."""
        self._write(copy.deepcopy(dict(self)))

    def _write(self, kept: dict[str, Any]) -> None:
        with self._lock:
            if kept == self._kept:
                return
            self._kept = kept
            with contextlib.suppress(OSError):
                os.makedirs(_project.current().cache, exist_ok=True)
                data = json.dumps(kept, sort_keys=True).encode()
                files.write(os.path.join(_project.current().cache, NAME), data)

    def __contains__(self, task: object) -> bool:
        return task in _stage.own or super().__contains__(task)

    def __getitem__(self, task: str) -> Any:
        return _SEALED_RECORD if task in _stage.own else super().__getitem__(task)

    def __delitem__(self, task: str) -> None:
        if task not in _stage.own:
            super().__delitem__(task)


_SEALED_RECORD = Sealed()


@functools.cache
def records() -> Records:
    """Return the records of this run."""
    return Records()


class Codec:
    """doit's `codec_cls`: reads and writes the records of a person's own tasks, in the cache."""

    def decode(self, _: str) -> Records:
        """Return the records."""
        return records()

    def encode(self, known: dict[str, Any]) -> str:
        """Write the records if they changed; return what doit writes itself, which is nothing."""
        if known is not records():  # `doit forget --all` puts an empty one in its place
            records().clear()
        records().keep_all()
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
