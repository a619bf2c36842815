"""The libraries of a program are those that its loader would load, or the build says which are not there and why."""

# ruff: noqa: D102 -- a test's name is its sentence
from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.ldso.closure import closure
from scratchbuild.ldso.result import parse
from scratchbuild.root import Root

if TYPE_CHECKING:
    from pathlib import Path

    from scratchbuild.ldso.result import Closure, Library

pytestmark = pytest.mark.engine("gcc")

OLD_TAGS = "-Wl,--disable-new-dtags"
AB = "-Wl,-rpath,$ORIGIN/a:$ORIGIN/b"
# Recent linkers drop what a program does not call; older ones need to be told to keep it.
KEEP = "-Wl,--no-as-needed"


def by_name(found: Closure) -> dict[str, Library]:
    return {library.name: library for library in found.libraries}


def names(found: Closure) -> list[str]:
    return [library.name for library in found.libraries]


def error(*objects: str, **options: Any) -> str:
    with pytest.raises(ScratchbuildError) as caught:
        closure(Root(), objects, **options)
    return str(caught.value)


class TestRunpathAndRpath:
    """RUNPATH is for direct needs only, RPATH for all below, until something in the middle has a RUNPATH."""

    def make(self, workshop: Any) -> None:
        workshop.library("b/libb.so")
        workshop.library("a/liba.so", ("b/libb.so",))

    def test_library_that_another_needer_brings_in_is_found(self, workshop: Any, judge: Any) -> None:
        self.make(workshop)
        program = workshop.program("both", ("a/liba.so", "b/libb.so"), (AB, "-Wl,--enable-new-dtags"))
        found = by_name(judge.agrees(program))
        assert found["libb.so"].rule == f"RUNPATH $ORIGIN/b of {program}"
        assert found["libb.so"].needed_by == (program,)

    def test_runpath_of_the_program_is_not_for_what_its_libraries_need(self, workshop: Any, judge: Any) -> None:
        self.make(workshop)
        program = workshop.program("one", ("a/liba.so",), (AB, "-Wl,--enable-new-dtags"))
        assert not judge.finds(program)
        message = error(program)
        assert "library libb.so not found, needed by " + workshop.path("a/liba.so") in message
        assert f"{program} -> liba.so -> libb.so" in message
        assert "/usr/lib/libb.so: absent (default directory)" in message

    def test_rpath_of_the_program_is(self, workshop: Any, judge: Any) -> None:
        self.make(workshop)
        program = workshop.program("one", ("a/liba.so",), (AB, OLD_TAGS))
        found = by_name(judge.agrees(program))
        assert found["libb.so"].rule == f"RPATH $ORIGIN/b of {program}"
        assert found["libb.so"].needed_by == (program, workshop.path("a/liba.so"))
        assert [probe.path for probe in found["libb.so"].probes] == [workshop.path("a/libb.so")]

    @pytest.mark.engine("patchelf")
    def test_runpath_in_the_middle_ends_the_rpath(self, workshop: Any, judge: Any) -> None:
        self.make(workshop)
        program = workshop.program("one", ("a/liba.so",), (AB, OLD_TAGS))
        subprocess.run(["patchelf", "--set-rpath", "/nonexistent", workshop.path("a/liba.so")], check=True)
        assert not judge.finds(program)
        assert f"/nonexistent/libb.so: absent (RUNPATH /nonexistent of {workshop.path('a/liba.so')})" in error(program)


def test_libraries_come_in_the_order_in_which_the_loader_loads_them(workshop: Any, judge: Any) -> None:
    workshop.library("libd.so")
    workshop.library("libc1.so", ("libd.so",))
    workshop.library("libb1.so", ("libc1.so",))
    program = workshop.program("p", ("libb1.so", "libd.so"), ("-Wl,-rpath,$ORIGIN", OLD_TAGS))
    found = judge.agrees(program)
    assert names(found)[1:4] == ["libb1.so", "libd.so", "libc.so.6"]
    assert names(found)[4] == "libc1.so"


