"""Libraries that are missing, or that want a path that something else has."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Compile = Callable[..., None]

LOADER = "/lib64/ld-linux-x86-64.so.2"
DEFAULT_PLACES = (
    "    /lib/x86_64-linux-gnu/{0}: absent (default directory)\n"
    "    /usr/lib/x86_64-linux-gnu/{0}: absent (default directory)\n"
    "    /lib/{0}: absent (default directory)\n"
    "    /usr/lib/{0}: absent (default directory)\n"
)


@pytest.fixture
def src(project: Any) -> Path:
    """The project's folder of sources."""
    folder: Path = project.src
    return folder


@pytest.fixture
def library(src: Path) -> Compile:
    """Make a library of one function without the C library; the arguments are what it is linked with."""

    def make(path: str, *arguments: str) -> None:
        target = src / path
        target.parent.mkdir(parents=True, exist_ok=True)
        function = target.name.partition(".")[0]
        (src / "l.c").write_text(f"int {function}(void) {{ return 1; }}\n", encoding="utf-8")
        options = ["-shared", "-nostdlib", "-fPIC", f"-Wl,-soname,{target.name}", "-Wl,--no-as-needed"]
        subprocess.run(["gcc", *options, "l.c", "-o", path, *arguments], cwd=src, check=True)

    return make


@pytest.fixture
def program(src: Path) -> Compile:
    """Make a program without the C library; the arguments are what it is linked with."""

    def make(path: str, *arguments: str) -> None:
        (src / "p.c").write_text("void _start(void) { __builtin_trap(); }\n", encoding="utf-8")
        options = ["-nostdlib", "-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all"]
        subprocess.run(["gcc", *options, "p.c", "-o", path, *arguments], cwd=src, check=True)

    return make


def looked(name: str, first: str = "") -> str:
    """Return the places where Debian's loader looks for a library."""
    return (
        "  looked at, in the loader's order:\n"
        f"{first}    /etc/ld.so.cache: does not list {name} (ld.so.cache)\n"
        f"{DEFAULT_PLACES.format(name)}"
        f"  Install the package that has {name}, or link with -Wl,-rpath to the directory that has it.\n"
    )


def test_missing_library_is_told_with_the_chain_of_its_needers_and_the_places_looked_in(
    project: Any, library: Compile, program: Compile
) -> None:
    library("lib/libabsent.so.1")
    library("lib/libmiddle.so.1", "lib/libabsent.so.1")
    program("app", "lib/libmiddle.so.1", "-Wl,-rpath,$ORIGIN/lib")
    (project.src / "lib" / "libabsent.so.1").unlink()
    project.refuses(
        'binaries = ["../src/hello", "../src/app"]\n',
        "error: configs/hello.toml: binaries[1]: library libabsent.so.1 not found, needed by src/lib/libmiddle.so.1\n"
        "  needed through: src/app -> libmiddle.so.1 -> libabsent.so.1\n" + looked("libabsent.so.1"),
    )


def test_every_missing_library_is_told_at_once(project: Any, library: Compile, program: Compile) -> None:
    library("lib/libnoneone.so")
    library("lib/libnonetwo.so")
    program("app", "lib/libnoneone.so", "lib/libnonetwo.so")
    program("other", "lib/libnonetwo.so", "-Wl,-rpath,$ORIGIN/here")
    for path in (project.src / "lib").iterdir():
        path.unlink()
    project.refuses(
        'binaries = ["../src/app", "../src/other"]\n',
        "error: configs/hello.toml: binaries[0]: library libnoneone.so not found, needed by src/app\n"
        "  needed through: src/app -> libnoneone.so\n"
        + looked("libnoneone.so")
        + "error: configs/hello.toml: binaries[0]: library libnonetwo.so not found, needed by src/app\n"
        "  needed through: src/app -> libnonetwo.so\n"
        + looked("libnonetwo.so")
        + "error: configs/hello.toml: binaries[1]: library libnonetwo.so not found, needed by src/other\n"
        "  needed through: src/other -> libnonetwo.so\n"
        + looked("libnonetwo.so", "    src/here/libnonetwo.so: absent (RUNPATH $ORIGIN/here of src/other)\n"),
    )


def test_library_path_of_the_shell_does_not_count_and_the_error_says_so(
    project: Any, library: Compile, program: Compile
) -> None:
    library("lib/libshell.so")
    program("app", "lib/libshell.so")
    project.define('binaries = ["../src/app"]\n')
    run = project.doit("build", env={"LD_LIBRARY_PATH": str(project.src / "lib")})
    assert run.status == 2
    assert (
        f"  Your shell's LD_LIBRARY_PATH ({project.src}/lib) does not count: nobody sets it in the image. "
        "src/lib/libshell.so is there: link the program with a RUNPATH to it, or set "
        f'env = {{ LD_LIBRARY_PATH = "{project.src}/lib" }} in the definition.\n'
    ) in run.err
    project.assert_last_good()


def test_library_asked_for_that_is_nowhere_names_its_key(project: Any, program: Compile) -> None:
    program("app", f"-Wl,-dynamic-linker,{LOADER}", "-pie", "-fPIE")
    project.refuses(
        'binaries = ["../src/app"]\nlibraries = ["libnowhere.so.9"]\n',
        "error: configs/hello.toml: libraries[0]: library libnowhere.so.9 not found\n" + looked("libnowhere.so.9"),
    )


