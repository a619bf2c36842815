"""Where musl's ld-musl-ARCH.so.1 looks for a library (load_library in musl's ldso/dynlink.c).

LD_LIBRARY_PATH comes first, then the RPATH or RUNPATH (no difference is made) of the needer and of all who needed it,
then the path file or, without one, three directories. No cache, no $LIB or $PLATFORM; a file that is there is taken.
"""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Final

from scratchbuild.ldso import paths
from scratchbuild.ldso.loaded import Place

if TYPE_CHECKING:
    from scratchbuild.elf import Elf
    from scratchbuild.ldso.loaded import Loaded
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.ldso.look import Seen
    from scratchbuild.root import Root

_DIRECTORIES: Final = ("/lib", "/usr/local/lib", "/usr/lib")
_MOST_PATH_BYTES: Final = 1 << 20
# libc.so, libpthread.so.0 and the like are all in the loader's own file.
_ORIGIN: Final = re.compile(r"\$(?:ORIGIN|\{ORIGIN\})")
_OWN_NAMES: Final = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\.")


def directories(root: Root, interpreter: str) -> tuple[str, ...]:
    """Return the directories that the path file of an interpreter lists, or musl's own where it is absent.

    For /opt/musl/lib/ld-musl-ARCH.so.1 the file is /opt/musl/etc/ld-musl-ARCH.path. Raises ScratchbuildError where it
    cannot be read.
    """
    folder, name = posixpath.split(interpreter)
    prefix = posixpath.dirname(folder).rstrip("/")
    path = f"{prefix}/etc/{name.partition('.so')[0]}.path"
    if root.resolve(path).status is None:
        return _DIRECTORIES
    with root.opened(path) as file:
        return tuple(_elements(file.at(0, min(file.size, _MOST_PATH_BYTES)).decode("utf-8", "surrogateescape")))


def _elements(text: str) -> list[str]:
    """Return the parts of a list, which colons and line ends separate; empty ones mean nothing."""
    return [part for part in re.split("[:\n]", text) if part]


def is_own_name(name: str, loader: Loader) -> bool:
    """Whether a needed name is the loader itself, which is the C library too: never looked for."""
    return _OWN_NAMES.match(name) is not None or name == loader.path


def environment(library_path: str, program: Loaded, loader: Loader) -> tuple[Place, ...]:
    """Return the places of LD_LIBRARY_PATH, in which musl replaces no tokens."""
    del program
    # A dollar sign that no token follows is what it is.
    return paths.places(_elements(library_path), "LD_LIBRARY_PATH", None, loader, replace=False)


def places(needer: Loaded, environment: tuple[Place, ...], loader: Loader) -> tuple[Place, ...]:
    """Return where a library of `needer` is looked for before the loader's own directories."""
    found = list(environment)
    for above in needer.needers():
        label, text = ("RUNPATH", above.elf.runpath) if above.elf.runpath is not None else ("RPATH", above.elf.rpath)
        if text and "$" in _ORIGIN.sub("", text):
            rule = f"{label} {text} of {above.path}"
            found.append(Place("", rule, problem="musl knows no token but $ORIGIN: it drops the whole list"))
        elif text:
            found += paths.places(_elements(text), label, above, loader)
    return tuple(found)


def defaults(loader: Loader) -> tuple[Place, ...]:
    """Return the loader's own directories."""
    return tuple(Place(directory, "musl's library path") for directory in loader.directories)


def verdict(seen: Seen, needer: Elf) -> tuple[str, bool]:
    """Return why a file that is there is not loaded, or ""; musl then always gives up."""
    elf = seen.elf
    if elf is None:
        return seen.problem, True
    if (elf.bits, elf.byte_order, elf.machine) != (needer.bits, needer.byte_order, needer.machine):
        return f"{elf.description}, not {needer.description}", True
    return "", False
