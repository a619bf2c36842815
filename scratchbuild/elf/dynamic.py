"""What PT_DYNAMIC says, found through PT_LOAD as a loader finds it (gABI, chapter 5, "Dynamic Section")."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from scratchbuild.elf.file import PT_DYNAMIC, PT_LOAD, Header, Segment, Source
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

DT_NULL, DT_NEEDED, DT_STRTAB, DT_SONAME, DT_RPATH, DT_DEBUG, DT_RUNPATH = 0, 1, 5, 14, 15, 21, 29
DT_FLAGS, DT_FLAGS_1 = 30, 0x6FFFFFFB
_STRING_TAGS: Final = (DT_SONAME, DT_RPATH, DT_RUNPATH)

# Far above every real file, and low enough that a hostile one costs neither memory nor time.
_MOST_ENTRIES: Final = 65536
_MOST_STRING_BYTES: Final = 65536
_MOST_STRING_BYTES_TOGETHER: Final = 1 << 20
_PIECE_BYTES: Final = 16384


class Dynamic:
    """The last number of each tag, as ld.so keeps it, and all of DT_NEEDED; strings already looked up."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.needed: tuple[str, ...] = ()
        self.strings: dict[int, str] = {}


def read(source: Source, header: Header, segments: list[Segment]) -> Dynamic | None:
    """Return what the dynamic section says, or None where the file has none. Raises ScratchbuildError for damage."""
    # An empty one is that of a file with debugging data only. Of several the loader keeps the last.
    section = next((entry for entry in reversed(segments) if entry.type == PT_DYNAMIC and entry.size), None)
    if section is None:
        return None
    loads = [segment for segment in segments if segment.type == PT_LOAD]
    start, end = _place(loads, section.address, "the dynamic section")
    dynamic = Dynamic()
    needed = []
    for tag, value in _entries(source, header, start, min(end, start + section.size)):
        if tag == DT_NEEDED:
            needed.append(value)
        else:
            dynamic.numbers[tag] = value
    named = {tag: dynamic.numbers[tag] for tag in _STRING_TAGS if tag in dynamic.numbers}
    if needed or named:
        if DT_STRTAB not in dynamic.numbers:
            raise ScratchbuildError("damaged ELF file: the dynamic section names strings and has no string table")
        table, end = _place(loads, dynamic.numbers[DT_STRTAB], "the dynamic string table")
        strings = _strings(source, table, end, {*needed, *named.values()})
        dynamic.needed = tuple(strings[offset] for offset in needed)
        dynamic.strings = {tag: strings[offset] for tag, offset in named.items()}
    return dynamic


def _place(loads: list[Segment], address: int, what: str) -> tuple[int, int]:
    """Return where in the file `address` is mapped from, and where that segment's bytes end there."""
    # A later segment is mapped over an earlier one.
    for segment in reversed(loads):
        if segment.address <= address < segment.address + segment.size:
            return segment.offset + address - segment.address, segment.offset + segment.size
    raise ScratchbuildError(f"damaged ELF file: {what} is at address {address:#x}, which no segment loads")


def _entries(source: Source, header: Header, start: int, end: int) -> Iterator[tuple[int, ...]]:
    """Yield (tag, value) up to DT_NULL or to the end of what the file has of the section."""
    size = header.layout.dynamic_bytes
    left = min((end - start) // size, _MOST_ENTRIES + 1)
    while left:
        count = min(left, _PIECE_BYTES // size)
        for entry in header.table(header.layout.dynamic, source.exactly(start, count * size, "the dynamic section")):
            if entry[0] == DT_NULL:
                return
            yield entry
        start += count * size
        left -= count
    if (end - start) // size > 0:
        raise ScratchbuildError(f"damaged ELF file: more than {_MOST_ENTRIES} dynamic entries")


def _strings(source: Source, table: int, end: int, offsets: set[int]) -> dict[int, str]:
    """Return the NUL-terminated string at each offset of the table, which may reach to byte `end` of the file."""
    first, last = table + min(offsets), table + max(offsets)
    if last >= end:
        raise ScratchbuildError(
            f"damaged ELF file: a string is at byte {last - table} of a string table of {end - table} bytes",
        )
    # Linkers put the names of libraries side by side: one read gets them all.
    window = b""
    if last - first <= _MOST_STRING_BYTES:
        window = source.exactly(first, min(end, last + 256) - first, "the dynamic string table")
    budget = _MOST_STRING_BYTES_TOGETHER
    found = {}
    for offset in offsets:
        start = table + offset
        stop = window.find(b"\0", start - first) if window else -1
        text = window[start - first : stop] if stop >= 0 else _string(source, start, end)
        budget -= len(text)
        if budget < 0:
            raise ScratchbuildError(f"damaged ELF file: more than {_MOST_STRING_BYTES_TOGETHER} bytes of names")
        found[offset] = os.fsdecode(text)
    return found


def _string(source: Source, start: int, end: int) -> bytes:
    count = 256
    while True:
        piece = source.exactly(start, min(count, end - start), "the dynamic string table")
        if (stop := piece.find(b"\0")) >= 0:
            return piece[:stop]
        if len(piece) == end - start:
            raise ScratchbuildError(f"damaged ELF file: the string at byte {start} has no end")
        if count >= _MOST_STRING_BYTES:
            raise ScratchbuildError(f"damaged ELF file: the string at byte {start} is longer than {count} bytes")
        count *= 16
