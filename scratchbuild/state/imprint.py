"""An imprint: in one line of text, what a path was. Two equal imprints mean that no stage could tell the difference.

    absent                            nothing is there
    directory                         a directory, whatever is in it
    link TEXT                         a symbolic link
    file MODE SIZE XXH3 [CAPABILITY] [inode=N]
                                      a regular file; its security.capability if it has one, its inode if it has
                                      several names: which of them are one file decides what is a hard link
    names MODE COUNT XXH3             a directory and the names in it (asked for as `PATH/`)
    special                           a FIFO, socket or device: never opened
    unreadable                        permission denied

Hashing is spared where the file's stat key (device, inode, mode, size, both times) is one that was hashed before.
"""

from __future__ import annotations

import os
import stat
import time
from typing import NamedTuple

import xxhash

from scratchbuild.root import StatKey, stat_key

# A file that changed this shortly before it was hashed might change again within the same tick of the clock that
# stamps it (CONFIG_HZ is 100 at the least): its stat key proves nothing yet.
RACY_NANOSECONDS = 50_000_000

_BUFFER_BYTES = 1 << 20


class Imprint(NamedTuple):
    """What a path was, and the stat key that lets it be believed without a look inside (None: look again)."""

    text: str
    key: StatKey | None = None


ABSENT = Imprint("absent")


def capability(path: str | int) -> bytes:
    """Return the raw `security.capability` of a file (path, not through a last link, or descriptor), or nothing."""
    try:
        if isinstance(path, int):
            return os.getxattr(path, "security.capability")
        return os.getxattr(path, "security.capability", follow_symlinks=False)
    except OSError:
        return b""


def settled(status: os.stat_result) -> StatKey | None:
    """Return the stat key, or None while it may still be racy."""
    age = time.time_ns() - max(status.st_ctime_ns, status.st_mtime_ns)
    return stat_key(status) if age > RACY_NANOSECONDS else None


def file_text(status: os.stat_result, size: int, fingerprint: str, capability: bytes) -> str:
    """Return the text of a regular file's imprint; `size` is in bytes."""
    text = f"file {stat.S_IMODE(status.st_mode):04o} {size} {fingerprint}"
    if capability:
        text += f" {capability.hex()}"
    return f"{text} inode={status.st_ino}" if status.st_nlink > 1 else text


def names_text(mode: int, names: list[str]) -> str:
    """Return the text of a directory's imprint with its names, which must be sorted."""
    joined = "/".join(names).encode("utf-8", "surrogateescape")
    return f"names {stat.S_IMODE(mode):04o} {len(names)} {xxhash.xxh3_128_hexdigest(joined)}"


def hash_descriptor(descriptor: int) -> tuple[int, str]:
    """Return how many bytes an open file has and their XXH3-128, read from its start. Raises OSError.

    The file is read, not mapped: one that is cut short meanwhile ends early instead of ending the process.
    """
    state = xxhash.xxh3_128()
    offset = 0
    while piece := os.pread(descriptor, _BUFFER_BYTES, offset):
        state.update(piece)
        offset += len(piece)
    return offset, state.hexdigest()


class Imprints:
    """Takes imprints; within one run no file is hashed twice unless it changed."""

    def __init__(self) -> None:
        # By path and stat key, also one that is racy yet: in here nobody but this run writes to what it made.
        self._known: dict[tuple[str, StatKey], Imprint] = {}

    def of(self, path: str, known: Imprint | None = None) -> Imprint:
        """Return the imprint of `path` now, its last link not followed; with a `/` at its end, of the names in it.

        `known` is an older imprint of it, believed where its key still holds.
        """
        listing = path.endswith("/") and path != "/"
        try:
            status = os.lstat(path.rstrip("/") or "/")
            if stat.S_ISLNK(status.st_mode):
                return Imprint("link " + os.readlink(path.rstrip("/")))
            if stat.S_ISDIR(status.st_mode):
                return self._names(path, status, known) if listing else Imprint("directory")
            if stat.S_ISREG(status.st_mode):
                return self._file(path.rstrip("/"), status, known)
        except (FileNotFoundError, NotADirectoryError):
            return ABSENT
        except PermissionError:
            return Imprint("unreadable")
        return Imprint("special")

    def remember(self, path: str, status: os.stat_result, imprint: Imprint) -> None:
        """Spare `path` a later hash in this run, for as long as it is as in `status`."""
        self._known[path, stat_key(status)] = imprint

    def _file(self, path: str, status: os.stat_result, known: Imprint | None) -> Imprint:
        key = stat_key(status)
        if known and known.key == key:
            return known
        remembered = self._known.get((path, key))
        if remembered:
            return remembered
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        try:
            before = os.fstat(descriptor)
            if not stat.S_ISREG(before.st_mode):
                return Imprint("special")
            size, fingerprint = hash_descriptor(descriptor)
            after = os.fstat(descriptor)
            imprint = Imprint(
                file_text(before, size, fingerprint, capability(descriptor)),
                settled(before) if stat_key(before) == stat_key(after) else None,
            )
        finally:
            os.close(descriptor)
        if stat_key(before) == stat_key(after):
            self.remember(path, before, imprint)
        return imprint

    def _names(self, path: str, status: os.stat_result, known: Imprint | None) -> Imprint:
        if known and known.key == stat_key(status):
            return known
        key = settled(status)
        names = sorted(os.listdir(path), key=os.fsencode)
        return Imprint(names_text(status.st_mode, names), key)
