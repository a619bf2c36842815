"""Which program an image starts, and whether an engine would find it."""

from __future__ import annotations

from typing import Any

import pytest

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.start import check, entrypoint
from scratchbuild.rootfs import Entry

SCRIPT = b"#!/bin/prog\n"
ENTRIES = (
    Entry("/bin", "directory", 0o755, ""),
    Entry("/bin/prog", "file", 0o755, "binaries[0]"),
    Entry("/bin/data", "file", 0o644, "files[0]"),
    Entry("/bin/script", "file", 0o755, "files[1]"),
    Entry("/bin/again", "hardlink", 0o755, "files[2]", link="/bin/prog"),
    Entry("/usr", "directory", 0o755, ""),
    Entry("/usr/bin", "symlink", 0o777, "", link="../bin"),
    Entry("/sbin", "directory", 0o755, ""),
    Entry("/sbin/prog", "file", 0o644, "files[3]"),
)


def checked(definition: Any) -> str:
    """Return what is wrong with the start of a definition's image, or nothing."""
    contents = {"/bin/script": SCRIPT}
    try:
        check(definition, ENTRIES, lambda path: contents[path])
    except ScratchbuildError as error:
        return error.what
    return ""


@pytest.mark.parametrize(
    ("lines", "vector"),
    [
        ('binaries = ["/usr/bin/a", "/bin/b"]', ("/usr/bin/a",)),
        ('binaries = [{ source = "/usr/bin/a", target = "/opt/" }]', ("/opt/a",)),
        ('binaries = ["/usr/bin/a"]\nentrypoint = ["/b", "-x"]', ("/b", "-x")),
        ('binaries = ["/usr/bin/a"]\nentrypoint = []', ()),
        ('files = ["/x"]', ()),
    ],
)
def test_entrypoint_is_the_definitions_own_or_the_first_binary(
    define: Any, lines: str, vector: tuple[str, ...]
) -> None:
    assert entrypoint(define(lines)) == vector


@pytest.mark.parametrize(
    "lines",
    [
        'entrypoint = ["/bin/prog"]',
        'entrypoint = ["prog"]',
        'entrypoint = ["prog"]\nenv = { PATH = "/sbin:/bin" }',
        'entrypoint = ["prog"]\nenv = { PATH = "/nowhere::" }\nworkdir = "/bin"',
        'entrypoint = ["/usr/bin/prog"]',
        'entrypoint = ["/bin/again"]',
        'entrypoint = ["bin/prog"]',
        'entrypoint = ["../bin/prog"]\nworkdir = "/usr"',
        'entrypoint = ["/bin/script"]',
        'entrypoint = []\ncmd = ["prog"]',
    ],
)
def test_program_that_an_engine_finds_is_fine(define: Any, lines: str) -> None:
    assert checked(define(lines)) == ""


@pytest.mark.parametrize(
    ("lines", "what"),
    [
        ('entrypoint = ["/bin/data"]', '"/bin/data" is not executable: its mode is 0644'),
        ('entrypoint = ["prog"]\nenv = { PATH = "/sbin" }', '"/sbin/prog" is not executable: its mode is 0644'),
        ('entrypoint = ["prog"]\nenv = { PATH = "" }', '"prog" is not in the image\'s PATH ()'),
        ('entrypoint = ["/bin"]', '"/bin" is a directory'),
        ('entrypoint = ["bin"]\nenv = { PATH = "/" }', '"/bin" is a directory'),
        ('entrypoint = ["/no"]', '"/no" is not in the image'),
    ],
)
def test_program_that_no_engine_finds_is_an_error(define: Any, lines: str, what: str) -> None:
    assert checked(define(lines)) == what