def test_nearer_needer_decides_where_a_library_comes_from(workshop: Any, judge: Any) -> None:
    for folder in ("deep", "near", "far"):
        workshop.library(f"{folder}/libx.so")
    workshop.library("lib/libdeep.so", ("deep/libx.so",), ("-Wl,-rpath,$ORIGIN/../deep",))
    workshop.library("lib/liba.so", ("lib/libdeep.so",), ("-Wl,-rpath,$ORIGIN",))
    workshop.library("lib/libb.so", ("near/libx.so",), ("-Wl,-rpath,$ORIGIN/../near",))
    workshop.library("lib/libc1.so", ("far/libx.so",), ("-Wl,-rpath,$ORIGIN/../far",))
    program = workshop.program("p", ("lib/liba.so", "lib/libb.so", "lib/libc1.so"), ("-Wl,-rpath,$ORIGIN/lib",))
    assert by_name(judge.agrees(program))["libx.so"].path == workshop.path("near/libx.so")


def test_rpath_beside_a_runpath_counts_for_nothing(workshop: Any, judge: Any) -> None:
    workshop.library("b/libb.so")
    workshop.library("libdir/liba.so", ("b/libb.so",))
    rpath = f"{workshop.path('libdir')}:{workshop.path('b')}"
    program = workshop.program("p", ("libdir/liba.so",), (f"-Wl,-rpath,{rpath}", OLD_TAGS))
    assert by_name(judge.agrees(program))["libb.so"].path == workshop.path("b/libb.so")
    with open(program, "rb") as file:
        data = file.read()
    # DT_DEBUG, which only a debugger misses, becomes a DT_RUNPATH of the same string, then RPATH of libb is no more.
    (rpath_entry,) = (data[place : place + 16] for place in range(0, len(data), 8) if is_rpath(data, place))
    changed = data.replace(bytes([21]) + bytes(15), bytes([29]) + bytes(7) + rpath_entry[8:], 1)
    assert changed != data
    with open(program, "wb") as file:
        file.write(changed)
    assert not judge.finds(program)
    assert "library libb.so not found" in error(program)


def is_rpath(data: bytes, place: int) -> bool:
    """Whether a dynamic entry DT_RPATH is there: the tag, a small number, and a tag after it that is one, too."""
    words = [int.from_bytes(data[place + step : place + step + 8], "little") for step in (0, 8, 16)]
    return words[0] == 15 and 0 < words[1] < 4096 and words[2] in {12, 25}


@pytest.mark.parametrize("token", ["$ORIGIN", "${ORIGIN}", "$ORIGIN/../lib", "$ORIGIN/sub/../../lib"])
def test_origin_is_the_folder_of_the_real_program(workshop: Any, judge: Any, token: str) -> None:
    target = "bin" if token.endswith(("N", "}")) else "lib"
    workshop.library(f"{target}/libx.so")
    os.makedirs(workshop.path("bin/sub"), exist_ok=True)
    program = workshop.program("bin/p", (f"{target}/libx.so",), (f"-Wl,-rpath,{token}",))
    found = by_name(judge.agrees(program))["libx.so"]
    assert found.path == workshop.path(f"{target}/libx.so")
    os.symlink(program, workshop.path("link"))
    linked = by_name(closure(Root(), [workshop.path("link")]))["libx.so"]
    assert linked.path == found.path
    assert linked.origin_of == program
    assert os.path.normpath(os.path.dirname(linked.origin_of) + linked.from_origin) == found.path


def test_origin_of_a_library_is_where_it_was_found_not_where_its_link_leads(workshop: Any, judge: Any) -> None:
    workshop.library("links/libdep.so")
    made = workshop.library("real/libtop.so", ("links/libdep.so",), ("-Wl,-rpath,$ORIGIN",))
    os.symlink(made, workshop.path("links/libtop.so"))
    program = workshop.program("p", ("links/libtop.so",), ("-Wl,-rpath,$ORIGIN/links",))
    found = by_name(judge.agrees(program))
    assert found["libdep.so"].path == workshop.path("links/libdep.so")
    assert found["libtop.so"].real == made


