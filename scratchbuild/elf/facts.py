"""The facts of one program or shared object, and what kind of file it is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from scratchbuild.elf import dynamic as dynamics
from scratchbuild.elf import machine as machines
from scratchbuild.elf.file import DF_1_PIE, ET_EXEC, PT_INTERP, File, Header, Segment, Source, header, segments
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from scratchbuild.elf.machine import ByteOrder

Kind = Literal["executable", "static", "pie", "static-pie", "shared object"]

# execve(2) takes no longer path of an interpreter (PATH_MAX, its NUL included).
_MOST_INTERPRETER_BYTES: Final = 4096
_SHT_ARM_ATTRIBUTES: Final = 0x70000003
_MOST_SECTIONS: Final = 4096
_MOST_ATTRIBUTE_BYTES: Final = 65536


class Elf(NamedTuple):
    """The facts of one file. `type`, `machine`, `machine_flags` (e_flags), `osabi`, `abi_version` are its numbers.

    `interpreter` is PT_INTERP's path. `needed`, `soname`, `rpath`, `runpath`, `flags` (DT_FLAGS) and `flags_1`
    (DT_FLAGS_1) come from PT_DYNAMIC, which `is_dynamic` says the file has. `architecture` and `variant` are the OCI
    image-spec's, `machine_name` is for people, `packer` names the program that packed the file ("UPX"), or is empty.
    Names that are no UTF-8 keep their bytes as os.fsdecode does.
    """

    bits: int
    byte_order: ByteOrder
    type: int
    machine: int
    machine_flags: int
    osabi: int
    abi_version: int
    kind: Kind
    architecture: str
    variant: str
    machine_name: str
    interpreter: str | None = None
    is_dynamic: bool = False
    needed: tuple[str, ...] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    flags: int = 0
    flags_1: int = 0
    packer: str = ""

    @property
    def description(self) -> str:
        """What the file is for, for people: `64-bit little-endian x86-64`."""
        return f"{self.bits}-bit {self.byte_order}-endian {self.machine_name}"


def read(file: File) -> Elf:
    """Return the facts of the program or shared object that `file` holds.

    Raises ScratchbuildError, saying what is wrong, for anything else: an empty file, a script, a relocatable object,
    a core file, and whatever is truncated or damaged.
    """
    source = Source(file)
    head = header(source)
    places = segments(source, head)
    interpreter = _interpreter(source, places)
    dynamic = dynamics.read(source, head, places)
    tags = dynamic or dynamics.Dynamic()
    bits, order, number = head.layout.bits, head.byte_order, head.machine
    variant = ""
    if number == machines.ARM:
        variant = machines.arm_variant(head.flags, _arm_attributes(file, head), order)
    return Elf(
        bits=bits,
        byte_order=order,
        type=head.type,
        machine=number,
        machine_flags=head.flags,
        osabi=head.osabi,
        abi_version=head.abi_version,
        kind=_kind(head, interpreter, dynamic),
        architecture=machines.architecture(number, bits, order, head.flags),
        variant=variant,
        machine_name=machines.name(number, bits),
        interpreter=interpreter,
        is_dynamic=dynamic is not None,
        needed=tags.needed,
        soname=tags.strings.get(dynamics.DT_SONAME),
        rpath=tags.strings.get(dynamics.DT_RPATH),
        runpath=tags.strings.get(dynamics.DT_RUNPATH),
        flags=tags.numbers.get(dynamics.DT_FLAGS, 0),
        flags_1=tags.numbers.get(dynamics.DT_FLAGS_1, 0),
        packer=_packer(source, head),
    )


def _interpreter(source: Source, places: list[Segment]) -> str | None:
    """Return PT_INTERP's path as execve(2) reads it: by its place in the file, the first one counting."""
    for number, kind, offset, _, size in places:
        if kind == PT_INTERP:
            if not 1 < size <= _MOST_INTERPRETER_BYTES:
                raise ScratchbuildError(f"damaged ELF file: an interpreter's path of {size} bytes (segment {number})")
            text = source.exactly(offset, size, "the interpreter's path")
            if text[-1]:
                raise ScratchbuildError(f"damaged ELF file: the interpreter's path has no end (segment {number})")
            return os.fsdecode(text[: text.index(b"\0")])
    return None


def _kind(head: Header, interpreter: str | None, dynamic: dynamics.Dynamic | None) -> Kind:
    if head.type == ET_EXEC:
        return "executable" if interpreter is not None else "static"
    is_program = dynamic is None and head.entry != 0
    if dynamic is not None:
        is_program = bool(dynamic.numbers.get(dynamics.DT_FLAGS_1, 0) & DF_1_PIE)
        if dynamics.DT_SONAME not in dynamic.strings:
            # Linkers before DF_1_PIE gave DT_DEBUG to programs alone; an interpreter and a name libc.so.6 has as well.
            is_program = is_program or interpreter is not None or dynamics.DT_DEBUG in dynamic.numbers
    if is_program:
        return "pie" if interpreter is not None else "static-pie"
    return "shared object"


def _packer(source: Source, head: Header) -> str:
    """Return "UPX" where its mark stands behind the program headers; such a file hides what it needs."""
    end = head.program_offset + head.program_count * head.layout.program_bytes
    return "UPX" if b"UPX!" in source.first[end : end + 256] else ""


def _arm_attributes(file: File, head: Header) -> bytes:
    """Return the section .ARM.attributes, empty where there are no section headers or they are damaged."""
    start, size, count = head.section_offset, head.layout.section_bytes, head.section_count
    if not start or head.section_bytes != size or count > _MOST_SECTIONS or start + count * size > file.size:
        return b""
    table = file.at(start, count * size)
    if len(table) < count * size:
        return b""
    for fields in head.table(head.layout.section, table):
        offset, stored = fields[4], fields[5]
        if fields[1] == _SHT_ARM_ATTRIBUTES and stored <= _MOST_ATTRIBUTE_BYTES and offset + stored <= file.size:
            return file.at(offset, stored)
    return b""
