"""Paths inside a root: links are followed without ever leaving it, and every look is reported to a witness.

Nobody else joins a root and a path. A path here is always absolute and means that path as a process whose root
directory is `base` sees it (path_resolution(7)); `..` at the top stays at the top.
"""

from __future__ import annotations

import contextlib
import os
import posixpath
import stat
from typing import TYPE_CHECKING, NamedTuple, Protocol

from scratchbuild import files
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.files import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterator

# The kernel's own limit (path_resolution(7)); beyond it open(2) answers ELOOP.
MOST_LINKS = 40


class Witness(Protocol):
    """Who is told what was looked at, by its path on this machine."""

    def saw(self, path: str) -> None:
        """`path` itself, links not followed: that it is absent, a directory, or where it points."""

    def read(self, path: str, descriptor: int, status: os.stat_result) -> None:
        """All bytes of the regular file `path`, open as `descriptor`; `status` is from before the first was read."""

    def listed(self, path: str, names: list[str], status: os.stat_result) -> None:
        """The names in the directory `path`, in bytewise order."""


class Unwatched:
    """A witness that keeps nothing."""

    def saw(self, path: str) -> None:
        """Keep nothing."""

    def read(self, path: str, descriptor: int, status: os.stat_result) -> None:
        """Keep nothing."""

    def listed(self, path: str, names: list[str], status: os.stat_result) -> None:
        """Keep nothing."""


class Link(NamedTuple):
    """A symbolic link that was followed: where it is (with its own parents already resolved) and what it says."""

    path: str
    text: str


class Resolved(NamedTuple):
    """Where a path ends, and the links on the way, in the order they were followed.

    `status` is the last component's own (a link's only when it was not to be followed), or None when nothing is there.
    """

    path: str
    links: tuple[Link, ...]
    status: os.stat_result | None

    @property
    def is_file(self) -> bool:
        """Whether a regular file is there."""
        return self.status is not None and stat.S_ISREG(self.status.st_mode)

    @property
    def is_directory(self) -> bool:
        """Whether a directory is there."""
        return self.status is not None and stat.S_ISDIR(self.status.st_mode)


class Opened(NamedTuple):
    """A regular file open for reading, of `size` bytes when it was opened."""

    descriptor: int
    size: int

    def at(self, offset: int, count: int) -> bytes:
        """Return up to `count` bytes from `offset`; fewer only where the file ends. Raises OSError."""
        pieces = []
        while count > 0 and (piece := os.pread(self.descriptor, count, offset)):
            pieces.append(piece)
            offset += len(piece)
            count -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


StatKey = tuple[int, int, int, int, int, int]


def stat_key(status: os.stat_result) -> StatKey:
    """Return what changes whenever a file is written, replaced or chmodded (inode(7)); times in nanoseconds."""
    return (
        status.st_dev,
        status.st_ino,
        status.st_mode,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def normal(path: str) -> str:
    """Return an absolute `path` without `.`, empty parts and `..`, links not looked at; `//x` is `/x`."""
    return "/" + posixpath.normpath("/" + path).lstrip("/")


class Root:
    """A root directory on this machine, `/` unless said otherwise, as one build looks at it.

    What was seen once is remembered: within one build every look at a path gets the same answer.
    """

    def __init__(self, base: str = "/", witness: Witness | None = None) -> None:
        self.base = os.path.abspath(base)
        self._prefix = "" if self.base == "/" else self.base
        self._witness: Witness = witness or Unwatched()
        self._status: dict[str, os.stat_result | None] = {}
        self._text: dict[str, str] = {}

    def host(self, path: str) -> str:
        """Return where the resolved `path` is on this machine; its parents must hold no links."""
        return self._prefix + path if path != "/" else self.base

    def lstat(self, path: str) -> os.stat_result | None:
        """Return the status of a path whose parents hold no links, or None when nothing is there.

        Raises ScratchbuildError when it cannot be known.
        """
        if path not in self._status:
            host = self.host(path)
            try:
                status = os.lstat(host)
                if stat.S_ISLNK(status.st_mode):
                    self._text[path] = os.readlink(host)
                self._status[path] = status
            except (FileNotFoundError, NotADirectoryError):
                self._status[path] = None
            except OSError as error:
                raise from_os_error(error, f"look at {path}") from error
            self._witness.saw(host)
        return self._status[path]

    def text(self, path: str) -> str:
        """Return what the symbolic link at `path` says; its parents must hold no links."""
        self.lstat(path)
        return self._text[path]

    def resolve(self, path: str, *, follow: bool = True) -> Resolved:
        """Follow all links of the absolute `path`, inside the root; the last component's only if `follow`.

        A missing component ends the walk: what is left of the path is kept as written. Raises ScratchbuildError for
        a loop of links.
        """
        todo = [part for part in path.split("/") if part][::-1]
        done = ""
        links: list[Link] = []
        status = self.lstat("/")
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                done = posixpath.dirname(done).rstrip("/")
                status = self.lstat(done or "/")
                continue
            here = f"{done}/{part}"
            status = self.lstat(here)
            if status is None:
                rest = "/".join([here, *todo[::-1]])
                return Resolved(normal(rest), tuple(links), None)
            if stat.S_ISLNK(status.st_mode) and (todo or follow):
                if len(links) == MOST_LINKS:
                    message = f"too many links in a row at {path} (a loop?): ... {links[-1].path} -> {links[-1].text}"
                    raise ScratchbuildError(message, mend="Repair one of the links, or name the file itself.")
                text = self._text[here]
                links.append(Link(here, text))
                if text.startswith("/"):
                    done = ""
                todo.extend(part for part in reversed(text.split("/")) if part)
                if not todo:
                    status = self.lstat(done or "/")
            else:
                done = here
        return Resolved(done or "/", tuple(links), status)

    @contextlib.contextmanager
    def opened(self, path: str) -> Iterator[Opened]:
        """Yield the regular file that `path` leads to, open for reading; the witness is told of all its bytes.

        Never opens anything but a regular file, so a FIFO or device cannot make it wait. Raises ScratchbuildError if
        there is none, if it cannot be read, or if it changed before it was closed.
        """
        found = self.resolve(path)
        if not found.is_file:
            kind = "nothing is there" if found.status is None else f"it is {kind_of(found.status.st_mode)}"
            message = f"cannot read {path}: {kind}"
            raise ScratchbuildError(message)
        host = self.host(found.path)
        with files.opened(host, path) as (descriptor, before):
            try:
                self._witness.read(host, descriptor, before)
                yield Opened(descriptor, before.st_size)
            except OSError as error:
                raise from_os_error(error, f"read {path}") from error
            if stat_key(os.fstat(descriptor)) != stat_key(before):
                message = f"{path} changed while it was being read"
                raise ScratchbuildError(message, mend="Build again when nothing writes to it.")

    def read(self, path: str) -> bytes:
        """Return all bytes of the regular file that `path` leads to. Raises ScratchbuildError as `opened` does."""
        with self.opened(path) as file:
            return file.at(0, file.size)

    def names(self, path: str) -> list[str]:
        """Return the names in the directory that `path` leads to, in bytewise order, or [] where there is none.

        Raises ScratchbuildError when it cannot be read.
        """
        found = self.resolve(path)
        if not found.is_directory:
            return []
        host = self.host(found.path)
        try:
            before = os.stat(host)
            names = sorted(os.listdir(host), key=os.fsencode)
        except OSError as error:
            raise from_os_error(error, f"list {path}") from error
        self._witness.listed(host, names, before)
        return names