def test_dot_dot_behind_a_link_goes_where_the_kernel_goes(workshop: Any) -> None:
    workshop.library("deep/lib/libx.so")
    os.makedirs(workshop.path("deep/bin"))
    os.symlink("deep/bin", workshop.path("bin"))
    program = workshop.program("p", ("deep/lib/libx.so",), (f"-Wl,-rpath,{workshop.path('bin')}/../lib",))
    assert by_name(closure(Root(), [program]))["libx.so"].path == workshop.path("deep/lib/libx.so")


@pytest.mark.parametrize("token", ["LIB", "PLATFORM"])
def test_lib_and_platform_are_the_loaders(workshop: Any, judge: Any, token: str) -> None:
    value = {"LIB": "lib/x86_64-linux-gnu", "PLATFORM": "x86_64"}[token]
    for folder in (value, "lib64", "lib"):
        workshop.library(f"{folder}/libx.so")
    program = workshop.program("p", ("lib/libx.so",), (f"-Wl,-rpath,$ORIGIN/${token}:$ORIGIN/lib64",))
    judge.agrees(program)


def test_unknown_token_stays_and_half_a_token_is_none(workshop: Any, judge: Any) -> None:
    workshop.library("$OTHER/libx.so")
    workshop.library("$ORIGINAL/liby.so")
    paths = ":".join(workshop.path(name) for name in ("$OTHER", "$ORIGINAL"))
    judge.agrees(workshop.program("p", ("$OTHER/libx.so", "$ORIGINAL/liby.so"), (f"-Wl,-rpath,{paths}",)))


@pytest.mark.engine("patchelf")
def test_needed_by_path_is_looked_for_nowhere_else(workshop: Any, judge: Any) -> None:
    made = workshop.library("x/libx.so")
    program = workshop.program("p", ("x/libx.so",), ("-Wl,-rpath,$ORIGIN/x",))
    subprocess.run(["patchelf", "--replace-needed", "libx.so", made, program], check=True)
    assert by_name(judge.agrees(program))[made].rule == f"path in DT_NEEDED of {program}"
    subprocess.run(["patchelf", "--replace-needed", made, "$ORIGIN/x/libx.so", program], check=True)
    found = by_name(judge.agrees(program))["$ORIGIN/x/libx.so"]
    assert (found.path, found.from_origin) == (made, "/x/libx.so")
    subprocess.run(["patchelf", "--replace-needed", "$ORIGIN/x/libx.so", "/nowhere/libx.so", program], check=True)
    assert not judge.finds(program)
    assert "/nowhere/libx.so: absent" in error(program)


def test_library_path_of_the_image_comes_between_rpath_and_runpath(workshop: Any, judge: Any) -> None:
    for folder in ("own", "env"):
        workshop.library(f"{folder}/libx.so")
    env = workshop.path("env")
    for options, folder in ((("-Wl,--enable-new-dtags",), "env"), ((OLD_TAGS,), "own")):
        program = workshop.program(f"p-{folder}", ("own/libx.so",), ("-Wl,-rpath,$ORIGIN/own", *options))
        assert by_name(judge.agrees(program, env))["libx.so"].path == workshop.path(f"{folder}/libx.so")


