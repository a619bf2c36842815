"""A script's interpreter is the one that the kernel would start (execve(2), "Interpreter scripts")."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from scratchbuild.elf import interpreter_line, is_elf
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"#!/bin/sh\n", ("/bin/sh", None)),
        (b"#!/bin/sh", ("/bin/sh", None)),
        (b"#! \t/bin/sh  -e  -u \t\nrest", ("/bin/sh", "-e  -u")),
        (b"#!/usr/bin/env\tpython3\n", ("/usr/bin/env", "python3")),
        (b"#!/bin/\xff\n", ("/bin/\udcff", None)),
        (b"#!/bin/sh " + b"x" * 300, ("/bin/sh", "x" * 245)),
        (b"\x7fELF", None),
        (b"", None),
        (b"# !/bin/sh\n", None),
    ],
)
def test_interpreter_and_its_one_argument(first: bytes, expected: tuple[str, str | None] | None) -> None:
    assert interpreter_line(first) == expected


@pytest.mark.parametrize("first", [b"#!\n", b"#!   \t\n/bin/sh", b"#!", b"#!\0/bin/sh\n"])
def test_line_without_an_interpreter_is_refused(first: bytes) -> None:
    with pytest.raises(ScratchbuildError, match="names no interpreter"):
        interpreter_line(first)


@pytest.mark.parametrize("length", [252, 253, 254, 255, 300])
def test_over_long_interpreter_is_refused_where_the_kernel_refuses_it(tmp_path: Path, length: int) -> None:
    folder = tmp_path / "x"
    folder.mkdir()
    # The path is filled up with slashes, so that it exists at any length.
    name = f"{folder}/"
    interpreter = name.rstrip("/") + "/" * (length - len(name.rstrip("/")) - 1) + "i"
    (folder / "i").symlink_to("/bin/true")
    script = tmp_path / "script"
    script.write_text(f"#!{interpreter}\n")
    script.chmod(0o755)
    try:
        runs = subprocess.run([script], check=False, env={}).returncode == 0
    except OSError:
        runs = False
    try:
        reads = interpreter_line(script.read_bytes()[:256]) == (interpreter, None)
    except ScratchbuildError as error:
        assert "no end within 256 bytes" in error.what  # noqa: PT017 -- whether it is raised is what is compared
        reads = False
    assert reads == runs


def test_elf_is_told_by_its_first_four_bytes() -> None:
    assert is_elf(b"\x7fELF" + os.urandom(4))
    assert not is_elf(b"\x7fEL")
