"""Libraries and dynamic linkers: where the image gets them, so that its own loader finds each of them again.

In the layout `host` a library keeps the path at which this machine's loader found it; one that a program names
relative to itself ($ORIGIN) keeps its place relative to the program. In a flat layout all of them lie in one
directory, by the names that they are asked for. What the image's loader would not find by itself is listed in an
ld.so.cache (ld.so(8), ldconfig(8)).
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, flatten, raise_all
from scratchbuild.ldso import cache
from scratchbuild.ldso.closure import closure
from scratchbuild.plan.copied import PERMISSIONS
from scratchbuild.root import normal
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scratchbuild.ldso.result import Closure, Library
    from scratchbuild.plan.place import Places
    from scratchbuild.root import Root
    from scratchbuild.spec import Definition

_LINK_MODE = 0o777


def find(definition: Definition, root: Root, shell_library_path: str) -> Closure:
    """Return all libraries that the definition's binaries load, and those that it names besides.

    `shell_library_path` is the LD_LIBRARY_PATH of whoever builds: it decides nothing, an error tells of it. Raises
    ScratchbuildError, for all that are missing at once.
    """
    objects = [binary.source for binary in definition.binaries if _is_program(binary.source, root)]
    try:
        return closure(
            root,
            objects,
            library_path=dict(definition.env).get("LD_LIBRARY_PATH", ""),
            extra=[library.name for library in definition.libraries],
            shell_library_path=shell_library_path,
        )
    except ScratchbuildError as error:
        raise_all([single.at(_where(single, definition)) for single in flatten([error])])
        raise


def _where(error: ScratchbuildError, definition: Definition) -> str:
    """Return the file and the key of whose program or library the error tells, which it names by its path."""
    named = set(error.what.replace(",", " ").replace(":", " ").split())
    keys = [binary.key for binary in definition.binaries if binary.source in named]
    keys += [library.key for library in definition.libraries if library.name in named]
    return f"{definition.path}: {keys[0]}" if keys else definition.path


def _is_program(source: str, root: Root) -> bool:
    """Whether a binary is no script: the stage before this one has checked that it is one of the two."""
    with root.opened(source) as file:
        return file.at(0, 2) != b"#!"


class Layout:
    """Places the libraries of one image."""

    def __init__(self, definition: Definition, places: Places, root: Root, entries: Sequence[Entry]) -> None:
        self._definition = definition
        self._places = places
        self._root = root
        # Where the image has each file that may be somebody's $ORIGIN, by its path on this machine.
        self._homes = {entry.source: posixpath.dirname(entry.path) for entry in entries if entry.source}
        self.entries: list[Entry] = []
        self._listed: list[cache.Entry] = []
        self._order = ""

    def place(self, found: Closure) -> list[Entry]:
        """Return the entries of all libraries, and of the cache if one is needed. Raises ScratchbuildError."""
        flat = self._definition.layout != "host"
        errors: list[ScratchbuildError] = []
        taken: dict[str, Library] = {}
        for library in found.libraries:
            path = self._flat(library) if flat else self._as_found(library)
            other = taken.setdefault(path, library)
            if other.real != library.real:
                errors.append(self._two(path, other, library))
        raise_all(errors)
        self._list(found)
        return self.entries

    def _as_found(self, library: Library) -> str:
        """Add a library at the path where the loader opens it; return where that is in the image."""
        home = self._homes.get(library.origin_of)
        if home is not None and home != posixpath.dirname(library.origin_of):
            return self._add(library, self._places.canonical(normal(f"{home}/{library.from_origin}")))
        placed = self._places.mirrored(library.path, reason(library))
        self.entries.extend(placed.links)
        return self._add(library, placed.path)

    def _flat(self, library: Library) -> str:
        """Add a library to the one directory; a loader goes where programs name it."""
        if library.interpreter:
            return self._add(library, self._places.canonical(library.path))
        name = library.name.rsplit("/", 1)[-1]
        return self._add(library, self._places.canonical(f"{self._definition.layout}/{name}"))

    def _add(self, library: Library, path: str) -> str:
        status = self._root.lstat(library.real)
        mode = status.st_mode & PERMISSIONS if status else 0o755
        self.entries.append(Entry(path, "file", mode, reason(library), source=library.real))
        self._homes.setdefault(library.real, posixpath.dirname(path))
        return path

    def _list(self, found: Closure) -> None:
        """Add an ld.so.cache with the libraries that no loader of the image would find without one."""
        flat = self._definition.layout if self._definition.layout != "host" else None
        loaders = [loader for loader in found.loaders if loader.cache]
        listed = [
            (library, f"{flat}/{library.name.rsplit('/', 1)[-1]}" if flat else library.path)
            for library in found.libraries
            if not library.interpreter and (flat or library.rule == "ld.so.cache")
        ]
        for loader in {loader.cache: loader for loader in loaders}.values():
            lost = [path for _, path in listed if not loader.looks_into(posixpath.dirname(path))]
            if not lost:
                continue
            entries = [cache.Entry(library.name, path, library.cache_flags) for library, path in listed]
            order = listed[0][0].byte_order
            self.entries.append(
                Entry(
                    self._places.canonical(loader.cache),
                    "file",
                    0o644,
                    f"{loader.path} does not look into {posixpath.dirname(lost[0])} without it",
                    content=cache.write(entries, "big" if order == "big" else "little"),
                )
            )

    def _two(self, path: str, one: Library, two: Library) -> ScratchbuildError:
        flat = self._definition.layout != "host"
        return ScratchbuildError(
            f"two libraries would be {path}: {one.real}, which {needer(one)} needs, "
            f"and {two.real}, which {needer(two)} needs",
            where=f"{self._definition.path}: {'libraries.layout' if flat else 'binaries'}",
            mend='Use layout = "host": each library then keeps its own place.'
            if flat
            else "Give one of the programs a target in another folder.",
        )


def needer(library: Library) -> str:
    """Return who made the loader look for a library."""
    return library.needed_by[-1] if library.needed_by else "the definition"


def reason(library: Library) -> str:
    """Return in a line why the image has a library."""
    what = "interpreter of" if library.interpreter else "needed by"
    if not library.needed_by:
        return f"asked for in libraries; found by {library.rule}"
    return f"{what} {' -> '.join(library.needed_by)}; found by {library.rule}"
