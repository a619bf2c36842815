"""Reading tar archives that nobody vouches for: ustar, PAX, and what GNU tar adds; every number checked before its use.

Nothing is unpacked here: members are told one by one, with the place of their data in the file.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, NamedTuple

from scratchbuild import tar
from scratchbuild.errors import ScratchbuildError
from scratchbuild.tar import BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator

CHARACTER_DEVICE: Final = b"3"
BLOCK_DEVICE: Final = b"4"
FIFO: Final = b"6"

_FILES: Final = frozenset({b"0", b"\0", b"7"})
_WITHOUT_DATA: Final = frozenset({tar.HARDLINK, tar.SYMLINK, CHARACTER_DEVICE, BLOCK_DEVICE, tar.DIRECTORY, FIFO})
_PAX_GLOBAL: Final = b"g"
_GNU_LONG: Final = {b"L": b"path", b"K": b"linkpath"}
_EXTENSIONS: Final = frozenset({tar.PAX, _PAX_GLOBAL, *_GNU_LONG})

# PATH_MAX of Linux.
MOST_NAME_BYTES: Final = 4096

# More than any reader takes for names and attributes of one member.
_MOST_EXTENSION_BYTES: Final = 1 << 20
_MOST_NUMBER: Final = 2**63 - 1
# The first byte of a number that is not in octal digits.
_POSITIVE: Final = 0x80
_NEGATIVE: Final = 0xFF
_XATTR: Final = b"SCHILY.xattr."
_CHECKSUM: Final = slice(148, 156)

Records = dict[bytes, bytes]


class Found(NamedTuple):
    """A member as it was read, and where in the file its `member.size` bytes of data begin.

    Names are as written, bytes that are not UTF-8 as surrogates (PEP 383). `member.kind` may also be CHARACTER_DEVICE,
    BLOCK_DEVICE or FIFO; `mtime` may be negative.
    """

    member: tar.Member
    offset: int


def members(descriptor: int, offset: int = 0, size: int | None = None) -> Iterator[Found]:
    """Yield the members of the archive that `size` bytes from `offset` of an open file hold; None: to the file's end.

    Raises ScratchbuildError, telling the byte, at the first thing that is not as an archive must be: a header that is
    damaged or of an unknown kind, a size that goes beyond the archive, no two blocks of zeros at the end.
    """
    end = offset + size if size is not None else os.fstat(descriptor).st_size
    reader = _Reader(descriptor, offset, end)
    while (found := reader.next()) is not None:
        yield found


def is_header(block: bytes) -> bool:
    """Return whether a block is a member's header, by its checksum."""
    try:
        return len(block) == BLOCK and _octal(block[_CHECKSUM]) in _sums(block)
    except ScratchbuildError:
        return False


