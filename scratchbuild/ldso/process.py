"""One process, loaded without running it: the program and, breadth first, all that its loader would load with it.

Names and files that are there already are not looked for again; what counts as the same is each loader's own rule
(_dl_map_object and _dl_map_object_deps of glibc, load_library of musl).
"""

from __future__ import annotations

import posixpath
from collections import deque
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.ldso import abi, glibc, musl
from scratchbuild.ldso.loaded import Loaded, library
from scratchbuild.ldso.result import Library
from scratchbuild.ldso.search import Outcome, Scope, search

if TYPE_CHECKING:
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.ldso.look import Looker, Seen


class Missing(NamedTuple):
    """A name that was not found, the paths from the program down to the needer, and where it was sought."""

    name: str
    chain: tuple[str, ...]
    outcome: Outcome


class Process:
    """A program, its loader, and what has been loaded so far. Results gather in `libraries` and `missing`."""

    def __init__(self, look: Looker, program: Loaded, loader: Loader, library_path: str) -> None:
        self._is_musl = loader.family == "musl"
        self._program = program
        environment = (musl if self._is_musl else glibc).environment(library_path, program, loader)
        self._scope = Scope(look, loader, environment)
        self._names: set[str] = {loader.path}
        self._files: dict[tuple[int, int], Loaded] = {}
        self._queue: deque[Loaded] = deque([program])
        self.libraries: list[Library] = []
        self.missing: list[Missing] = []
        if not self._is_musl and program.elf.soname:
            self._names.add(program.elf.soname)
        interpreter = look.at(loader.path)
        if interpreter.elf is not None:
            self._map(loader.path, interpreter, None)

    def run(self) -> None:
        """Load all that is needed by what is loaded, and by that in turn."""
        while self._queue:
            needer = self._queue.popleft()
            for name in needer.elf.needed:
                if name not in self._names and not (self._is_musl and musl.is_own_name(name, self._scope.loader)):
                    self._load(name, needer)

    def open(self, name: str) -> Missing | None:
        """Load one more library, by its soname or path, and its closure, as the program could by itself (dlopen(3)).

        Returns what is missing where the library itself is not found.
        """
        if name in self._names or (self._is_musl and musl.is_own_name(name, self._scope.loader)):
            return None
        outcome = search(self._scope, name, self._program, asked=True)
        if outcome.seen is None:
            return Missing(name, (), outcome)
        self._take(name, outcome, self._program, asked=True)
        self.run()
        return None

    def _load(self, name: str, needer: Loaded) -> None:
        outcome = search(self._scope, name, needer)
        if outcome.seen is None:
            # ld.so stops at the first; a person wants to know them all, each once.
            self._names.add(name)
            self.missing.append(Missing(name, needer.chain(), outcome))
        else:
            self._take(name, outcome, needer)

    def _take(self, name: str, outcome: Outcome, needer: Loaded, *, asked: bool = False) -> None:
        seen, place = outcome.seen, outcome.place
        if seen is None or seen.elf is None:
            return
        path = self._scope.look.as_loaded(seen.path)
        self.libraries.append(
            Library(
                name=name,
                path=path,
                real=seen.real,
                soname=seen.elf.soname or "",
                needed_by=() if asked else needer.chain(),
                rule=place.rule,
                probes=outcome.probes,
                architecture=seen.elf.architecture,
                cache_flags=abi.of(seen.elf).cache_flags,
                byte_order=seen.elf.byte_order,
                origin_of=place.origin_of,
                from_origin=f"{place.from_origin}/{posixpath.basename(name)}" if place.origin_of else "",
            ),
        )
        self._map(name, seen, needer, asked=asked)

    def _map(self, name: str, seen: Seen, needer: Loaded | None, *, asked: bool = False) -> None:
        """Note a file as loaded under `name`; one that is loaded already is just known by one more name."""
        if seen.elf is None:
            return
        self._names.add(name)
        if seen.identity in self._files:
            return
        found = library(seen.path, seen.real, seen.elf)
        found.parent, found.asked = needer, asked
        self._files[seen.identity] = found
        # glibc knows a library by its soname and its path too; musl by the name of its file.
        self._names.add(seen.path)
        if not self._is_musl and seen.elf.soname:
            self._names.add(seen.elf.soname)
        self._queue.append(found)
