"""Programs and libraries of one line each, compiled where they are wanted, and the real loader as their judge."""

from __future__ import annotations

import os
import posixpath
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from scratchbuild.ldso.closure import closure
from scratchbuild.root import Root

if TYPE_CHECKING:
    from pathlib import Path

    from scratchbuild.ldso.result import Closure

LOADER = "/lib64/ld-linux-x86-64.so.2"


class Workshop:
    """A folder in which C files of one line become libraries and programs.

    A library `x` has a function `x()` that calls those of the libraries it needs and adds its `value`; a program
    returns the sum of what it calls.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def path(self, name: str) -> str:
        """Return the absolute path of a name in the folder."""
        return posixpath.join(self.folder, name)

    def library(self, path: str, needs: tuple[str, ...] = (), options: tuple[str, ...] = (), value: int = 1) -> str:
        """Make the library `path` (`a/libx.so.1`, function `x`), needing other libraries by their paths here."""
        name = _function(path)
        body = " + ".join([str(value), *(f"{_function(need)}()" for need in needs)])
        declared = "".join(f"int {_function(need)}(void);" for need in needs)
        source = f"{declared} int {name}(void) {{ return {body}; }}\n"
        soname = f"-Wl,-soname,{posixpath.basename(path)}"
        return self._compile(path, source, needs, ("-shared", "-fPIC", soname, *options))

    def program(self, path: str, needs: tuple[str, ...] = (), options: tuple[str, ...] = (), cc: str = "gcc") -> str:
        """Make the program `path`, needing libraries by their paths here."""
        declared = "".join(f"int {_function(need)}(void);" for need in needs)
        body = " + ".join(["0", *(f"{_function(need)}()" for need in needs)])
        return self._compile(path, f"{declared} int main(void) {{ return {body}; }}\n", needs, options, cc)

    def _compile(
        self, path: str, source: str, needs: tuple[str, ...], options: tuple[str, ...], cc: str = "gcc"
    ) -> str:
        made = self.path(path)
        os.makedirs(posixpath.dirname(made), exist_ok=True)
        written = self.path(f"sources/{path.replace('/', '-')}.c")
        os.makedirs(posixpath.dirname(written), exist_ok=True)
        with open(written, "w", encoding="utf-8") as file:
            file.write(source)
        # What a library needs in turn is not to be found by the linker.
        command = [cc, written, "-o", made, *map(self.path, needs), "-Wl,--allow-shlib-undefined", *options]
        subprocess.run(command, check=True, cwd=self.folder)
        return made


def _function(path: str) -> str:
    return posixpath.basename(path).removeprefix("lib").partition(".so")[0]


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    """Return a workshop in a folder of the test's own."""
    return Workshop(tmp_path)


def listed(program: str, library_path: str = "") -> set[str] | None:
    """Return the paths that the real loader opens for a program's libraries, or None where it fails."""
    command = [LOADER, "--list", os.path.realpath(program)]
    environment = {"LD_LIBRARY_PATH": library_path} if library_path else {}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode or "not found" in done.stdout:
        return None
    return {match.group(1) for match in re.finditer(r"(?:=> |\t)(/.*) \(0x", done.stdout)}


def opened(found: Closure) -> set[str]:
    """Return the paths that a closure says the loader opens, spelt as they are in the image."""
    return {library.path for library in found.libraries if not library.interpreter}


class Judge:
    """The real loader, asked for what it would load; it runs no code of the program."""

    def finds(self, program: str, library_path: str = "") -> bool:
        """Whether the loader finds all that a program needs."""
        return listed(program, library_path) is not None

    def agrees(self, program: str, library_path: str = "") -> Closure:
        """Return the closure of a program, after it was seen to be what the real loader opens."""
        found = closure(Root(), [program], library_path=library_path)
        judged = listed(program, library_path)
        assert judged is not None
        assert opened(found) == {os.path.normpath(path) for path in judged if "/ld-linux" not in path}
        return found


@pytest.fixture(scope="session")
def judge() -> Judge:
    """Return the real loader as a judge."""
    if not os.path.exists(LOADER):
        pytest.skip(f"{LOADER} is not here to judge")
    return Judge()
