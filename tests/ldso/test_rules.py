"""The loader's smaller rules: tokens, ld.so.conf, and what a loader was built with."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from scratchbuild import elf
from scratchbuild.ldso import abi, conf, defaults, tokens
from scratchbuild.ldso.look import looker
from scratchbuild.root import Root

if TYPE_CHECKING:
    from pathlib import Path

    from scratchbuild.elf import Elf

VALUES = {"ORIGIN": "/opt/x", "LIB": "lib64", "PLATFORM": ""}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/plain", "/plain"),
        ("$ORIGIN/../lib", "/opt/x/../lib"),
        ("${ORIGIN}lib", "/opt/xlib"),
        ("/usr/$LIB/${LIB}", "/usr/lib64/lib64"),
        ("$ORIGINAL", "$ORIGINAL"),
        ("$ORIGIN2", "$ORIGIN2"),
        ("${ORIGINAL}", "${ORIGINAL}"),
        ("$ORIGIN.d", "/opt/x.d"),
        ("$HOME/$", "$HOME/$"),
        ("${ORIGIN", "${ORIGIN"),
        ("/lib/$PLATFORM", None),
    ],
)
def test_tokens_are_replaced_as_the_loader_does(text: str, expected: str | None) -> None:
    assert tokens.expand(text, VALUES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("$ORIGIN/../lib", "/../lib"), ("${ORIGIN}", ""), ("/x/$ORIGIN", None), ("$LIB", None), ("/lib", None)],
)
def test_path_relative_to_the_origin_is_known_as_such(text: str, expected: str | None) -> None:
    assert tokens.after_origin(text) == expected


def test_conf_lists_directories_of_itself_and_of_what_it_includes(tmp_path: Path) -> None:
    folder = tmp_path / "etc/ld.so.conf.d"
    folder.mkdir(parents=True)
    (tmp_path / "etc/ld.so.conf").write_text(
        "# first\n/opt/one/  # why\ninclude ld.so.conf.d/*.conf\n\n/opt/two=libc6\nhwcap 0 x\ninclude /nosuch/*\n",
    )
    (folder / "b.conf").write_text("/from/b\n/opt/one\n")
    (folder / "a.conf").write_text("/from/a\n")
    (folder / ".hidden.conf").write_text("/hidden\n")
    (folder / "note.txt").write_text("/text\n")
    assert conf.directories(Root(str(tmp_path))) == ["/opt/one", "/from/a", "/from/b", "/opt/two"]
    assert conf.directories(Root(str(tmp_path)), "/nosuch") == []


def test_conf_that_includes_itself_has_an_end(tmp_path: Path) -> None:
    (tmp_path / "conf").write_text("/one\ninclude con?\n/two\n")
    assert conf.directories(Root(str(tmp_path)), "/conf") == ["/one", "/two"]


def program(root: Root, path: str) -> Elf:
    with root.opened(path) as file:
        return elf.read(file)


def test_this_machines_loader_tells_its_own_directories() -> None:
    root = Root()
    found = defaults.loader(looker(root), "/lib64/ld-linux-x86-64.so.2", program(root, "/bin/ls"))
    assert found.family == "glibc"
    assert "/lib" in found.directories
    assert found.library == found.directories[0].removeprefix("/")
    assert found.cache == "/etc/ld.so.cache"
    assert found.looks_into("/usr/lib/")
    assert not found.looks_into("/opt")


RED_HAT = b"\0/lib64/\0/usr/lib64/\0\0lib64\0/etc/ld.so.cache\0"
NIX = b"\0/proc/\0/dev/shm/\0\0/nix/store/abc-glibc-2.39/lib/\0x\0lib\0/nix/store/abc-glibc-2.39/etc/ld.so.cache\0"


@pytest.mark.parametrize(
    ("strings", "directories", "library", "cache"),
    [
        (RED_HAT, ("/lib64", "/usr/lib64"), "lib64", "/etc/ld.so.cache"),
        (NIX, ("/nix/store/abc-glibc-2.39/lib",), "lib", "/nix/store/abc-glibc-2.39/etc/ld.so.cache"),
    ],
)
def test_loader_of_another_distribution_tells_its_own(
    tmp_path: Path, strings: bytes, directories: tuple[str, ...], library: str, cache: str
) -> None:
    with open("/lib64/ld-linux-x86-64.so.2", "rb") as file:
        head = file.read()
    for known in (b"/lib/x86_64-linux-gnu/", b"/usr/lib/x86_64-linux-gnu/", b"/lib/\0/usr/lib/\0", b"/etc/ld.so.cache"):
        head = head.replace(known, bytes(len(known)))
    (tmp_path / "ld.so").write_bytes(head + strings)
    root = Root(str(tmp_path))
    found = defaults.loader(looker(root), "/ld.so", program(root, "/ld.so"))
    assert (found.directories, found.library, found.cache) == (directories, library, cache)


def test_loader_that_tells_nothing_has_the_usual_directories(tmp_path: Path) -> None:
    root = Root(str(tmp_path))
    found = defaults.loader(looker(root), "/lib64/ld-linux-x86-64.so.2", program(Root(), "/bin/ls"))
    assert found.directories[:2] == ("/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu")
    assert {"/lib64", "/usr/lib64", "/lib", "/usr/lib"} <= set(found.directories)


BASE = program(Root(), os.path.realpath("/bin/ls"))


def changed(**fields: object) -> Elf:
    return BASE._replace(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "flags"),
    [
        ({}, 0x303),
        ({"bits": 32}, 0x803),
        ({"machine": 3, "bits": 32, "architecture": "386"}, 0x3),
        ({"machine": 183, "architecture": "arm64"}, 0xA03),
        ({"machine": 40, "bits": 32, "machine_flags": 0x5000400}, 0x903),
        ({"machine": 40, "bits": 32, "machine_flags": 0x5000200}, 0xB03),
        ({"machine": 21, "architecture": "ppc64le"}, 0x503),
        ({"machine": 22, "byte_order": "big", "architecture": "s390x"}, 0x403),
        ({"machine": 243, "machine_flags": 5}, 0x1003),
        ({"machine": 258, "machine_flags": 0x43}, 0x1203),
        ({"machine": 8, "machine_flags": 0x80000407, "architecture": "mips64le"}, 0xE03),
        ({"machine": 4660, "architecture": "machine-4660"}, 0x3),
    ],
)
def test_each_abi_has_its_mark_in_the_cache(fields: dict[str, object], flags: int) -> None:
    found = abi.of(changed(**fields))
    assert found.cache_flags == flags
    assert flags in found.accepted
    assert found.directories


@pytest.mark.parametrize(
    ("machine", "library", "wanted", "same"),
    [
        (21, 2, 2, True),
        (21, 0, 2, True),
        (21, 1, 2, False),
        (243, 5, 4, True),
        (243, 1, 5, False),
        (8, 0x400, 0, False),
        (40, 0x5000400, 0x5000000, True),
    ],
)
def test_libraries_of_another_calling_convention_are_told_apart(
    machine: int, library: int, wanted: int, same: bool
) -> None:
    one, other = changed(machine=machine, machine_flags=library), changed(machine=machine, machine_flags=wanted)
    assert abi.same_machine(one, other) == same
