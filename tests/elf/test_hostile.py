"""A damaged or hostile file gives facts or one clear error: never a traceback, a hang, or a memory full of it."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from scratchbuild import elf
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = [(64, "little"), (64, "big"), (32, "little"), (32, "big")]
MOST_BYTES_READ = 8 << 20


class Huge:
    """A file of a terabyte in which every byte after `start` is the same."""

    def __init__(self, start: bytes, fill: bytes) -> None:
        self.start = start
        self.fill = fill
        self.size = 1 << 40
        self.bytes_read = 0

    def at(self, offset: int, count: int, /) -> bytes:
        """Return bytes, and fail when they have become too many."""
        self.bytes_read += count
        assert self.bytes_read < MOST_BYTES_READ
        known = self.start[offset : offset + count]
        return known + self.fill * (count - len(known))


def facts_or_error(data: bytes, in_memory: Callable[[bytes], Any]) -> elf.Elf | ScratchbuildError:
    file = in_memory(data)
    try:
        return elf.read(file)
    except ScratchbuildError as error:
        assert error.what  # noqa: PT017 -- either way is right
        return error
    finally:
        assert file.bytes_read < MOST_BYTES_READ


@pytest.mark.parametrize(("bits", "byte_order"), WORDS)
def test_truncated_at_any_length_says_so(tiny: Any, in_memory: Any, bits: int, byte_order: str) -> None:
    made = tiny(bits=bits, byte_order=byte_order, interpreter="/lib/ld.so", needed=["libx.so.1"], runpath="/x")
    for length in range(4, len(made)):
        found = facts_or_error(made[:length], in_memory)
        assert isinstance(found, ScratchbuildError)
        assert found.what.startswith("truncated: ")
        assert found.what.endswith(f"the file has {length}")
    assert isinstance(facts_or_error(made, in_memory), elf.Elf)


def test_truncation_names_the_header_that_is_cut(tiny: Any, in_memory: Any) -> None:
    made = tiny(interpreter="/lib/ld.so", needed=["libx.so.1"])
    error = facts_or_error(made[: 64 + 56 + 10], in_memory)
    assert str(error) == "truncated: program header 1 ends at byte 176, the file has 130"


@pytest.mark.parametrize(("bits", "byte_order"), WORDS)
def test_any_changed_byte_of_a_small_file(tiny: Any, in_memory: Any, bits: int, byte_order: str) -> None:
    made = tiny(bits=bits, byte_order=byte_order, interpreter="/lib/ld.so", needed=["libx.so.1", "liby.so"], rpath="/x")
    for place in range(len(made)):
        for value in (0, 1, 0x7F, 0x80, 0xFF, made[place] ^ 0x10):
            facts_or_error(made[:place] + bytes([value]) + made[place + 1 :], in_memory)


@settings(max_examples=400, deadline=None)
@given(some.binary(max_size=400))
def test_random_bytes(in_memory: Any, data: bytes) -> None:
    facts_or_error(data, in_memory)
    for bits in (1, 2):
        for order in (1, 2):
            facts_or_error(b"\x7fELF" + bytes([bits, order, 1]) + data, in_memory)


numbers = some.one_of(some.integers(0, 300), some.sampled_from([2**31, 2**32 - 1, 2**63, 2**64 - 1, 2**64 - 100]))


@settings(max_examples=600, deadline=None)
@given(
    entries=some.lists(some.tuples(some.sampled_from([0, 1, 5, 10, 14, 15, 21, 29, 30]), numbers), max_size=12),
    programs=some.lists(some.tuples(some.sampled_from([1, 2, 3]), numbers, numbers, numbers), max_size=6),
)
def test_random_tables(in_memory: Any, entries: list[Any], programs: list[Any]) -> None:
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 0, offset, address, 0, size, size, 0) for kind, offset, address, size in programs
    )
    header = b"\x7fELF\x02\x01\x01".ljust(16, b"\0") + struct.pack(
        "<HHIQQQI6H", 3, 62, 1, 0, 64, 0, 0, 64, 56, len(programs), 0, 0, 0
    )
    data = header + table + b"".join(struct.pack("<QQ", *entry) for entry in entries) + b"libx.so\0"
    facts_or_error(data, in_memory)


def program(kind: int, offset: int, address: int, size: int) -> bytes:
    return struct.pack("<IIQQQQQQ", kind, 0, offset, address, 0, size, size, 0)


def with_programs(*programs: bytes, count: int | None = None) -> bytes:
    number = len(programs) if count is None else count
    return (
        b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
        + struct.pack("<HHIQQQI6H", 3, 62, 1, 0, 64, 0, 0, 64, 56, number, 0, 0, 0)
        + b"".join(programs)
    )


TERABYTE = 1 << 40
ENTRY = struct.Struct("<QQ")


@pytest.mark.parametrize(
    ("start", "fill", "message"),
    [
        (with_programs(count=65535), b"\1", "65535 program headers"),
        (with_programs(program(3, 0, 0, TERABYTE)), b"/", "interpreter's path of 1099511627776 bytes"),
        (with_programs(program(3, 64, 0, 4096)), b"/", "interpreter's path has no end"),
        (
            with_programs(program(1, 0, 0, TERABYTE), program(2, 0, 176, TERABYTE)),
            b"\1",
            "more than 65536 dynamic entries",
        ),
        (
            with_programs(program(1, 0, 0, TERABYTE), program(2, 0, 176, TERABYTE))
            + b"".join(ENTRY.pack(*entry) for entry in [(5, 0x1000), (1, 0), (0, 0)]),
            b"x",
            "longer than 65536 bytes",
        ),
    ],
)
def test_huge_numbers_cost_neither_time_nor_memory(start: bytes, fill: bytes, message: str) -> None:
    began = time.monotonic()
    with pytest.raises(ScratchbuildError, match=message):
        elf.read(Huge(start, fill))
    assert time.monotonic() - began < 2


def test_many_long_names_together_are_refused(in_memory: Any) -> None:
    names = b"".join(b"x" * 3000 + b"\0" for _ in range(600))
    entries = b"".join(ENTRY.pack(1, number * 3001) for number in range(600)) + ENTRY.pack(5, 176 + 16 * 602)
    size = 176 + 16 * 602 + len(names)
    data = with_programs(program(1, 0, 0, size), program(2, 0, 176, 16 * 602)) + entries + ENTRY.pack(0, 0) + names
    with pytest.raises(ScratchbuildError, match="bytes of names"):
        elf.read(in_memory(data))


@pytest.mark.parametrize(
    ("programs", "entries", "message"),
    [
        ([program(2, 64, 64, 16)], [], "the dynamic section is at address 0x40, which no segment loads"),
        ([program(1, 0, 0, 250), program(2, 0, 176, 64)], [(1, 5), (0, 0)], "no string table"),
        ([program(1, 0, 0, 250), program(2, 0, 176, 64)], [(1, 5), (5, 9999)], "string table is at address 0x270f"),
        ([program(1, 0, 0, 250), program(2, 0, 176, 64)], [(1, 99), (5, 200)], "byte 99 of a string table of 50 bytes"),
    ],
)
def test_tables_that_point_nowhere(in_memory: Any, programs: list[bytes], entries: list[Any], message: str) -> None:
    data = (with_programs(*programs) + b"".join(ENTRY.pack(*entry) for entry in entries)).ljust(300, b"\1")
    with pytest.raises(ScratchbuildError) as caught:
        elf.read(in_memory(data))
    assert message in caught.value.what


def test_segment_that_is_mapped_over_another_counts_as_for_the_loader(in_memory: Any) -> None:
    start = 64 + 3 * 56
    under = ENTRY.pack(1, 0) + ENTRY.pack(5, start + 96) + ENTRY.pack(0, 0)
    over = ENTRY.pack(1, 8) + ENTRY.pack(5, start + 96) + ENTRY.pack(0, 0)
    strings = b"liba.so\0libb.so\0"
    size = start + 96 + len(strings)
    headers = with_programs(program(1, 0, 0, size), program(1, start + 48, start, 48), program(2, start, start, 48))
    assert elf.read(in_memory(headers + under + over + strings)).needed == ("libb.so",)
