"""A cache is read as the loader reads it, and one that we write is one that ldconfig and the loader take."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from scratchbuild.errors import ScratchbuildError
from scratchbuild.ldso.cache import Cache, Entry, compare, write
from scratchbuild.ldso.closure import closure
from scratchbuild.root import Root

if TYPE_CHECKING:
    from pathlib import Path

X86_64 = 0x303
ACCEPTED = (X86_64,)
HOST_CACHE = "/etc/ld.so.cache"

names = some.from_regex(r"lib[a-z0-9_+.-]{0,12}\.so(\.[0-9]{1,3}){0,2}", fullmatch=True) | some.text(
    some.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), min_size=1, max_size=8
)


def listing(path: str) -> list[tuple[str, str]]:
    """Return (name, path) of each entry in the order that ldconfig prints them."""
    text = subprocess.run(["/sbin/ldconfig", "-p", "-C", path], capture_output=True, text=True, check=True).stdout
    return re.findall(r"^\t(\S+) \(.*\) => (.*)$", text, re.MULTILINE)


@pytest.mark.engine("ldconfig")
def test_every_entry_of_this_machines_cache_is_listed_and_found() -> None:
    with open(HOST_CACHE, "rb") as file:
        cache = Cache(file.read(), "little")
    entries = list(cache.entries())
    assert [(entry.name, entry.path) for entry in entries] == listing(HOST_CACHE)
    first: dict[tuple[str, int], str] = {}
    for entry in entries:
        if not entry.hwcap:
            first.setdefault((entry.name, entry.flags), entry.path)
    for (name, flags), path in first.items():
        assert cache.lookup(name, (flags,)) == path
    assert cache.lookup("libnosuch.so.1", ACCEPTED) is None


@pytest.mark.engine("gcc")
@pytest.mark.engine("ldconfig")
@pytest.mark.parametrize("form", ["old", "compat", "new"])
def test_each_form_that_ldconfig_writes_is_read(workshop: Any, form: str) -> None:
    for name in ("libx.so.1", "libx.so.10", "libx.so.9", "libzz.so"):
        workshop.library(f"lib/{name}")
    conf, made = workshop.path("conf"), workshop.path("cache")
    with open(conf, "w", encoding="utf-8") as file:
        file.write(workshop.path("lib") + "\n")
    subprocess.run(["/sbin/ldconfig", "-X", "-f", conf, "-C", made, "-c", form], check=True, capture_output=True)
    with open(made, "rb") as file:
        cache = Cache(file.read(), "little")
    assert cache.lookup("libx.so.10", ACCEPTED) == workshop.path("lib/libx.so.10")
    assert cache.lookup("libzz.so", ACCEPTED) == workshop.path("lib/libzz.so")
    with pytest.raises(ScratchbuildError):
        Cache(cache._data, "big")


def test_written_cache_is_the_same_for_any_order_and_finds_every_entry() -> None:
    @settings(max_examples=150, deadline=None)
    @given(some.dictionaries(names, names, max_size=20), some.randoms(), some.sampled_from(["little", "big"]))
    def check(paths: dict[str, str], random: Any, byte_order: Any) -> None:
        entries = [Entry(name, f"/lib/{path}", X86_64) for name, path in paths.items()]
        made = write(entries, byte_order)
        random.shuffle(entries)
        assert write([*entries, *entries[:1]], byte_order) == made
        cache = Cache(made, byte_order)
        assert set(cache.entries()) == set(entries)
        for entry in entries:
            # `libx.so.01` and `libx.so.1` are one name to the loader.
            alike = {other.path for other in entries if not compare(os.fsencode(entry.name), os.fsencode(other.name))}
            assert cache.lookup(entry.name, ACCEPTED) in alike

    check()


@settings(max_examples=300, deadline=None)
@given(some.binary(max_size=16), some.integers(0, 400), some.integers(0, 255), names)
def test_damaged_cache_is_told_or_finds_nothing_wrong(piece: bytes, place: int, byte: int, name: str) -> None:
    whole = write([Entry(f"lib{number}.so.1", f"/lib/lib{number}.so.1", X86_64) for number in range(5)])
    place %= len(whole)
    for data in (whole[:place], whole[:place] + bytes([byte]) + whole[place + 1 :], whole[:place] + piece, piece):
        try:
            cache = Cache(data, "little")
        except ScratchbuildError as error:
            assert error.what  # noqa: PT017 -- either way is right
            continue
        list(cache.entries())
        cache.lookup(name, ACCEPTED)
        cache.lookup("lib3.so.1", ACCEPTED)


@pytest.mark.parametrize(
    ("one", "other", "sign"),
    [
        (b"liba.so", b"libb.so", -1),
        (b"libx.so.9", b"libx.so.10", -1),
        (b"libx.so.01", b"libx.so.1", 0),
        (b"lib1", b"liba", 1),
        (b"lib", b"liba", -1),
        (b"liba", b"lib", 1),
        (b"\xff", b"a", -1),
        (b"99999999999", b"1", 1),
        (b"4294967297", b"1", 0),
    ],
)
def test_names_sort_as_the_loader_compares_them(one: bytes, other: bytes, sign: int) -> None:
    found = compare(one, other)
    assert (found > 0) - (found < 0) == sign


def test_bytes_above_127_are_large_where_char_is_unsigned() -> None:
    assert compare(b"\xff", b"a", signed=False) > 0


def test_one_name_at_two_paths_is_refused() -> None:
    with pytest.raises(ScratchbuildError, match=r"not both /a/libx\.so and /b/libx\.so"):
        write([Entry("libx.so", "/b/libx.so", X86_64), Entry("libx.so", "/a/libx.so", X86_64)])


def test_libraries_of_two_machines_may_share_a_name() -> None:
    cache = Cache(write([Entry("libx.so", "/lib32/libx.so", 3), Entry("libx.so", "/lib64/libx.so", X86_64)]), "little")
    assert cache.lookup("libx.so", ACCEPTED) == "/lib64/libx.so"
    assert cache.lookup("libx.so", (3, 1)) == "/lib32/libx.so"


def test_variants_for_some_processors_are_passed_over() -> None:
    entries = [Entry("libx.so", "/v3/libx.so", X86_64, 1 << 62), Entry("libx.so", "/lib/libx.so", X86_64)]
    assert Cache(write(entries), "little").lookup("libx.so", ACCEPTED) == "/lib/libx.so"
    assert Cache(write(entries[:1]), "little").lookup("libx.so", ACCEPTED) is None


@pytest.mark.engine("ldconfig")
def test_ldconfig_lists_what_we_write(tmp_path: Path) -> None:
    with open(HOST_CACHE, "rb") as file:
        entries = [entry for entry in Cache(file.read(), "little").entries() if not entry.hwcap]
    # The host may have one name twice; the first is the one that is found.
    single = list({(entry.name, entry.flags): entry for entry in reversed(entries)}.values())
    made = tmp_path / "cache"
    made.write_bytes(write(single))
    expected = [(entry.name, entry.path) for entry in entries if entry in single]
    assert listing(str(made)) == expected


def in_chroot(root: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with `root` as its root directory, as whoever we are."""
    enter = ["chroot", str(root)] if os.geteuid() == 0 else ["unshare", "-r", "-R", str(root)]
    return subprocess.run(
        [*enter, *command], check=False, capture_output=True, text=True, env={"PATH": os.defpath + ":/usr/sbin:/sbin"}
    )


