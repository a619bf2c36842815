"""Binaries that are no programs, are damaged, are for other machines, or are scripts."""

from __future__ import annotations

import struct
import subprocess
from typing import Any

import pytest

NO_PROGRAM = "A program is an ELF file, or a script whose first line is #!INTERPRETER; what is neither goes in files."
PACKED = 'binaries = ["../src/x"]\n'


def patched(data: bytes, offset: int, field: bytes) -> bytes:
    """Return `data` with some bytes changed."""
    return data[:offset] + field + data[offset + len(field) :]


def foreign(machine: int, *, bits: int = 64, order: str = "<") -> bytes:
    """Return a static program of one segment for another machine."""
    head = bytes([0x7F, *b"ELF", 2 if bits == 64 else 1, 1 if order == "<" else 2, 1]).ljust(16, b"\0")
    if bits == 64:
        head += struct.pack(order + "HHIQQQIHHHHHH", 2, machine, 1, 0x10000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
        return head + struct.pack(order + "IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, 120, 120, 8)
    head += struct.pack(order + "HHIIIIIHHHHHH", 2, machine, 1, 0x10000, 52, 0, 0, 52, 32, 1, 0, 0, 0)
    return head + struct.pack(order + "8I", 1, 0, 0x10000, 0x10000, 84, 84, 5, 8)


DAMAGES = {
    "empty": (lambda _: b"", "src/x is an empty file, not a program", "Build it again."),
    "one byte": (lambda data: data[:1], "src/x: not an ELF file: it begins with b'\\x7f'", NO_PROGRAM),
    "text": (lambda _: b"echo hello\n", "src/x: not an ELF file: it begins with b'echo hel'", NO_PROGRAM),
    "cut in its header": (
        lambda data: data[:40],
        "src/x: truncated: the ELF header ends at byte 64, the file has 40",
        "Build it again, or copy it anew.",
    ),
    "cut in its program headers": (
        lambda data: data[:100],
        "src/x: truncated: program header 0 ends at byte 120, the file has 100",
        "Build it again, or copy it anew.",
    ),
    "class that does not exist": (
        lambda data: patched(data, 4, b"\x09"),
        "src/x: damaged ELF file: class 9 is neither 32-bit (1) nor 64-bit (2)",
        "Build it again, or copy it anew.",
    ),
    "byte order that is not its own": (
        lambda data: patched(data, 5, b"\x02"),
        "src/x: damaged ELF file: version 16777216 (1), expected 1",
        "Build it again, or copy it anew.",
    ),
    "no program headers": (
        lambda data: patched(data, 56, b"\0\0"),
        "src/x: damaged ELF file: it has no program headers",
        "Build it again, or copy it anew.",
    ),
    "a type that is no program": (
        lambda data: patched(data, 16, b"\x09\0"),
        "src/x: ELF type 9 is neither an executable (2) nor a shared object (3)",
        "Build it again, or copy it anew.",
    ),
}


@pytest.mark.parametrize(("damage", "what", "mend"), DAMAGES.values(), ids=DAMAGES)
def test_damaged_program_is_told_with_what_is_wrong_in_it(
    project: Any, hello: bytes, damage: Any, what: str, mend: str
) -> None:
    project.source("x", damage(hello))
    project.refuses(PACKED, f"error: configs/hello.toml: binaries[0]: {what}\n  {mend}\n")


def test_program_whose_end_is_cut_off_is_told(project: Any, hello: bytes) -> None:
    project.source("x", hello[:200])
    run = project.doit("build")
    project.define(PACKED)
    run = project.doit("build")
    assert run.err.startswith("error: configs/hello.toml: binaries[0]: src/x: truncated: segment 0 ends at byte ")
    assert run.err.endswith(", the file has 200\n  Build it again, or copy it anew.\n")
    assert run.status == 2
    project.assert_last_good()


def test_relocatable_object_is_told_to_be_linked_first(project: Any) -> None:
    project.source("x.c", "void f(void) {}\n")
    subprocess.run(["gcc", "-c", "x.c", "-o", "x"], cwd=project.src, check=True)
    project.refuses(
        PACKED,
        "error: configs/hello.toml: binaries[0]: src/x: a relocatable object, not a program\n"
        "  Link it first (cc -o PROGRAM FILE.o).\n",
    )


@pytest.mark.parametrize(
    ("data", "architecture"),
    [
        (foreign(183), "arm64"),
        (foreign(22, order=">"), "s390x"),
        (foreign(40, bits=32), "arm/v5"),
        (foreign(243), "riscv64"),
    ],
    ids=["arm64", "s390x", "arm", "riscv64"],
)
def test_programs_for_different_machines_in_one_image_are_told(project: Any, data: bytes, architecture: str) -> None:
    project.source("x", data)
    project.refuses(
        'binaries = ["../src/hello", "../src/x"]\n',
        "error: configs/hello.toml: binaries: the binaries are for different machines: "
        f"binaries[0] src/hello is for amd64; binaries[1] src/x is for {architecture}\n"
        "  One image has one architecture: make an image for each.\n",
    )


def test_architecture_that_the_programs_do_not_have_is_told(project: Any) -> None:
    project.refuses(
        'binaries = ["../src/hello"]\narchitecture = "arm64"\n',
        'error: configs/hello.toml: architecture: the image is for "arm64", but src/hello is a program for amd64\n'
        "  Leave architecture out, and it is read from the binaries; or pack a program for it.\n",
    )


def test_image_of_a_program_for_another_machine_is_built_and_noted(project: Any) -> None:
    project.source("x", foreign(22, order=">"))
    project.define(PACKED)
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    assert "note: hello: the image is for s390x, and this machine is amd64: it may not run here\n" in run.out
    assert b'"s390x"' in (project.cache / "hello" / "config.json").read_bytes()


SCRIPTS = {
    "an interpreter that the image lacks": (
        "#!/bin/sh\necho hello\n",
        "src/x is a script for /bin/sh, and the image has no /bin/sh",
        "Add to binaries: /bin/sh.",
    ),
    "an interpreter that this machine lacks too": (
        "#! /opt/no such\n",
        "src/x is a script for /opt/no such, and the image has no /opt/no",
        "This machine has no /opt/no either: install it, or name another in the script's first line.",
    ),
    "env and the program that it looks for": (
        "#!/usr/bin/env -S bash -e\n",
        "src/x is a script for /usr/bin/env -S bash -e, and the image has no /usr/bin/env and no /usr/bin/bash",
        "Add to binaries: /usr/bin/env, /usr/bin/bash.",
    ),
    "a relative interpreter": (
        "#!bin/sh\n",
        "src/x is a script for bin/sh, which is relative to whatever directory it is started in",
        "Write the interpreter's whole path in its first line.",
    ),
    "the line ends of another system": (
        "#!/bin/sh\r\n",
        "the first line of src/x ends in a carriage return, so that the kernel looks for '/bin/sh\\r'",
        "Save it with Unix line ends: sed -i 's/\\r$//' src/x",
    ),
    "no interpreter": ("#!\n", "src/x: its #! line names no interpreter", NO_PROGRAM),
    "a line that the kernel does not read to its end": (
        f"#!/{'x' * 300}\n",
        f"src/x: its #! line has no end within 256 bytes: /{'x' * 59}...",
        "The kernel does not read further: name an interpreter with a shorter path.",
    ),
}


@pytest.mark.parametrize(("text", "what", "mend"), SCRIPTS.values(), ids=SCRIPTS)
def test_script_that_would_not_start_is_told_with_what_it_needs(project: Any, text: str, what: str, mend: str) -> None:
    project.source("x", text)
    project.refuses(PACKED, f"error: configs/hello.toml: binaries[0]: {what}\n  {mend}\n")


def test_script_is_packed_when_its_interpreter_is_packed_too(project: Any) -> None:
    project.source("x", "#!/usr/bin/hello -x\n")
    project.define('binaries = ["../src/x", { source = "../src/hello", target = "/usr/bin/hello" }]\n')
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    assert (project.cache / "hello" / "rootfs" / "bin" / "x").read_text() == "#!/usr/bin/hello -x\n"


def test_script_for_env_is_packed_when_env_and_its_program_are_there(project: Any) -> None:
    project.source("x", "#!/usr/bin/env FOO=1 tool\n")
    project.define(
        'binaries = ["../src/x", { source = "../src/hello", target = "/usr/bin/env" }, '
        '{ source = "../src/hello", target = "/opt/tool" }]\n'
    )
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")


def test_every_binary_that_is_wrong_is_told_at_once(project: Any) -> None:
    project.source("one", "text")
    project.source("two", "")
    project.refuses(
        'binaries = ["../src/one", "../src/hello", "../src/two"]\n',
        "error: configs/hello.toml: binaries[0]: src/one: not an ELF file: it begins with b'text'\n"
        f"  {NO_PROGRAM}\n"
        "error: configs/hello.toml: binaries[2]: src/two is an empty file, not a program\n"
        "  Build it again.\n",
    )
