"""Writing tar archives: the bytes depend on nothing but the members (POSIX.1-2017, pax, "ustar Interchange Format").

Headers are put together here, not by `tarfile`, so that no version of Python can change them: ustar, and a PAX header
before it only where ustar cannot say something. Owner and group names are empty, device numbers zero, and there are
no access or change times.
"""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scratchbuild.errors import ScratchbuildError
from scratchbuild.files import copy_bytes, opened

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

BLOCK: Final = 512
END: Final = bytes(2 * BLOCK)

FILE: Final = b"0"
HARDLINK: Final = b"1"
SYMLINK: Final = b"2"
DIRECTORY: Final = b"5"
PAX: Final = b"x"
_KINDS: Final = (FILE, HARDLINK, SYMLINK, DIRECTORY)

# What the fields of a ustar header can hold.
NAME_BYTES: Final = 100
PREFIX_BYTES: Final = 155
MOST_SIZE: Final = 8**11 - 1
MOST_TIME: Final = 8**11 - 1
MOST_ID: Final = 8**7 - 1

# What this writer accepts: permission bits, 32-bit owners, times and sizes that every reader can hold.
MOST_MODE: Final = 0o7777
MOST_PAX_ID: Final = 2**32 - 1
MOST_PAX_NUMBER: Final = 2**63 - 1

# The same for every PAX header: readers ignore it.
PAX_NAME: Final = b"PaxHeaders/header"

# name mode uid gid size mtime checksum type linkname magic version uname gname devmajor devminor prefix
_HEADER = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_NO_CHECKSUM = b" " * 8
_NO_DEVICE = b"0000000\0"

# Up to this many bytes, reading a file into the buffer is cheaper than two calls for the kernel to copy it.
_SMALL_BYTES = 64 << 10
_BUFFER_BYTES = 256 << 10


class Member(NamedTuple):
    """One member. `name` is relative, without `./`; a directory's ends in `/`; `./` alone is the top directory itself.

    `kind` is FILE, HARDLINK, SYMLINK or DIRECTORY. `mode` has the permission, setuid, setgid and sticky bits; `uid` and
    `gid` are 32-bit; `size` is bytes and 0 for all but a FILE; `mtime` seconds since 1970. `linkname` is a symbolic
    link's text, or the name of the member that a hard link is one more name of. `xattrs` are extended attributes.
    """

    name: str
    kind: bytes = FILE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    size: int = 0
    mtime: int = 0
    linkname: str = ""
    xattrs: Mapping[str, bytes] = {}


def header(member: Member) -> bytes:
    """Return what stands before a member's data: one block, or a PAX header and one block.

    Raises ScratchbuildError for a member that no archive can or should hold, naming it.
    """
    try:
        return _header(member)
    except ScratchbuildError as error:
        raise error.at(f"{member.name!r}") from error


def padding(size: int) -> bytes:
    """Return the zeros that follow `size` bytes of data."""
    return bytes(-size % BLOCK)


def _header(member: Member) -> bytes:
    name = _name(member)
    link = _linkname(member)
    _within("mode", member.mode, MOST_MODE)
    _within("uid", member.uid, MOST_PAX_ID)
    _within("gid", member.gid, MOST_PAX_ID)
    _within("size", member.size, MOST_PAX_NUMBER if member.kind == FILE else 0)
    _within("modification time", member.mtime, MOST_PAX_NUMBER)
    records: dict[bytes, bytes] = {}
    split = _split(name) if name.isascii() else None
    if split is None:
        records[b"path"] = name
        split = b"", _fallback(name)
    if len(link) > NAME_BYTES or not link.isascii():
        records[b"linkpath"] = link
        link = _fallback(link)
    unsaid: dict[str, Any] = {}
    for key, value, most in (
        ("uid", member.uid, MOST_ID),
        ("gid", member.gid, MOST_ID),
        ("size", member.size, MOST_SIZE),
        ("mtime", member.mtime, MOST_TIME),
    ):
        if value > most:
            records[key.encode()] = b"%d" % value
            unsaid[key] = 0
    for key, data in member.xattrs.items():
        records[b"SCHILY.xattr." + _xattr_name(key)] = data
    block = _block(member._replace(**unsaid), split, link)
    return _pax(records) + block if records else block


def _block(member: Member, split: tuple[bytes, bytes], link: bytes) -> bytes:
    """Return one ustar block; `split` is the prefix and the name, and all numbers are small enough for their fields."""
    fields = [
        split[1],
        b"%07o\0" % member.mode,
        b"%07o\0" % member.uid,
        b"%07o\0" % member.gid,
        b"%011o\0" % member.size,
        b"%011o\0" % member.mtime,
        _NO_CHECKSUM,
        member.kind,
        link,
        b"ustar\0",
        b"00",
        b"",
        b"",
        _NO_DEVICE,
        _NO_DEVICE,
        split[0],
    ]
    fields[6] = b"%06o\0 " % sum(_HEADER.pack(*fields))
    return _HEADER.pack(*fields)


