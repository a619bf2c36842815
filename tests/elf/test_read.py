"""What a file is, and what it needs, is told as the kernel and the loader see it."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild import elf
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Callable

WORDS = [(64, "little"), (64, "big"), (32, "little"), (32, "big")]


def facts(data: bytes, in_memory: Callable[[bytes], Any]) -> elf.Elf:
    return elf.read(in_memory(data))


@pytest.mark.parametrize(("bits", "byte_order"), WORDS)
def test_every_class_and_byte_order_gives_the_same_facts(tiny: Any, in_memory: Any, bits: int, byte_order: str) -> None:
    found = facts(
        tiny(
            bits=bits,
            byte_order=byte_order,
            interpreter="/lib/ld.so.1",
            needed=["liba.so.1", "libb.so"],
            rpath="$ORIGIN/a:/b",
            runpath="/c",
            tags=[(30, 1), (0x6FFFFFFB, 0x08000800)],
        ),
        in_memory,
    )
    assert (found.bits, found.byte_order) == (bits, byte_order)
    assert found.interpreter == "/lib/ld.so.1"
    assert found.needed == ("liba.so.1", "libb.so")
    assert (found.soname, found.rpath, found.runpath) == (None, "$ORIGIN/a:/b", "/c")
    assert found.flags == elf.DF_ORIGIN
    assert found.flags_1 == elf.DF_1_NODEFLIB | elf.DF_1_PIE
    assert found.kind == "pie"


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        ({"type": 2, "interpreter": "/lib/ld.so", "needed": ["libc.so.6"]}, "executable"),
        ({"type": 2, "dynamic": False, "entry": 1}, "static"),
        ({"interpreter": "/lib/ld.so", "tags": [(0x6FFFFFFB, 0x08000000)]}, "pie"),
        ({"interpreter": "/lib/ld.so", "needed": ["libc.so.6"]}, "pie"),
        ({"tags": [(0x6FFFFFFB, 0x08000000)]}, "static-pie"),
        ({"tags": [(21, 0)]}, "static-pie"),
        ({"dynamic": False, "entry": 0x10040}, "static-pie"),
        ({"soname": "libx.so.1"}, "shared object"),
        ({"interpreter": "/lib/ld.so", "soname": "libc.so.6"}, "shared object"),
        ({"needed": ["libc.so.6"]}, "shared object"),
    ],
)
def test_kind_is_told_from_headers_alone(tiny: Any, in_memory: Any, parts: dict[str, Any], kind: str) -> None:
    assert facts(tiny(**parts), in_memory).kind == kind


@pytest.mark.parametrize(
    ("parts", "architecture"),
    [
        ({"machine": 62}, "amd64"),
        ({"machine": 62, "bits": 32}, "amd64p32"),
        ({"machine": 3, "bits": 32}, "386"),
        ({"machine": 183}, "arm64"),
        ({"machine": 40, "bits": 32}, "arm"),
        ({"machine": 243}, "riscv64"),
        ({"machine": 21}, "ppc64le"),
        ({"machine": 21, "byte_order": "big"}, "ppc64"),
        ({"machine": 22, "byte_order": "big"}, "s390x"),
        ({"machine": 8, "machine_flags": 0x60000007}, "mips64le"),
        ({"machine": 8, "bits": 32, "byte_order": "big"}, "mips"),
        ({"machine": 8, "bits": 32, "machine_flags": 0x20}, "mips64p32le"),
        ({"machine": 258}, "loong64"),
        ({"machine": 4660}, "machine-4660"),
    ],
)
def test_architecture_is_the_one_that_engines_know(
    tiny: Any, in_memory: Any, parts: dict[str, Any], architecture: str
) -> None:
    assert facts(tiny(**parts), in_memory).architecture == architecture


def attributes(cpu: int) -> bytes:
    """Return .ARM.attributes as gas writes them: a CPU name first, which is a string, then Tag_CPU_arch."""
    body = b"\x05cortex\0" + bytes([6, cpu, 8, 1])
    file = bytes([1]) + struct.pack("<I", 5 + len(body)) + body
    vendor = b"aeabi\0" + file
    return b"A" + struct.pack("<I", 4 + len(vendor)) + vendor


@pytest.mark.parametrize(
    ("data", "flags", "variant"),
    [
        (attributes(4), 0x5000200, "v5"),
        (attributes(6), 0x5000400, "v6"),
        (attributes(10), 0x5000400, "v7"),
        (attributes(14), 0x5000400, "v8"),
        (b"", 0x5000400, "v7"),
        (b"", 0x5000200, "v5"),
        (b"A\xff\xff\xff\xffaeabi", 0x5000400, "v7"),
        (b"A\x20\0\0\0aeabi\0\x01\xff\xff\xff\xff\x85\x85", 0x5000400, "v7"),
    ],
)
def test_variant_of_an_arm_program_is_read_from_its_attributes(
    tiny: Any, in_memory: Any, data: bytes, flags: int, variant: str
) -> None:
    made = tiny(bits=32, machine=40, machine_flags=flags, attributes=data)
    assert facts(made, in_memory).variant == variant


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the file is empty"),
        (b"hello", "not an ELF file: it begins with b'hello'"),
        (b"#!/bin/sh -e\n", "not an ELF file: a script for /bin/sh"),
        (b"#! \n", "its #! line names no interpreter"),
        (b"\x7fELF", "truncated: the ELF identification ends at byte 16, the file has 4"),
        (b"\x7fELF\x02\x01\x01".ljust(60, b"\0"), "truncated: the ELF header ends at byte 64, the file has 60"),
        (b"\x7fELF\x03\x01\x01".ljust(64, b"\0"), "class 3"),
        (b"\x7fELF\x02\x07\x01".ljust(64, b"\0"), "byte order 7"),
    ],
)
def test_what_is_no_program_is_named_for_what_it_is(in_memory: Any, data: bytes, message: str) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        facts(data, in_memory)
    assert message in caught.value.what


@pytest.mark.parametrize(
    ("number", "message"), [(1, "relocatable"), (4, "core file"), (0, "ELF type 0"), (9, "type 9")]
)
def test_object_and_core_files_are_refused_by_name(tiny: Any, in_memory: Any, number: int, message: str) -> None:
    with pytest.raises(ScratchbuildError, match=message):
        facts(tiny(type=number), in_memory)


def test_names_that_are_no_utf8_keep_their_bytes(tiny: Any, in_memory: Any) -> None:
    made = tiny(needed=["libXY.so"]).replace(b"libXY", b"lib\xff\xfe")
    assert facts(made, in_memory).needed == ("lib\udcff\udcfe.so",)


def test_last_of_two_runpaths_counts_as_for_the_loader(tiny: Any, in_memory: Any) -> None:
    made = tiny(needed=["a"], runpath="/one", tags=[(29, 1)])
    assert facts(made, in_memory).runpath == "a"


def test_dynamic_section_is_found_where_it_is_loaded_not_where_its_header_says(tiny: Any, in_memory: Any) -> None:
    made = bytearray(tiny(needed=["libx.so"]))
    # p_offset of PT_DYNAMIC, the second program header; no loader looks at it.
    struct.pack_into("<Q", made, 64 + 56 + 8, 3)
    assert facts(bytes(made), in_memory).needed == ("libx.so",)


def test_packed_program_is_marked(tiny: Any, in_memory: Any) -> None:
    made = bytearray(tiny(type=2, dynamic=False, entry=1) + bytes(64))
    made[64 + 56 + 4 : 64 + 56 + 8] = b"UPX!"
    found = facts(bytes(made), in_memory)
    assert (found.packer, found.kind) == ("UPX", "static")
