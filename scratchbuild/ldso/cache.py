"""ld.so.cache: looked up as the loader does, and written as ldconfig(8) does (glibc's dl-cache.h and dl-cache.c)."""

from __future__ import annotations

import functools
import os
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scratchbuild.elf.machine import ByteOrder

CACHE: Final = "/etc/ld.so.cache"
_OLD_MAGIC: Final = b"ld.so-1.7.0\0"
_NEW_MAGIC: Final = b"glibc-ld.so.cache1.1"
_OLD_HEADER: Final = "12sI"
_OLD_ENTRY: Final = "iII"
_NEW_HEADER: Final = "20sIIB3xI12x"
_NEW_ENTRY: Final = "iIIIQ"
_NEW_ALIGNMENT: Final = 8
_MARK_PLACE: Final = 28
_BYTE_ORDER_MASK: Final = 3
_BYTE_ORDER_MARKS: Final[dict[ByteOrder, int]] = {"little": 2, "big": 3}
# ABIs (second byte of the flags) whose compilers take char for unsigned, which decides how bytes from 128 on sort.
_UNSIGNED_CHAR_ABIS: Final = {0x04, 0x05, 0x09, 0x0A, 0x0B, 0x0F, 0x10}


class Entry(NamedTuple):
    """A library of the cache: the name it is asked for by, where it is, and its ABI's mark (`abi.Abi.cache_flags`).

    `hwcap` is not zero for a variant that only some processors may load.
    """

    name: str
    path: str
    flags: int
    hwcap: int = 0


