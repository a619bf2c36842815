"""What each machine's ABI calls things: its ld.so, its mark in ld.so.cache, its directories, its $PLATFORM.

Numbers and paths are glibc's own: sysdeps/generic/ldconfig.h, and each port's ldconfig.h, dl-cache.h, shlib-versions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Final, NamedTuple

from scratchbuild.elf import machine as machines

if TYPE_CHECKING:
    from scratchbuild.elf import Elf

# The flags word of a cache entry: FLAG_ELF, FLAG_ELF_LIBC6, and in its second byte the ABI.
FLAG_ELF: Final = 1
FLAG_ELF_LIBC6: Final = 3

_WIDE: Final = 64


class Abi(NamedTuple):
    """`cache_flags` marks this ABI's entries of ld.so.cache; `accepted` are the marks that its ld.so takes.

    `loader` is the path that compilers write into PT_INTERP; `directories` are where distributions keep this ABI's
    libraries, for when there is no loader to ask. `platform` is what $PLATFORM becomes, empty where the kernel names
    the processor's model. All but the flags are empty for an ABI not known here.
    """

    cache_flags: int
    accepted: tuple[int, ...]
    loader: str
    directories: tuple[str, ...]
    platform: str


class _Row(NamedTuple):
    """An ABI's mark, loader, multiarch triplet, own directory, $PLATFORM, and marks that its loader takes besides."""

    mark: int
    loader: str
    triplet: str
    own: str
    platform: str = ""
    besides: tuple[int, ...] = ()


_ELF: Final = (FLAG_ELF,)
_LIBC6: Final = (FLAG_ELF_LIBC6,)
_ROWS: Final = {
    "x86_64": _Row(0x300, "/lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu", "lib64", "x86_64"),
    "x32": _Row(0x800, "/libx32/ld-linux-x32.so.2", "x86_64-linux-gnux32", "libx32", "x86_64"),
    "386": _Row(0, "/lib/ld-linux.so.2", "i386-linux-gnu", "lib32", "i686", _ELF),
    "arm64": _Row(0xA00, "/lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu", "lib64", "aarch64"),
    "arm64be": _Row(0xA00, "/lib/ld-linux-aarch64_be.so.1", "aarch64_be-linux-gnu", "lib64", "aarch64_be"),
    "armhf": _Row(0x900, "/lib/ld-linux-armhf.so.3", "arm-linux-gnueabihf", "lib", "", _LIBC6),
    "armel": _Row(0xB00, "/lib/ld-linux.so.3", "arm-linux-gnueabi", "lib", "", _LIBC6),
    "ppc64le": _Row(0x500, "/lib64/ld64.so.2", "powerpc64le-linux-gnu", "lib64"),
    "ppc64": _Row(0x500, "/lib64/ld64.so.1", "powerpc64-linux-gnu", "lib64"),
    "ppc": _Row(0, "/lib/ld.so.1", "powerpc-linux-gnu", "lib", "", _ELF),
    "s390x": _Row(0x400, "/lib/ld64.so.1", "s390x-linux-gnu", "lib64"),
    "s390": _Row(0, "/lib/ld.so.1", "s390-linux-gnu", "lib", "", _ELF),
    "riscv64-double": _Row(0x1000, "/lib/ld-linux-riscv64-lp64d.so.1", "riscv64-linux-gnu", "lib64/lp64d"),
    "riscv64-soft": _Row(0xF00, "/lib/ld-linux-riscv64-lp64.so.1", "riscv64-linux-gnu", "lib64/lp64"),
    "riscv32-double": _Row(0x1000, "/lib/ld-linux-riscv32-ilp32d.so.1", "riscv32-linux-gnu", "lib32/ilp32d"),
    "riscv32-soft": _Row(0xF00, "/lib/ld-linux-riscv32-ilp32.so.1", "riscv32-linux-gnu", "lib32/ilp32"),
    "loong64-double": _Row(0x1200, "/lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64-linux-gnu", "lib64"),
    "loong64-soft": _Row(0x1100, "/lib64/ld-linux-loongarch-lp64s.so.1", "loongarch64-linux-gnusf", "lib64"),
    "mips": _Row(0, "/lib/ld.so.1", "mips-linux-gnu", "lib", "", _ELF),
    "mipsle": _Row(0, "/lib/ld.so.1", "mipsel-linux-gnu", "lib", "", _ELF),
    "mips64p32": _Row(0x600, "/lib32/ld.so.1", "mips64-linux-gnuabin32", "lib32"),
    "mips64p32le": _Row(0x600, "/lib32/ld.so.1", "mips64el-linux-gnuabin32", "lib32"),
    "mips64": _Row(0x700, "/lib64/ld.so.1", "mips64-linux-gnuabi64", "lib64"),
    "mips64le": _Row(0x700, "/lib64/ld.so.1", "mips64el-linux-gnuabi64", "lib64"),
    "sparc64": _Row(0x100, "/lib64/ld-linux.so.2", "sparc64-linux-gnu", "lib64"),
}
_UNKNOWN: Final = Abi(FLAG_ELF_LIBC6, (FLAG_ELF_LIBC6, FLAG_ELF), "", ("/lib64", "/usr/lib64", "/lib", "/usr/lib"), "")
# MIPS libraries of the other NaN encoding have marks of their own.
_MIPS_NAN2008: Final = {0x003: 0xC03, 0x603: 0xD03, 0x703: 0xE03}
_NAN2008_LOADER: Final = "ld-linux-mipsn8.so.1"


