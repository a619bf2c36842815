"""The ELF header and program headers of one file, every number checked against its size (gABI, chapters 4 and 5)."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from scratchbuild.elf.script import interpreter_line
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.elf.machine import ByteOrder

MAGIC: Final = b"\x7fELF"
ET_REL, ET_EXEC, ET_DYN, ET_CORE = 1, 2, 3, 4
PT_LOAD, PT_DYNAMIC, PT_INTERP = 1, 2, 3
DF_ORIGIN: Final = 0x1
DF_1_NODEFLIB: Final = 0x800
DF_1_PIE: Final = 0x08000000

_IDENTIFICATION_BYTES: Final = 16
# One read that has the program headers and the interpreter's path of nearly every file.
_FIRST_BYTES: Final = 4096
# execve(2) takes no larger program header table (load_elf_phdrs).
_MOST_TABLE_BYTES: Final = 65536


class File(Protocol):
    """What is read from: `size` in bytes, and up to `count` bytes from `offset`."""

    @property
    def size(self) -> int:
        """The size in bytes."""

    def at(self, offset: int, count: int, /) -> bytes:
        """Return up to `count` bytes from `offset`."""


class Layout(NamedTuple):
    """How the numbers of one class lie: struct formats without byte order, and the sizes of what they read."""

    bits: int
    header: str
    program: str
    program_bytes: int
    dynamic: str
    dynamic_bytes: int
    section: str
    section_bytes: int


_LAYOUTS: Final = {
    1: Layout(32, "HHIIIIIHHHHHH", "8I", 32, "II", 8, "10I", 40),
    2: Layout(64, "HHIQQQIHHHHHH", "IIQQQQQQ", 56, "QQ", 16, "IIQQQQIIQQ", 64),
}
_BYTE_ORDERS: Final[dict[int, ByteOrder]] = {1: "little", 2: "big"}


class Header(NamedTuple):
    """The fields of the ELF header, in its order, behind what its identification says."""

    layout: Layout
    byte_order: ByteOrder
    osabi: int
    abi_version: int
    type: int
    machine: int
    version: int
    entry: int
    program_offset: int
    section_offset: int
    flags: int
    header_bytes: int
    program_bytes: int
    program_count: int
    section_bytes: int
    section_count: int
    names_section: int

    def table(self, layout: str, data: bytes) -> Iterator[tuple[int, ...]]:
        """Yield the records of `data`, each read by the struct format `layout` in the file's byte order."""
        return struct.iter_unpack((">" if self.byte_order == "big" else "<") + layout, data)


class Segment(NamedTuple):
    """A program header: where its bytes are in the file and, once loaded, in memory."""

    number: int
    type: int
    offset: int
    address: int
    size: int


class Source:
    """A file whose bytes are read by checked places only; its first bytes are kept."""

    def __init__(self, file: File) -> None:
        self.size = file.size
        self._file = file
        self.first = file.at(0, min(file.size, _FIRST_BYTES))

    def exactly(self, offset: int, count: int, what: str) -> bytes:
        """Return all `count` bytes from `offset`; `what` names them in the ScratchbuildError raised otherwise."""
        end = offset + count
        if end > self.size:
            raise ScratchbuildError(f"truncated: {what} ends at byte {end}, the file has {self.size}")
        if end <= len(self.first):
            return self.first[offset:end]
        piece = self._file.at(offset, count)
        if len(piece) < count:
            raise ScratchbuildError(f"truncated: {what} ends at byte {end}, the file has {offset + len(piece)}")
        return piece


def is_elf(first_bytes: bytes) -> bool:
    """Return whether a file that begins so says that it is ELF."""
    return first_bytes[:4] == MAGIC


def header(source: Source) -> Header:
    """Return the ELF header of a program or shared object. Raises ScratchbuildError for everything else."""
    if not source.size:
        raise ScratchbuildError("the file is empty")
    if not is_elf(source.first):
        raise _not_elf(source.first)
    identification = source.exactly(0, _IDENTIFICATION_BYTES, "the ELF identification")
    layout, order = _LAYOUTS.get(identification[4]), _BYTE_ORDERS.get(identification[5])
    if layout is None:
        raise ScratchbuildError(f"damaged ELF file: class {identification[4]} is neither 32-bit (1) nor 64-bit (2)")
    if order is None:
        raise ScratchbuildError(f"damaged ELF file: byte order {identification[5]} is neither little (1) nor big (2)")
    reader = struct.Struct((">" if order == "big" else "<") + layout.header)
    fields = reader.unpack(source.exactly(_IDENTIFICATION_BYTES, reader.size, "the ELF header"))
    found = Header(layout, order, identification[7], identification[8], *fields)
    if identification[6] != 1 or found.version != 1:
        raise ScratchbuildError(f"damaged ELF file: version {found.version} ({identification[6]}), expected 1")
    _check_type(found.type)
    return found


def _check_type(number: int) -> None:
    if number == ET_REL:
        raise ScratchbuildError("a relocatable object, not a program", mend="Link it first (cc -o PROGRAM FILE.o).")
    if number == ET_CORE:
        raise ScratchbuildError("a core file, not a program", mend="Name the program that dumped it.")
    if number not in {ET_EXEC, ET_DYN}:
        raise ScratchbuildError(f"ELF type {number} is neither an executable (2) nor a shared object (3)")


def _not_elf(first: bytes) -> ScratchbuildError:
    try:
        line = interpreter_line(first)
    except ScratchbuildError as error:
        return ScratchbuildError(f"not an ELF file: a script, and {error.what}", mend=error.mend)
    if line is not None:
        return ScratchbuildError(
            f"not an ELF file: a script for {line[0]}",
            mend=f"Pack its interpreter {line[0]} as a binary too, and the script as a file.",
        )
    return ScratchbuildError(f"not an ELF file: it begins with {first[:8]!r}")


def segments(source: Source, header: Header) -> list[Segment]:
    """Return the program headers. Raises ScratchbuildError where one, or what PT_LOAD loads, is outside the file."""
    layout, count, start = header.layout, header.program_count, header.program_offset
    size = layout.program_bytes
    if count == 0:
        raise ScratchbuildError("damaged ELF file: it has no program headers")
    if header.program_bytes != size:
        raise ScratchbuildError(f"damaged ELF file: program headers of {header.program_bytes} bytes, expected {size}")
    if count * size > _MOST_TABLE_BYTES:
        raise ScratchbuildError(f"damaged ELF file: {count} program headers, more than the kernel loads")
    whole = max(source.size - start, 0) // size
    table = source.exactly(start, min(count, whole + 1) * size, f"program header {min(count - 1, whole)}")
    found = []
    for number, fields in enumerate(header.table(layout.program, table)):
        if size == 32:  # noqa: PLR2004 -- Elf32_Phdr, where p_flags stands further behind
            kind, offset, address, _, stored, _, _, _ = fields
        else:
            kind, _, offset, address, _, stored, _, _ = fields
        if kind == PT_LOAD and offset + stored > source.size:
            raise ScratchbuildError(
                f"truncated: segment {number} ends at byte {offset + stored}, the file has {source.size}",
            )
        found.append(Segment(number, kind, offset, address, stored))
    return found
