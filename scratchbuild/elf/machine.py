"""What machine a program is for: the name a person reads, and the OCI architecture and variant.

Architectures are Go's GOARCH values (OCI image-spec, config.md, "architecture"); the numbers are e_machine and
e_flags of the gABI and of each processor's supplement.
"""

from __future__ import annotations

from typing import Final, Literal

ByteOrder = Literal["little", "big"]

SPARC: Final = 2
I386: Final = 3
I486: Final = 6
M68K: Final = 4
MIPS: Final = 8
PARISC: Final = 15
SPARC32PLUS: Final = 18
PPC: Final = 20
PPC64: Final = 21
S390: Final = 22
ARM: Final = 40
SH: Final = 42
SPARC64: Final = 43
IA64: Final = 50
X86_64: Final = 62
AARCH64: Final = 183
RISCV: Final = 243
LOONGARCH: Final = 258
ALPHA: Final = 0x9026

_WIDE: Final = 64

MIPS_ABI2: Final = 0x20
MIPS_NAN2008: Final = 0x400
ARM_HARD_FLOAT: Final = 0x400

_NAMES: Final = {
    SPARC: "SPARC",
    I386: "Intel 80386",
    I486: "Intel 80486",
    M68K: "Motorola 68000",
    MIPS: "MIPS",
    PARISC: "HP PA-RISC",
    SPARC32PLUS: "SPARC v8+",
    PPC: "PowerPC",
    PPC64: "64-bit PowerPC",
    S390: "IBM S/390",
    ARM: "ARM",
    SH: "SuperH",
    SPARC64: "SPARC v9",
    IA64: "Intel IA-64",
    X86_64: "x86-64",
    AARCH64: "AArch64",
    RISCV: "RISC-V",
    LOONGARCH: "LoongArch",
    ALPHA: "Alpha",
}

# e_machine to the architecture of its 64-bit and its 32-bit files.
_BY_WIDTH: Final = {
    I386: ("386", "386"),
    I486: ("386", "386"),
    X86_64: ("amd64", "amd64p32"),
    AARCH64: ("arm64", "arm64p32"),
    RISCV: ("riscv64", "riscv"),
    S390: ("s390x", "s390"),
    LOONGARCH: ("loong64", "loong32"),
    SPARC64: ("sparc64", "sparc64"),
    SPARC: ("sparc", "sparc"),
    SPARC32PLUS: ("sparc", "sparc"),
    M68K: ("m68k", "m68k"),
    PARISC: ("hppa", "hppa"),
    SH: ("sh4", "sh4"),
    IA64: ("ia64", "ia64"),
    ALPHA: ("alpha", "alpha"),
}


def name(machine: int, bits: int) -> str:
    """Return the machine's name for people: `x86-64`, `x86-64 (x32)`, `machine number 4660`."""
    if machine == X86_64 and bits != _WIDE:
        return "x86-64 (x32)"
    return _NAMES.get(machine, f"machine number {machine}")


def architecture(machine: int, bits: int, byte_order: ByteOrder, flags: int) -> str:
    """Return the OCI architecture, `machine-N` where no name is known.

    x32 is `amd64p32` and MIPS N32 `mips64p32`, Go's reserved names, so that neither passes for its 64-bit sibling.
    """
    little = byte_order == "little"
    if machine == MIPS:
        base = "mips64" if bits == _WIDE else "mips64p32" if flags & MIPS_ABI2 else "mips"
        return base + "le" if little else base
    if machine in {PPC, PPC64}:
        base = "ppc64" if machine == PPC64 else "ppc"
        return base + "le" if little else base
    if machine == ARM:
        return "arm" if little else "armbe"
    if machine not in _BY_WIDTH:
        return f"machine-{machine}"
    found = _BY_WIDTH[machine][bits != _WIDE]
    return "arm64be" if found == "arm64" and not little else found


def arm_variant(flags: int, attributes: bytes, byte_order: ByteOrder) -> str:
    """Return the OCI variant (`v5` to `v8`) of a 32-bit ARM file.

    `attributes` is the section .ARM.attributes (Addenda to the ABI for the Arm Architecture, "Build attributes"),
    empty where there is none; then a hard-float file is v7 and a soft-float one v5, which is what Debian's armhf and
    armel are.
    """
    architecture = _cpu_architecture(attributes, byte_order)
    if architecture is None:
        return "v7" if flags & ARM_HARD_FLOAT else "v5"
    if architecture >= 14:  # noqa: PLR2004 -- v8-A
        return "v8"
    if architecture in {10, 13}:
        return "v7"
    return "v6" if architecture >= 6 else "v5"  # noqa: PLR2004 -- v6


_TAG_FILE: Final = 1
_TAG_CPU_ARCH: Final = 6
# Attributes with a NUL-terminated string: these, and all odd ones above 32; Tag_compatibility has both.
_TAG_STRINGS: Final = {4, 5, 67}
_TAG_COMPATIBILITY: Final = 32


def _cpu_architecture(data: bytes, byte_order: ByteOrder) -> int | None:
    """Return Tag_CPU_arch of the whole file, or None where `data` does not say it or is damaged."""
    try:
        if data[:1] != b"A":
            return None
        length = int.from_bytes(data[1:5], byte_order)
        vendor = data.index(b"\0", 5)
        if data[5:vendor] != b"aeabi":
            return None
        return _file_attribute(data[vendor + 1 : 1 + length], byte_order)
    except (IndexError, ValueError):
        return None


def _file_attribute(data: bytes, byte_order: ByteOrder) -> int | None:
    position = 0

    def number() -> int:
        nonlocal position
        value = shift = 0
        while True:
            byte = data[position]
            position += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80 or shift > 63:  # noqa: PLR2004 -- the continuation bit of ULEB128
                return value

    if number() != _TAG_FILE:
        return None
    end = min(len(data), int.from_bytes(data[position : position + 4], byte_order) + position - 1)
    position += 4
    while position < end:
        tag = number()
        if tag == _TAG_CPU_ARCH:
            return number()
        if tag in _TAG_STRINGS or (tag > _TAG_COMPATIBILITY and tag % 2):
            position = data.index(b"\0", position) + 1
        elif number() or tag != _TAG_COMPATIBILITY:
            continue
    return None