def _pax(records: dict[bytes, bytes]) -> bytes:
    """Return a PAX header with its records in bytewise order of their keywords."""
    data = b"".join(_record(key, value) for key, value in sorted(records.items()))
    return _block(Member("", PAX, size=len(data)), (b"", PAX_NAME), b"") + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """Return `LENGTH KEY=VALUE` and a line feed; LENGTH, in decimal, counts the whole record, itself included."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    length = rest + len(str(length))
    return b"%d %s=%s\n" % (length, key, value)


def _name(member: Member) -> bytes:
    name = _text("name", member.name)
    if member.kind not in _KINDS:
        raise ScratchbuildError(f"a member of type {member.kind!r} is not for this writer")
    if member.name == "./" and member.kind == DIRECTORY:
        return name
    parts = name.split(b"/")
    if member.kind == DIRECTORY and parts.pop() != b"":
        raise ScratchbuildError("a directory's name in an archive ends in /")
    if any(part in {b"", b".", b".."} for part in parts):
        raise ScratchbuildError("a name in an archive is relative, without empty parts, . and ..")
    return name


def _linkname(member: Member) -> bytes:
    if member.kind in {SYMLINK, HARDLINK}:
        return _text("link", member.linkname)
    if member.linkname:
        raise ScratchbuildError("only a link has a link name")
    return b""


def _text(what: str, text: str) -> bytes:
    if not text or "\0" in text:
        raise ScratchbuildError(f"a {what} in an archive cannot be empty or hold a NUL character: {text!r}")
    try:
        return text.encode()
    except UnicodeEncodeError:
        raise ScratchbuildError(
            f"the {what} {text!r} is not valid UTF-8, which is all that an archive can say",
            mend="Rename it, or leave it out.",
        ) from None


def _xattr_name(name: str) -> bytes:
    if "=" in name:
        raise ScratchbuildError(f"the name of an extended attribute cannot hold a = in an archive: {name!r}")
    return _text("name of an extended attribute", name)


def _within(what: str, value: int, most: int) -> None:
    if not 0 <= value <= most:
        raise ScratchbuildError(f"its {what} is {value}, outside 0 to {most}")


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Return the prefix and name fields that say `name`, with the shortest prefix that will do, or None."""
    if len(name) <= NAME_BYTES:
        return b"", name
    # The slash goes unsaid, and a directory's last one cannot be it.
    cut = name.find(b"/", len(name) - NAME_BYTES - 1, len(name) - 1)
    return (name[:cut], name[cut + 1 :]) if 0 < cut <= PREFIX_BYTES else None


def _fallback(text: bytes) -> bytes:
    """Return what a reader without PAX sees; without a last `/`, which would make old ones take it for a directory."""
    return text.decode().encode("ascii", "replace")[:NAME_BYTES].rstrip(b"/") or b"?"


class Writer:
    """Members added one by one to an open file, from its offset on; `finish` ends the archive.

    It writes to the file's descriptor: nothing else may write to the file meanwhile.
    """

    def __init__(self, file: BinaryIO) -> None:
        file.flush()
        self._descriptor = file.fileno()
        self._waiting = bytearray()

    def add(self, member: Member, source: int | bytes = b"") -> None:
        """Add `member` with its data: bytes, or an open file read from its offset to its end.

        Raises ScratchbuildError if the data is not exactly `member.size` bytes, or for a member that cannot be said;
        OSError if reading or writing fails. After an error the archive is not to be used.
        """
        self._waiting += header(member)
        if isinstance(source, bytes):
            copied, more = len(source), False
            self._waiting += source
        else:
            copied = self._copy(source, member.size)
            more = os.read(source, 1) != b""
        if copied != member.size or more:
            raise ScratchbuildError(
                f"it changed while it was being read: {member.size} bytes were expected, "
                + ("and there are more" if copied == member.size else f"and there are {copied}"),
                where=f"{member.name!r}",
                mend="Build again when nothing writes to it.",
            )
        self._waiting += padding(member.size)
        if len(self._waiting) > _BUFFER_BYTES:
            self._flush()

    def add_file(self, member: Member, path: str) -> None:
        """Add a FILE with the bytes of the regular file `path`, whose size takes the place of `member.size`.

        Links are not followed and a FIFO is not waited for. Raises as `add` does, and ScratchbuildError if `path` is no
        regular file or cannot be opened.
        """
        with opened(path) as (descriptor, status):
            self.add(member._replace(size=status.st_size), descriptor)

    def finish(self) -> None:
        """Write what ends an archive: exactly two blocks of zeros. Raises OSError."""
        self._waiting += END
        self._flush()

    def _copy(self, source: int, size: int) -> int:
        if size <= _SMALL_BYTES:
            copied = 0
            while copied < size and (piece := os.read(source, size - copied)):
                self._waiting += piece
                copied += len(piece)
            return copied
        self._flush()
        return copy_bytes(source, self._descriptor, size)

    def _flush(self) -> None:
        with memoryview(self._waiting) as view:
            written = 0
            while written < len(view):
                written += os.write(self._descriptor, view[written:])
        self._waiting.clear()