def test_program_whose_loader_is_missing_is_told(project: Any, program: Compile) -> None:
    program("app", "-Wl,-dynamic-linker,/opt/ld.so.7", "-pie", "-fPIE")
    project.refuses(
        'binaries = ["../src/app"]\n',
        "error: configs/hello.toml: binaries[0]: the interpreter /opt/ld.so.7 of src/app is not usable: absent\n"
        "  It comes with glibc for amd64 (package libc6 on Debian, glibc on Fedora); "
        "or link the program statically.\n",
    )


@pytest.mark.parametrize("options", [("-static",), ("-static-pie",)], ids=["static", "static-pie"])
def test_static_program_needs_no_loader_and_gets_none(project: Any, program: Compile, options: tuple[str, ...]) -> None:
    program("app", *options)
    project.define('binaries = ["../src/app"]\n')
    assert project.doit("build").err == ""
    assert paths(project) == ["/bin", "/bin/app"]


def test_program_with_a_loader_and_no_library_gets_its_loader_at_the_path_that_it_names(
    project: Any, program: Compile
) -> None:
    program("app", f"-Wl,-dynamic-linker,{LOADER}", "-pie", "-fPIE", "-Wl,--no-dynamic-linker", f"-Wl,-I{LOADER}")
    project.define('binaries = ["../src/app"]\n')
    assert project.doit("build").err == ""
    loader = project.cache / "hello" / "rootfs" / LOADER[1:]
    assert loader.is_symlink() or loader.is_file()
    assert loader.resolve().is_relative_to(project.cache)
    assert loader.resolve().is_file()


def paths(project: Any) -> list[str]:
    """Return all paths of the staged image."""
    root = project.cache / "hello" / "rootfs"
    return sorted("/" + str(path.relative_to(root)) for path in root.rglob("*"))


def test_lone_library_is_packed_with_a_note_that_its_loader_is_missing(project: Any, library: Compile) -> None:
    library("libalone.so")
    project.define('binaries = ["../src/hello", { source = "../src/libalone.so", target = "/lib/libalone.so" }]\n')
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    assert "note: hello: " in run.out
    assert "libalone.so" in run.out.partition("note: hello: ")[2].partition("\n")[0]


class TestTwoLibrariesOfOneName:
    """Each program finds its own beside itself."""

    @pytest.fixture(autouse=True)
    def both(self, library: Compile, program: Compile, src: Path) -> None:
        """Two programs in folders of their own, each with its own libsame.so.1."""
        for folder in ("one", "two"):
            library(f"{folder}/lib/libsame.so.1")
            program(f"{folder}/app", f"{folder}/lib/libsame.so.1", "-Wl,-rpath,$ORIGIN/lib")
        with (src / "two" / "lib" / "libsame.so.1").open("ab") as file:
            file.write(b"another")

    def test_are_both_packed_where_each_program_looks(self, project: Any) -> None:
        """The layout of the host."""
        project.define(
            'binaries = [{ source = "../src/one/app", target = "/one/app" }, '
            '{ source = "../src/two/app", target = "/two/app" }]\n'
        )
        assert project.doit("build").err == ""
        found = [path for path in paths(project) if path.endswith("libsame.so.1")]
        assert found == ["/one/lib/libsame.so.1", "/two/lib/libsame.so.1"]
        root = project.cache / "hello" / "rootfs"
        for path in found:
            assert (root / path[1:]).read_bytes() == (project.src / path[1:]).read_bytes()

    def test_in_a_flat_layout_are_an_error_that_names_both_and_their_needers(self, project: Any) -> None:
        """One directory can hold one of them only."""
        project.refuses(
            'binaries = [{ source = "../src/one/app", target = "/one/app" }, '
            '{ source = "../src/two/app", target = "/two/app" }]\nlibraries = { layout = "/lib64" }\n',
            "error: configs/hello.toml: libraries.layout: two libraries would be /lib64/libsame.so.1: "
            "src/one/lib/libsame.so.1, which src/one/app needs, "
            "and src/two/lib/libsame.so.1, which src/two/app needs\n"
            '  Use layout = "host": each library then keeps its own place.\n',
        )


@pytest.mark.parametrize(
    ("line", "two"),
    [
        (
            'files = [{ target = "/bin/lib/libf.so", content = "x" }]\n',
            "a file with its own content of mode 0644 (files[0]), and a file from src/lib/libf.so of mode 0755",
        ),
        (
            'directories = ["/bin/lib/libf.so"]\n',
            "a directory (directories[0]), and a file from src/lib/libf.so",
        ),
    ],
    ids=["a file", "a directory"],
)
def test_library_against_an_entry_of_the_definition_is_told_with_both(
    project: Any, library: Compile, program: Compile, line: str, two: str
) -> None:
    library("lib/libf.so")
    program("app", "lib/libf.so", "-Wl,-rpath,$ORIGIN/lib")
    project.refuses(
        f'binaries = ["../src/app"]\n{line}',
        f"error: configs/hello.toml: two entries want /bin/lib/libf.so: {two} "
        "(needed by src/app; found by RUNPATH $ORIGIN/lib of src/app)\n"
        "  Give one of them another target, or leave it out.\n",
    )