def test_loader_takes_a_flat_directory_from_our_cache(tmp_path: Path) -> None:
    found = closure(Root(), ["/bin/bash"])
    (tmp_path / "bin").mkdir()
    (tmp_path / "lib64").mkdir()
    (tmp_path / "etc").mkdir()
    shutil.copy("/bin/bash", tmp_path / "bin")
    for library in found.libraries:
        shutil.copy(library.real, tmp_path / "lib64" / library.name)
    (loader,) = found.loaders
    if not loader.looks_into("/lib64"):
        assert in_chroot(tmp_path, "/bin/bash", "-c", "echo hello").returncode == 127
    entries = [
        Entry(library.name, f"/lib64/{library.name}", library.cache_flags)
        for library in found.libraries
        if not library.interpreter
    ]
    (tmp_path / "etc/ld.so.cache").write_bytes(write(entries))
    done = in_chroot(tmp_path, "/bin/bash", "-c", "echo hello")
    assert (done.stdout, done.stderr, done.returncode) == ("hello\n", "", 0)
    inside = closure(Root(str(tmp_path)), ["/bin/bash"])
    assert {library.path for library in inside.libraries} == {f"/lib64/{library.name}" for library in found.libraries}
    listed = in_chroot(tmp_path, "/lib64/ld-linux-x86-64.so.2", "--list", "/bin/bash").stdout
    assert "libc.so.6 => /lib64/libc.so.6" in listed
