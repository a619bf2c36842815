"""ELF files made number by number, so that a test can break any one of them."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Bytes:
    """A file in memory; counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)
        self.bytes_read = 0

    def at(self, offset: int, count: int, /) -> bytes:
        """Return up to `count` bytes from `offset`."""
        self.bytes_read += count
        return self.data[offset : offset + count]


class Parts(NamedTuple):
    """What a tiny ELF file is made of; addresses are the file's offsets plus `base`."""

    bits: int = 64
    byte_order: str = "little"
    machine: int = 62
    type: int = 3
    machine_flags: int = 0
    osabi: int = 0
    entry: int = 0
    interpreter: str | None = None
    needed: Sequence[str] = ()
    soname: str | None = None
    rpath: str | None = None
    runpath: str | None = None
    tags: Sequence[tuple[int, int]] = ()
    dynamic: bool = True
    base: int = 0x10000
    attributes: bytes = b""


class Tiny(Protocol):
    """Makes a file of the fields of `Parts`."""

    def __call__(self, **parts: Any) -> bytes:
        """Return the file's bytes."""


def build(parts: Parts) -> bytes:
    """Return an ELF file: header, program headers, interpreter, strings, dynamic section, attributes."""
    wide = parts.bits == 64
    order = "<" if parts.byte_order == "little" else ">"
    word = "Q" if wide else "I"
    header_size, program_size, section_size = (64, 56, 64) if wide else (52, 32, 40)

    strings = bytearray(b"\0")

    def string(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text.encode()) - 1

    entries = [(1, string(name)) for name in parts.needed]
    for tag, text in ((14, parts.soname), (15, parts.rpath), (29, parts.runpath)):
        if text is not None:
            entries.append((tag, string(text)))
    interpreter = parts.interpreter.encode() + b"\0" if parts.interpreter is not None else b""
    count = 1 + bool(interpreter) + parts.dynamic
    interpreter_at = header_size + count * program_size
    strings_at = interpreter_at + len(interpreter)
    dynamic_at = -(-(strings_at + len(strings)) // 8) * 8
    entries += [(5, parts.base + strings_at), (10, len(strings)), *parts.tags, (0, 0)]
    dynamic = b"".join(struct.pack(order + word * 2, *entry) for entry in entries) if parts.dynamic else b""
    end = dynamic_at + len(dynamic)

    def program(kind: int, at: int, size: int) -> bytes:
        address = parts.base + at
        if wide:
            return struct.pack(order + "IIQQQQQQ", kind, 4, at, address, address, size, size, 8)
        return struct.pack(order + "8I", kind, at, address, address, size, size, 4, 8)

    programs = [program(1, 0, end)]
    if interpreter:
        programs.append(program(3, interpreter_at, len(interpreter)))
    if parts.dynamic:
        programs.append(program(2, dynamic_at, len(dynamic)))
    sections = b""
    if parts.attributes:
        record = [0, 0x70000003, 0, 0, end, len(parts.attributes), 0, 0, 1, 0]
        layout = "IIQQQQIIQQ" if wide else "10I"
        sections = struct.pack(order + layout, *record)
    identification = bytes([0x7F, *b"ELF", 2 if wide else 1, 1 if order == "<" else 2, 1, parts.osabi]).ljust(16, b"\0")
    header = identification + struct.pack(
        order + "HHI" + word * 3 + "I6H",
        *(parts.type, parts.machine, 1, parts.entry, header_size),
        end + len(parts.attributes) if sections else 0,
        *(parts.machine_flags, header_size, program_size, len(programs)),
        *((section_size, 1, 0) if sections else (0, 0, 0)),
    )
    body = header + b"".join(programs) + interpreter + bytes(strings)
    return body.ljust(dynamic_at, b"\0") + dynamic + parts.attributes + sections


@pytest.fixture(scope="session")
def tiny() -> Tiny:
    """Return a maker of tiny ELF files; its arguments are the fields of `Parts`."""

    def make(**parts: Any) -> bytes:
        return build(Parts(**parts))

    return make


@pytest.fixture(scope="session")
def in_memory() -> Callable[[bytes], Bytes]:
    """Return a maker of files in memory."""
    return Bytes
