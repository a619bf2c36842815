"""One ELF file to frozen facts: what the kernel and the dynamic linker would read of it (gABI, elf(5)).

Only the header, the program headers and what PT_DYNAMIC names are read, through PT_LOAD as a loader maps them: a file
without section headers gives the same facts. Nothing in the file is believed before it is checked against its size.
"""

from scratchbuild.elf.facts import Elf, Kind, read
from scratchbuild.elf.file import DF_1_NODEFLIB, DF_1_PIE, DF_ORIGIN, File, is_elf
from scratchbuild.elf.script import INTERPRETER_LINE_BYTES, interpreter_line

__all__ = [
    "DF_1_NODEFLIB",
    "DF_1_PIE",
    "DF_ORIGIN",
    "INTERPRETER_LINE_BYTES",
    "Elf",
    "File",
    "Kind",
    "interpreter_line",
    "is_elf",
    "read",
]
