"""What the loader's rules speak of: an object in a process, a place to look in, and what became of each look."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.elf import Elf


class Place(NamedTuple):
    """A directory to look for a library in, and the rule that says so (`RUNPATH $ORIGIN/../lib of /opt/bin/x`).

    Where the directory is given relative to $ORIGIN, `origin_of` is the object whose $ORIGIN it is and `from_origin`
    what is behind it. An empty `directory` stands for one that nobody can look into; `problem` says why.
    """

    directory: str
    rule: str
    origin_of: str = ""
    from_origin: str = ""
    problem: str = ""


class Probe(NamedTuple):
    """A path that was looked at before the library was found, or in vain: by which rule, and what was there."""

    path: str
    rule: str
    outcome: str


class Loaded:
    """An object that a process has loaded: its path as the loader has it, the file, its facts, and its $ORIGIN.

    `parent` is who made the loader look for it, None for the program. `asked` is for what the program itself opens, so
    that nobody needs it though somebody loads it.
    """

    __slots__ = ("asked", "elf", "origin", "parent", "path", "real")

    def __init__(self, path: str, real: str, elf: Elf, origin: str) -> None:
        self.path = path
        self.real = real
        self.elf = elf
        self.origin = origin
        self.parent: Loaded | None = None
        self.asked = False

    def needers(self) -> Iterator[Loaded]:
        """Yield this object, then the one that needed it, and so on up to the program."""
        found: Loaded | None = self
        while found is not None:
            yield found
            found = found.parent

    def chain(self) -> tuple[str, ...]:
        """Return the paths from the program, or from what was asked for, down to this object."""
        paths = []
        for found in self.needers():
            paths.append(found.path)
            if found.asked:
                break
        return tuple(paths[::-1])


def program(path: str, real: str, elf: Elf) -> Loaded:
    """Return a program as the kernel starts it: its $ORIGIN is where the file is, not a link to it (proc(5), exe)."""
    return Loaded(path, real, elf, posixpath.dirname(real))


def library(path: str, real: str, elf: Elf) -> Loaded:
    """Return a library as it is found: its $ORIGIN is the directory it was found in, be it a link there or not."""
    return Loaded(path, real, elf, posixpath.dirname(path))