class _Reader:
    def __init__(self, descriptor: int, offset: int, end: int) -> None:
        self._descriptor = descriptor
        self._offset = self._start = offset
        self._end = end
        self._everywhere: Records = {}

    def next(self) -> Found | None:
        """Return the next member, or None at the end."""
        here = self._offset
        try:
            return self._next()
        except ScratchbuildError as error:
            raise error.at(f"byte {here - self._start}") from error

    def _next(self) -> Found | None:
        said: Records = {}
        while True:
            block = self._take(BLOCK)
            if not any(block):
                if any(self._take(BLOCK)):
                    raise ScratchbuildError("the archive has one block of zeros where it ends with two")
                if said:
                    raise ScratchbuildError("the archive ends after a header that announces a member")
                return None
            if not is_header(block):
                raise ScratchbuildError("the header of a member is damaged: its checksum is wrong")
            kind = block[156:157]
            if kind not in _EXTENSIONS:
                return self._member(block, kind, self._everywhere | said)
            self._extension(block, kind, said)

    def _extension(self, block: bytes, kind: bytes, said: Records) -> None:
        """Read a header that says something about the next member, or about all that follow."""
        size = _number(block[124:136])
        if not 0 <= size <= _MOST_EXTENSION_BYTES:
            raise ScratchbuildError(f"a header of {size} bytes, more than {_MOST_EXTENSION_BYTES}")
        data = self._take(size)
        self._skip(-size % BLOCK)
        if kind in _GNU_LONG:
            said[_GNU_LONG[kind]] = data.rstrip(b"\0")
        elif kind == tar.PAX:
            said.update(pax_records(data))
        else:
            self._everywhere.update(pax_records(data))

    def _member(self, block: bytes, kind: bytes, said: Records) -> Found:
        if kind not in _FILES and kind not in _WITHOUT_DATA:
            raise ScratchbuildError(f"a member of type {kind!r}, which images do not have")
        if any(key.startswith(b"GNU.sparse.") for key in said):
            raise ScratchbuildError("a sparse member, which images do not have")
        name = said.get(b"path") or _joined(block)
        size = _said_number(said, b"size", block[124:136])
        if kind == b"\0" and name.endswith(b"/"):  # as archives from before POSIX say it
            kind = tar.DIRECTORY
        if kind in _FILES:
            kind = tar.FILE
        else:
            size = 0
        linkname = said.get(b"linkpath") or _until_nul(block[157:257])
        if not 0 < len(name) <= MOST_NAME_BYTES or len(linkname) > MOST_NAME_BYTES or b"\0" in name + linkname:
            raise ScratchbuildError("a member's name is empty, holds a NUL, or is longer than any system takes")
        found = Found(
            tar.Member(
                _text(name),
                kind,
                mode=_number(block[100:108]) & tar.MOST_MODE,
                uid=_said_number(said, b"uid", block[108:116]),
                gid=_said_number(said, b"gid", block[116:124]),
                size=size,
                mtime=_said_number(said, b"mtime", block[136:148]),
                linkname=_text(linkname) if kind in {tar.SYMLINK, tar.HARDLINK} else "",
                xattrs={_text(key.removeprefix(_XATTR)): said[key] for key in said if key.startswith(_XATTR)},
            ),
            self._offset,
        )
        if min(size, found.member.uid, found.member.gid) < 0:
            raise ScratchbuildError(f"{found.member.name!r} has a negative size or owner")
        self._skip(size, found.member.name)
        self._skip(-size % BLOCK, found.member.name)
        return found

    def _take(self, count: int) -> bytes:
        start = self._offset
        self._skip(count)
        pieces = []
        while count > 0 and (piece := os.pread(self._descriptor, count, start)):
            pieces.append(piece)
            start += len(piece)
            count -= len(piece)
        if count:
            raise ScratchbuildError("the archive became shorter while it was read")
        return b"".join(pieces)

    def _skip(self, count: int, name: str = "") -> None:
        if count > self._end - self._offset:
            of = f" in the data of {name!r}" if name else ""
            raise ScratchbuildError(f"the archive ends too early{of}: it was cut off, or never finished")
        self._offset += count


def pax_records(data: bytes) -> Records:
    """Return what a PAX header says (POSIX.1-2017, pax, "pax Header Block").

    Raises ScratchbuildError if it is damaged.
    """
    records: Records = {}
    start = 0
    while start < len(data):
        length, space, _ = data[start : start + 20].partition(b" ")
        end = start + _decimal(length)
        key, equals, value = data[start + len(length) + 1 : end].partition(b"=")
        if not space or not key or not equals or not start < end <= len(data) or not value.endswith(b"\n"):
            raise ScratchbuildError("a PAX header is damaged")
        records[key] = value[:-1]
        start = end
    return records


def _said_number(said: Records, key: bytes, field: bytes) -> int:
    """Return a number as a PAX header says it, fractions cut off, or else as the field does."""
    if not (text := said.get(key)):
        return _number(field)
    whole = text.partition(b".")[0]
    return -_decimal(whole[1:]) if whole.startswith(b"-") else _decimal(whole)


def _decimal(text: bytes) -> int:
    if not text.isdigit() or len(text) > len(str(_MOST_NUMBER)) or int(text) > _MOST_NUMBER:
        raise ScratchbuildError(f"{text[:30]!r} is not a number that a PAX header can hold")
    return int(text)


def _number(field: bytes) -> int:
    """Return a field's number: octal digits or, as GNU tar says large and negative ones, two's complement."""
    if field[0] == _POSITIVE:
        value = int.from_bytes(field[1:], "big")
    elif field[0] == _NEGATIVE:
        value = int.from_bytes(field, "big", signed=True)
    else:
        return _octal(field)
    if abs(value) > _MOST_NUMBER:
        raise ScratchbuildError("a header has a number of more than 63 bits")
    return value


def _octal(field: bytes) -> int:
    text = field.strip(b" \0")
    if text.strip(b"01234567"):
        raise ScratchbuildError(f"{field!r} is not an octal number")
    return int(text, 8) if text else 0


def _sums(block: bytes) -> tuple[int, int]:
    """Return the sum of a header's bytes, its checksum taken for spaces; and that of signed bytes, for old writers."""
    blank = block[:148] + b" " * 8 + block[156:]
    unsigned = sum(blank)
    return unsigned, unsigned - 256 * sum(byte >> 7 for byte in blank) if not blank.isascii() else unsigned


def _joined(block: bytes) -> bytes:
    name = _until_nul(block[:100])
    prefix = _until_nul(block[345:500]) if block[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _until_nul(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")