def test_shells_library_path_decides_nothing_and_is_told_of(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.library("lib/libf5.so")
    program = workshop.program("p", ("lib/libf5.so",))
    folder = workshop.path("lib")
    monkeypatch.setenv("LD_LIBRARY_PATH", folder)
    monkeypatch.setenv("LD_PRELOAD", "")
    assert "LD_LIBRARY_PATH" not in error(program)
    message = error(program, shell_library_path=folder)
    assert f"Your shell's LD_LIBRARY_PATH ({folder}) does not count" in message
    assert f"{folder}/libf5.so is there" in message
    assert by_name(closure(Root(), [program], library_path=folder))["libf5.so"].rule == f"LD_LIBRARY_PATH {folder}"


def test_program_without_section_headers_has_the_same_closure(workshop: Any) -> None:
    workshop.library("libx.so")
    program = workshop.program("p", ("libx.so",), ("-Wl,-rpath,$ORIGIN",))
    before = closure(Root(), [program])
    with open(program, "r+b") as file:
        file.seek(40)
        file.write(bytes(8))
        file.seek(58)
        file.write(bytes(6))
    assert closure(Root(), [program]) == before


def test_same_name_in_two_programs_is_two_files(workshop: Any) -> None:
    programs = []
    for number in (1, 2):
        workshop.library(f"p{number}/lib/libsame.so.1", value=number)
        options = ("-Wl,-rpath,$ORIGIN/lib",)
        programs.append(workshop.program(f"p{number}/p", (f"p{number}/lib/libsame.so.1",), options))
    found = [library for library in closure(Root(), programs).libraries if library.name == "libsame.so.1"]
    assert [library.path for library in found] == [workshop.path(f"p{number}/lib/libsame.so.1") for number in (1, 2)]
    assert [library.needed_by for library in found] == [(program,) for program in programs]


@pytest.mark.engine("patchelf")
def test_one_file_by_two_names_keeps_both_paths(workshop: Any, judge: Any) -> None:
    made = workshop.library("libx.so.1")
    os.link(made, workshop.path("liby.so.1"))
    os.symlink("libx.so.1", workshop.path("libz.so.1"))
    program = workshop.program("p", ("libx.so.1",), ("-Wl,-rpath,$ORIGIN",))
    # Each goes before those that are needed already, so that libx.so.1 comes last and is loaded by then.
    for name in ("liby.so.1", "libz.so.1"):
        subprocess.run(["patchelf", "--add-needed", name, program], check=True)
    found = by_name(closure(Root(), [program]))
    assert "libx.so.1" not in found
    assert [found[f"lib{letter}.so.1"].path for letter in "yz"] == [
        workshop.path(f"lib{letter}.so.1") for letter in "yz"
    ]
    assert found["libz.so.1"].real == made
    assert judge.finds(program)
    os.unlink(workshop.path("liby.so.1"))
    assert not judge.finds(program)


@pytest.mark.engine("patchelf")
def test_soname_that_is_loaded_is_not_looked_for_again(workshop: Any, judge: Any) -> None:
    made = workshop.library("other/libname.so.1", options=("-Wl,-soname,libreal.so.1",))
    assert made
    workshop.library("a/liba.so")
    program = workshop.program("p", ("a/liba.so",), ("-Wl,-rpath,$ORIGIN/a:$ORIGIN/other",))
    # liba, loaded after libname.so.1, needs what that calls itself; no file has that name.
    subprocess.run(["patchelf", "--add-needed", "libname.so.1", program], check=True)
    subprocess.run(["patchelf", "--add-needed", "libreal.so.1", workshop.path("a/liba.so")], check=True)
    assert "libreal.so.1" not in names(judge.agrees(program))


class TestOtherMachines:
    """A library for another class or machine is passed over; what is no library at all ends the search."""

    def test_library_of_another_machine_is_passed_over(self, workshop: Any, judge: Any) -> None:
        other = workshop.library("other/libx.so")
        with open(other, "r+b") as file:
            file.seek(18)
            file.write(b"\xb7")
        workshop.library("good/libx.so")
        program = workshop.program("p", ("good/libx.so",), ("-Wl,-rpath,$ORIGIN/other:$ORIGIN/good",))
        found = by_name(judge.agrees(program))["libx.so"]
        assert found.path == workshop.path("good/libx.so")
        assert [probe.outcome for probe in found.probes] == ["for AArch64, wanted is x86-64"]

    def test_text_in_a_librarys_place_stops_the_loader(self, workshop: Any, judge: Any) -> None:
        workshop.library("good/libx.so")
        os.makedirs(workshop.path("bad"))
        with open(workshop.path("bad/libx.so"), "w", encoding="utf-8") as file:
            file.write("GROUP ( /lib/libx.so.1 )                                                          ")
        program = workshop.program("p", ("good/libx.so",), ("-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good",))
        assert not judge.finds(program)
        assert f"library libx.so: the loader stops at {workshop.path('bad/libx.so')} (not an ELF file" in error(program)

    def test_program_in_a_librarys_place_stops_the_loader(self, workshop: Any, judge: Any) -> None:
        workshop.library("good/libx.so")
        shutil.copy(workshop.program("other"), workshop.path("libx.so"))
        program = workshop.program("p", ("good/libx.so",), ("-Wl,-rpath,$ORIGIN:$ORIGIN/good",))
        assert not judge.finds(program)
        assert "(a program, not a library)" in error(program)

    def test_directory_in_a_librarys_place_stops_the_loader(self, workshop: Any, judge: Any) -> None:
        workshop.library("good/libx.so")
        os.makedirs(workshop.path("bad/libx.so"))
        program = workshop.program("p", ("good/libx.so",), ("-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good",))
        assert not judge.finds(program)
        assert "(a directory)" in error(program)

    def test_32_bit_program_gets_32_bit_libraries(self, workshop: Any) -> None:
        try:
            program = workshop.program("p", (), ("-m32",))
        except subprocess.CalledProcessError:
            pytest.skip("gcc makes no 32-bit programs here: install gcc-multilib")
        both = closure(Root(), [program, "/bin/ls"])
        found = {library.path: library for library in both.libraries}
        assert found["/lib/ld-linux.so.2"].interpreter
        assert found["/lib/ld-linux.so.2"].architecture == "386"
        libc = [library for library in both.libraries if library.name == "libc.so.6"]
        assert sorted(library.architecture for library in libc) == ["386", "amd64"]
        assert libc[0].real != libc[1].real
        assert len(both.loaders) == 2
        listing = subprocess.run(["/lib/ld-linux.so.2", "--list", program], capture_output=True, text=True, check=True)
        assert f"=> {libc[0].path} (" in listing.stdout


@pytest.mark.engine("musl-gcc")
class TestMusl:
    """musl's loader is its C library, and has rules of its own."""

    def test_c_library_is_the_loader_itself(self, workshop: Any) -> None:
        program = workshop.program("p", cc="musl-gcc")
        found = closure(Root(), [program])
        assert [library.name for library in found.libraries] == ["ld-musl-x86_64.so.1"]
        assert found.loaders[0].family == "musl"
        assert found.loaders[0].directories

    def test_own_library_is_found_by_runpath_at_any_depth(self, workshop: Any) -> None:
        workshop.library("lib/libdeep.so", options=("-nostdlib",))
        workshop.library("lib/libx.so", ("lib/libdeep.so",), ("-nostdlib",))
        options = ("-Wl,-rpath,$ORIGIN/lib", "-Wl,--enable-new-dtags")
        program = workshop.program("p", ("lib/libx.so",), options, cc="musl-gcc")
        loader = "/lib/ld-musl-x86_64.so.1"
        done = subprocess.run([loader, "--list", program], capture_output=True, text=True, check=True)
        found = by_name(closure(Root(), [program]))
        for name in ("libx.so", "libdeep.so"):
            assert found[name].path == workshop.path(f"lib/{name}")
            assert f"{name} => {found[name].path}" in done.stdout

    def test_path_file_beside_the_loader_lists_the_directories(self, workshop: Any, tmp_path: Path) -> None:
        workshop.library("root/opt/libx.so", options=("-nostdlib",))
        workshop.program("root/bin/p", ("root/opt/libx.so",), cc="musl-gcc")
        root = tmp_path / "root"
        (root / "lib").mkdir()
        shutil.copy("/lib/ld-musl-x86_64.so.1", root / "lib")
        with pytest.raises(ScratchbuildError, match=r"/usr/local/lib/libx\.so: absent"):
            closure(Root(str(root)), ["/bin/p"])
        (root / "etc").mkdir()
        (root / "etc/ld-musl-x86_64.path").write_text("/nosuch:/opt\n")
        assert by_name(closure(Root(str(root)), ["/bin/p"]))["libx.so"].path == "/opt/libx.so"


class TestInterpreter:
    """A program's interpreter is packed by the name that the program calls it by; static programs have none."""

    def test_program_that_needs_nothing_still_needs_its_interpreter(self, workshop: Any) -> None:
        source = "void _start(void) { for (;;) ; }"
        with open(workshop.path("s.c"), "w", encoding="utf-8") as file:
            file.write(source)
        command = ["gcc", "-nostdlib", "-pie", "-fPIE", "s.c", "-o", "s"]
        subprocess.run([*command, "-Wl,-dynamic-linker,/lib64/ld-linux-x86-64.so.2"], cwd=workshop.folder, check=True)
        found = closure(Root(), [workshop.path("s")])
        assert [library.path for library in found.libraries] == ["/lib64/ld-linux-x86-64.so.2"]
        assert found.libraries[0].interpreter

    @pytest.mark.parametrize("options", [("-static",), ("-static-pie", "-fPIE")])
    def test_static_program_needs_nothing(self, workshop: Any, options: tuple[str, ...]) -> None:
        assert closure(Root(), [workshop.program("p", (), options)]) == ((), (), ())

    @pytest.mark.parametrize(
        ("path", "package"), [("/lib/ld-musl-x.so.1", "musl for amd64"), ("/lib/ld-x.so", "glibc for")]
    )
    def test_missing_interpreter_names_the_package_it_comes_with(self, workshop: Any, path: str, package: str) -> None:
        program = workshop.program("p", (), (f"-Wl,-dynamic-linker,{path}",))
        message = error(program)
        assert f"the interpreter {path} of {program} is not usable: absent" in message
        assert package in message

    def test_interpreter_of_another_machine_is_refused(self, workshop: Any) -> None:
        other = workshop.path("ld.so")
        shutil.copy("/lib64/ld-linux-x86-64.so.2", other)
        with open(other, "r+b") as file:
            file.seek(18)
            file.write(b"\xb7")
        program = workshop.program("p", (), (f"-Wl,-dynamic-linker,{other}",))
        assert "it is 64-bit little-endian AArch64, the program 64-bit little-endian x86-64" in error(program)


class TestMissing:
    """A missing library is told with all that helps to find it, and all missing ones at once."""

    def test_chain_of_needers_places_and_near_names(self, workshop: Any) -> None:
        workshop.library("lib/libabsent.so.1")
        workshop.library("lib/libalso.so.1")
        options = ("-Wl,-rpath,$ORIGIN",)
        workshop.library("lib/libmid.so", ("lib/libabsent.so.1",), options)
        workshop.library("lib/libtop.so", ("lib/libmid.so",), options)
        program = workshop.program("p", ("lib/libtop.so", "lib/libalso.so.1"), ("-Wl,-rpath,$ORIGIN/lib",))
        for name in ("absent", "also"):
            os.rename(workshop.path(f"lib/lib{name}.so.1"), workshop.path(f"lib/lib{name}.so.2"))
        with pytest.raises(SeveralErrors) as caught:
            closure(Root(), [program])
        messages = {str(single).split()[1]: str(single) for single in caught.value.errors}
        assert set(messages) == {"libabsent.so.1", "libalso.so.1"}
        message = messages["libabsent.so.1"]
        assert f"{program} -> libtop.so -> libmid.so -> libabsent.so.1" in message
        mid = workshop.path("lib/libmid.so")
        assert f"{workshop.path('lib/libabsent.so.1')}: absent (RUNPATH $ORIGIN of {mid})" in message
        assert "/etc/ld.so.cache: does not list libabsent.so.1" in message
        assert f"Did you mean {workshop.path('lib/libabsent.so.2')}?" in message

    def test_mistyped_program_and_files_that_are_none_are_all_told(self, tmp_path: Path) -> None:
        (tmp_path / "text").write_text("hello")
        message = error("/usr/bin/bahs", str(tmp_path / "text"), str(tmp_path))
        assert "cannot read /usr/bin/bahs: nothing is there\n  Did you mean /usr/bin/bash" in message
        assert "text: not an ELF file" in message
        assert f"cannot pack {tmp_path}: a directory" in message

    def test_loop_of_links_is_told(self, tmp_path: Path) -> None:
        os.symlink("loop", tmp_path / "loop")
        assert "too many links" in error(str(tmp_path / "loop"))

    def test_directory_that_only_ldconfig_knows_is_named(self, workshop: Any, tmp_path: Path) -> None:
        workshop.library("root/opt/libx.so")
        workshop.program("root/bin/p", ("root/opt/libx.so",), ("-nostdlib", "-Wl,-e,main"))
        root = tmp_path / "root"
        (root / "lib64").mkdir()
        shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
        (root / "etc").mkdir()
        (root / "etc/ld.so.conf").write_text("/opt\n")
        with pytest.raises(ScratchbuildError) as caught:
            closure(Root(str(root)), ["/bin/p"])
        message = str(caught.value)
        assert "/etc/ld.so.cache: absent" in message
        assert "/opt, which /etc/ld.so.conf lists, has it and /etc/ld.so.cache does not: run ldconfig." in message


class TestAlone:
    """A shared object packed without a program is closed over, and extra libraries are as dlopen(3) finds them."""

    def test_lone_library_brings_its_libraries_and_a_note_about_its_loader(self, workshop: Any) -> None:
        workshop.library("libdep.so")
        made = workshop.library("libx.so", ("libdep.so",), ("-Wl,-rpath,$ORIGIN",))
        found = closure(Root(), [made])
        assert names(found) == ["libdep.so", "libc.so.6"] or names(found) == ["libdep.so"]
        assert not any(library.interpreter for library in found.libraries)
        (note,) = found.notes
        assert f"{made} is packed without a program: its loader (/lib64/ld-linux-x86-64.so.2) is left to" in note

    def test_lone_library_beside_a_program_has_that_programs_loader(self, workshop: Any) -> None:
        made = workshop.library("libx.so")
        assert closure(Root(), [made, "/bin/ls"]).notes == ()

    def test_extra_library_by_soname_comes_with_its_closure(self, workshop: Any) -> None:
        workshop.library("lib/libdeep.so")
        workshop.library("lib/libplugin.so", ("lib/libdeep.so",))
        program = workshop.program("p", (), ("-Wl,-rpath,$ORIGIN/lib", OLD_TAGS))
        found = by_name(closure(Root(), [program], extra=["libplugin.so"]))
        assert found["libplugin.so"].needed_by == ()
        assert found["libplugin.so"].rule == f"RPATH $ORIGIN/lib of {program}"
        assert found["libdeep.so"].needed_by == (workshop.path("lib/libplugin.so"),)

    def test_extra_library_by_path(self, workshop: Any) -> None:
        made = workshop.library("libplugin.so")
        found = {library.path: library for library in closure(Root(), ["/bin/ls"], extra=[made]).libraries}
        assert found[made].rule == "path asked for"
        assert made in [library.path for library in closure(Root(), [], extra=[made]).libraries]

    def test_extra_library_that_is_nowhere_is_an_error(self) -> None:
        assert "library libnosuch.so.9 not found" in error("/bin/ls", extra=["libnosuch.so.9"])
        assert "no program here tells for which machine it is" in error(extra=["libnosuch.so.9"])

    def test_one_program_that_finds_an_extra_library_is_enough(self, workshop: Any) -> None:
        workshop.library("lib/libplugin.so")
        program = workshop.program("p", (), ("-Wl,-rpath,$ORIGIN/lib",))
        assert "libplugin.so" in names(closure(Root(), ["/bin/ls", program], extra=["libplugin.so"]))


def test_object_linked_without_default_directories_has_none(workshop: Any, judge: Any) -> None:
    program = workshop.program("p", (), ("-Wl,-z,nodefaultlib",))
    assert not judge.finds(program)
    assert "which the needer does not want (DF_1_NODEFLIB)" in error(program)


def test_relative_directory_is_never_looked_into(workshop: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    workshop.library("lib/libx.so")
    program = workshop.program("p", ("lib/libx.so",), ("-Wl,-rpath,lib:",))
    monkeypatch.chdir(workshop.folder)
    message = error(program)
    assert f"RUNPATH lib of {program}: relative to the directory that the program is started in" in message


def test_packed_program_is_noted(workshop: Any) -> None:
    program = workshop.program("p", (), ("-static",))
    with open(program, "r+b") as file:
        header = file.read(64)
        file.seek(64 + 56 * int.from_bytes(header[56:58], "little") + 4)
        file.write(b"UPX!")
    assert closure(Root(), [program]).notes == (f"{program} is packed with UPX: what it needs cannot be seen.",)


class Listener:
    """A witness that keeps what it is told."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.contents: set[str] = set()

    def saw(self, path: str) -> None:
        """Keep a path that was looked at."""
        self.seen.add(path)

    def read(self, path: str, descriptor: int, status: os.stat_result) -> None:
        """Keep the path of a file that was read."""
        del descriptor, status
        self.contents.add(path)

    def listed(self, path: str, names: list[str], status: os.stat_result) -> None:
        """Fail: nothing is listed when all is found."""
        raise AssertionError(path, names, status)


def test_places_looked_into_in_vain_are_told_to_the_witness_too(workshop: Any) -> None:
    made = workshop.library("b/libx.so")
    program = workshop.program("p", ("b/libx.so",), ("-Wl,-rpath,$ORIGIN/a:$ORIGIN/b",))
    os.makedirs(workshop.path("a"))
    listener = Listener()
    closure(Root(witness=listener), [program])
    assert {workshop.path("a/libx.so"), made, program} <= listener.seen
    assert {made, program, "/etc/ld.so.cache", os.path.realpath("/lib64/ld-linux-x86-64.so.2")} <= listener.contents


def test_nothing_outside_a_root_is_looked_at(workshop: Any, tmp_path: Path) -> None:
    workshop.library("root/opt/libx.so")
    workshop.program(
        "root/opt/p", ("root/opt/libx.so",), ("-Wl,-rpath,$ORIGIN/../../../..:/opt", "-nostdlib", "-Wl,-e,main")
    )
    root = tmp_path / "root"
    (root / "lib64").mkdir()
    shutil.copy("/lib64/ld-linux-x86-64.so.2", root / "lib64")
    os.symlink("/../../opt/p", root / "link")
    listener = Listener()
    found = closure(Root(str(root), listener), ["/link"])
    assert by_name(found)["libx.so"].path == "/opt/libx.so"
    assert all(path == str(root) or path.startswith(f"{root}/") for path in listener.seen | listener.contents)


def test_closure_survives_json(workshop: Any) -> None:
    workshop.library("b/libx.so")
    program = workshop.program("p", ("b/libx.so",), ("-Wl,-rpath,$ORIGIN/a:$ORIGIN/b",))
    found = closure(Root(), [program])
    assert parse(json.loads(json.dumps(found.document()))) == found


def test_same_answer_in_any_order_and_twice_from_one_root(workshop: Any) -> None:
    root = Root()
    one = closure(root, ["/bin/ls", "/bin/bash"])
    assert closure(root, ["/bin/ls", "/bin/bash"]) == one
    other = closure(Root(), ["/bin/bash", "/bin/ls"])
    assert {library.path for library in one.libraries} == {library.path for library in other.libraries}
    assert workshop