class Cache:
    """A cache file, as a loader of one byte order reads it. Raises ScratchbuildError for one that it would ignore."""

    def __init__(self, data: bytes, byte_order: ByteOrder) -> None:
        order = "<" if byte_order == "little" else ">"
        self._data = data
        start = 0
        if data.startswith(_OLD_MAGIC):
            self._read_table(0, order + _OLD_HEADER, order + _OLD_ENTRY)
            self._strings = self._first + self._count * self._entry.size
            # An old table may have a new one behind it, which then counts.
            start = -(-self._strings // _NEW_ALIGNMENT) * _NEW_ALIGNMENT
        if data[start : start + len(_NEW_MAGIC)] == _NEW_MAGIC:
            self._read_table(start, order + _NEW_HEADER, order + _NEW_ENTRY)
            self._strings = start
            mark = data[start + _MARK_PLACE] & _BYTE_ORDER_MASK
            if mark not in {0, _BYTE_ORDER_MARKS[byte_order]}:
                raise ScratchbuildError(f"it is of the other byte order, not {byte_order}-endian")
        elif not start:
            raise ScratchbuildError("it begins as no cache does")

    def _read_table(self, start: int, header: str, entry: str) -> None:
        place, self._entry = struct.Struct(header), struct.Struct(entry)
        self._first = start + place.size
        if self._first > len(self._data):
            raise ScratchbuildError(f"truncated: its header ends at byte {self._first}, it has {len(self._data)}")
        self._count = int(place.unpack_from(self._data, start)[1])
        end = self._first + self._count * self._entry.size
        if end > len(self._data):
            raise ScratchbuildError(f"truncated: {self._count} entries end at byte {end}, it has {len(self._data)}")

    def _at(self, number: int) -> tuple[int, int, int, int]:
        """Return flags, places of name and path in the strings, and hwcap of an entry."""
        fields = self._entry.unpack_from(self._data, self._first + number * self._entry.size)
        return fields[0], fields[1], fields[2], fields[4] if len(fields) > 3 else 0  # noqa: PLR2004 -- the new format

    def _string(self, place: int) -> bytes | None:
        start = self._strings + place
        end = self._data.find(b"\0", start)
        return self._data[start:end] if start < len(self._data) and end >= 0 else None

    def entries(self) -> Iterator[Entry]:
        """Yield all entries in the file's order, those with damaged strings left out."""
        for number in range(self._count):
            flags, key, value, hwcap = self._at(number)
            name, path = self._string(key), self._string(value)
            if name is not None and path is not None:
                yield Entry(os.fsdecode(name), os.fsdecode(path), flags, hwcap)

    def lookup(self, name: str, accepted: tuple[int, ...]) -> str | None:
        """Return the path that the loader gets for `name`, from entries whose flags are `accepted`, the first best.

        A binary search as the loader's, so that a cache in wrong order misleads both alike. Entries for some processors
        only (hwcap) are passed over: an image must start on every one.
        """
        wanted = os.fsencode(name)
        signed = accepted[0] >> 8 not in _UNSIGNED_CHAR_ABIS
        left, right = 0, self._count - 1
        while left <= right:
            middle = (left + right) // 2
            order = self._compared(wanted, middle, signed=signed)
            if order is None:
                return None
            if order == 0:
                while middle > 0 and self._compared(wanted, middle - 1, signed=signed) == 0:
                    middle -= 1
                return self._best(wanted, middle, accepted, signed=signed)
            # Names stand in descending order.
            left, right = (middle + 1, right) if order < 0 else (left, middle - 1)
        return None

    def _compared(self, wanted: bytes, number: int, *, signed: bool) -> int | None:
        name = self._string(self._at(number)[1])
        return None if name is None else compare(wanted, name, signed=signed)

    def _best(self, wanted: bytes, number: int, accepted: tuple[int, ...], *, signed: bool) -> str | None:
        best = None
        while number < self._count and self._compared(wanted, number, signed=signed) == 0:
            flags, _, value, hwcap = self._at(number)
            path = self._string(value)
            if flags in accepted and not hwcap and path is not None:
                best = path
                if flags == accepted[0]:
                    break
            number += 1
        return None if best is None else os.fsdecode(best)


def compare(one: bytes, other: bytes, *, signed: bool = True) -> int:
    """Return less than, equal to or more than 0 as names sort in the cache: runs of digits count as numbers.

    As _dl_cache_libcmp does, `liba.so.01` equals `liba.so.1`; `signed` is how the machine's char is.
    """
    i = j = 0
    while i < len(one):
        a, b = one[i], other[j] if j < len(other) else 0
        if _is_digit(a):
            if not _is_digit(b):
                return 1
            (first, i), (second, j) = _number(one, i), _number(other, j)
            if first != second:
                return first - second
        elif _is_digit(b):
            return -1
        elif a != b:
            return _char(a, signed=signed) - _char(b, signed=signed)
        else:
            i += 1
            j += 1
    return -_char(other[j], signed=signed) if j < len(other) else 0


def _is_digit(byte: int) -> bool:
    return 48 <= byte <= 57  # noqa: PLR2004 -- 0 to 9


def _number(text: bytes, start: int) -> tuple[int, int]:
    """Return the number whose digits begin at `start`, wrapped as a C int is, and where they end."""
    value, end = 0, start
    while end < len(text) and _is_digit(text[end]):
        value = (value * 10 + text[end] - 48) & 0xFFFFFFFF
        end += 1
    return value - (value >> 31 << 32), end


def _char(byte: int, *, signed: bool) -> int:
    return byte - 256 if signed and byte > 127 else byte  # noqa: PLR2004 -- signed char


def write(entries: Iterable[Entry], byte_order: ByteOrder = "little") -> bytes:
    """Return a cache of the new format that lists `entries`, the same bytes for any order of them.

    Raises ScratchbuildError where one name, for one ABI, is said to be at two paths: only the first would be found.
    """
    unique = set(entries)
    paths: dict[tuple[str, int, int], str] = {}
    for entry in sorted(unique):
        known = paths.setdefault((entry.name, entry.flags, entry.hwcap), entry.path)
        if known != entry.path:
            raise ScratchbuildError(
                f"the loader's cache can name one file as {entry.name}, not both {known} and {entry.path}",
                mend="Keep the libraries at the host's own paths, or link the programs with a RUNPATH.",
            )
    ordered = sorted(unique, key=functools.cmp_to_key(_descending))
    order = "<" if byte_order == "little" else ">"
    record, header = struct.Struct(order + _NEW_ENTRY), struct.Struct(order + _NEW_HEADER)
    strings, places = bytearray(), dict[bytes, int]()
    start = header.size + len(ordered) * record.size
    for text in sorted({os.fsencode(text) for found in ordered for text in (found.name, found.path)}):
        places[text] = start + len(strings)
        strings += text + b"\0"
    records = [
        record.pack(found.flags, places[os.fsencode(found.name)], places[os.fsencode(found.path)], 0, found.hwcap)
        for found in ordered
    ]
    head = header.pack(_NEW_MAGIC, len(ordered), len(strings), _BYTE_ORDER_MARKS[byte_order], 0)
    return b"".join([head, *records, bytes(strings)])


def _descending(one: Entry, other: Entry) -> int:
    """Order as ldconfig does: names, then flags, both descending; then by bytes, for there must be one order."""
    signed = one.flags >> 8 not in _UNSIGNED_CHAR_ABIS
    order = compare(os.fsencode(other.name), os.fsencode(one.name), signed=signed) or other.flags - one.flags
    return order or (other > one) - (other < one)
