"""One build at a time in a cache: a lock that the kernel lets go of on any death of its holder (flock(2))."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = ".lock"


class Lock:
    """The lock of the cache folder `folder`; taken once, held until the process ends or `release` is called."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._descriptor = -1

    @property
    def path(self) -> str:
        """The file that is locked."""
        return os.path.join(self.folder, NAME)

    @property
    def held(self) -> bool:
        """Whether this process has the lock."""
        return self._descriptor >= 0

    def take(self, waiting: Callable[[], None]) -> None:
        """Take the lock; when somebody else has it, call `waiting` once and wait. Raises ScratchbuildError."""
        if self.held:
            return
        while True:
            descriptor = self._open()
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if self._is_there(descriptor):
                self._descriptor = descriptor
                return
            os.close(descriptor)

    def _open(self) -> int:
        try:
            os.makedirs(self.folder, exist_ok=True)
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except (FileExistsError, NotADirectoryError) as error:
            raise ScratchbuildError(
                f"the cache {self.folder} cannot be a folder: there is a file of that name, or on the way to it",
                mend="Choose another folder with cache=DIR.",
            ) from error
        except OSError as error:
            mend = "Choose another folder with cache=DIR, or make this one writable."
            raise from_os_error(error, f"write in the cache {self.folder}", mend=mend) from error

    def _is_there(self, descriptor: int) -> bool:
        """Whether the locked file is still the one under its name: `doit clean` removes it while others wait."""
        try:
            return os.path.samestat(os.fstat(descriptor), os.stat(self.path))
        except FileNotFoundError:
            return False

    def release(self) -> None:
        """Let go of the lock."""
        if self.held:
            os.close(self._descriptor)
            self._descriptor = -1