def of(elf: Elf) -> Abi:
    """Return the ABI that a program or library is for."""
    nan2008 = elf.machine == machines.MIPS and bool(elf.machine_flags & machines.MIPS_NAN2008)
    return _abi(_name(elf), nan2008)


@functools.cache
def _abi(name: str, nan2008: bool) -> Abi:
    row = _ROWS.get(name)
    if row is None:
        return _UNKNOWN
    flags = row.mark | FLAG_ELF_LIBC6
    names = dict.fromkeys([f"lib/{row.triplet}", row.own, "lib"])
    directories = tuple(prefix + name for name in names for prefix in ("/", "/usr/"))
    if nan2008:
        flags = _MIPS_NAN2008[flags]
        return Abi(flags, (flags,), row.loader.replace("ld.so.1", _NAN2008_LOADER), directories, "")
    return Abi(flags, (flags, *row.besides), row.loader, directories, row.platform)


# Where e_flags say which of two calling conventions for floating point a file has: what is masked, and "double".
_FLOAT_ABIS: Final = {machines.RISCV: ("riscv", 0x6, 0x4), machines.LOONGARCH: ("loong", 0x7, 0x3)}


def _name(elf: Elf) -> str:
    number, flags = elf.machine, elf.machine_flags
    if number == machines.X86_64:
        return "x86_64" if elf.bits == _WIDE else "x32"
    if number == machines.ARM:
        return "armhf" if flags & machines.ARM_HARD_FLOAT else "armel"
    if number in _FLOAT_ABIS:
        base, mask, double = _FLOAT_ABIS[number]
        return f"{base}{elf.bits}-" + ("double" if flags & mask == double else "soft")
    return elf.architecture


# The bits of e_flags in which a library must be like its program (each port's elf_machine_matches_host).
_MATCHED_FLAGS: Final = {
    machines.MIPS: machines.MIPS_ABI2 | machines.MIPS_NAN2008,
    machines.RISCV: 0x6,
    machines.LOONGARCH: 0x7,
}
_PPC64_ABI: Final = 0x3


def same_machine(library: Elf, program: Elf) -> bool:
    """Return whether ld.so takes the library's e_machine and e_flags for the program's; class and order aside."""
    if library.machine != program.machine:
        # An 80486 is an 80386 to every loader.
        return {library.machine, program.machine} == {machines.I386, machines.I486}
    if program.machine == machines.PPC64:
        # Files from before ELFv2 do not say which of the two they are.
        marks = {library.machine_flags & _PPC64_ABI, program.machine_flags & _PPC64_ABI} - {0}
        return len(marks) < 2  # noqa: PLR2004 -- two that differ
    mask = _MATCHED_FLAGS.get(program.machine, 0)
    return library.machine_flags & mask == program.machine_flags & mask
