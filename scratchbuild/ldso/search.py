"""One needed name to one file: the places in the loader's order, what was found in each, and which one it takes."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.elf import DF_1_NODEFLIB
from scratchbuild.ldso import glibc, musl, paths, tokens
from scratchbuild.ldso.loaded import Place, Probe

if TYPE_CHECKING:
    from scratchbuild.ldso.loaded import Loaded
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.ldso.look import Looker, Seen


class Outcome(NamedTuple):
    """What the search for one name came to.

    `seen` is the file that the loader takes, found by the rule of `place`, or None. `probes` are the looks in vain
    before it, in order. `stopped` is when the last of them is a file that makes the loader give up at once.
    """

    seen: Seen | None
    place: Place
    probes: tuple[Probe, ...]
    stopped: bool = False


_NOWHERE = Place("", "")


class Scope(NamedTuple):
    """What is one for a whole process: whose eyes look, its loader, and the places of its LD_LIBRARY_PATH."""

    look: Looker
    loader: Loader
    environment: tuple[Place, ...]


class _Search:
    """A search in progress: looks at one candidate after another until one is taken or the loader stops."""

    def __init__(self, scope: Scope, needer: Loaded) -> None:
        self._look = scope.look
        self._needer = needer
        self._verdict = (musl if scope.loader.family == "musl" else glibc).verdict
        self.probes: list[Probe] = []
        self.taken: tuple[Seen, Place] | None = None
        self.stopped = False

    @property
    def goes_on(self) -> bool:
        return self.taken is None and not self.stopped

    def note(self, path: str, rule: str, outcome: str) -> None:
        self.probes.append(Probe(path, rule, outcome))

    def candidate(self, path: str, place: Place) -> None:
        seen = self._look.at(path)
        if seen.absent:
            self.note(path, place.rule, seen.problem)
            return
        reason, stops = self._verdict(seen, self._needer.elf)
        if not reason:
            self.taken = (seen, place)
            return
        self.note(path, place.rule, reason)
        self.stopped = stops

    def directories(self, places: tuple[Place, ...], name: str) -> None:
        for place in places:
            if not self.goes_on:
                return
            if place.problem:
                self.note("", place.rule, place.problem)
            else:
                self.candidate(paths.joined(place, name), place)

    def outcome(self) -> Outcome:
        seen, place = self.taken or (None, _NOWHERE)
        return Outcome(seen, place, tuple(self.probes), self.stopped)


def search(scope: Scope, name: str, needer: Loaded, *, asked: bool = False) -> Outcome:
    """Return where the loader finds `name` for `needer`; `asked` is for a name that is not in the needer's DT_NEEDED.

    Raises ScratchbuildError only where the root itself cannot be looked at.
    """
    if "/" in name or "$" in name:
        return _by_path(scope, name, needer, "path asked for" if asked else f"path in DT_NEEDED of {needer.path}")
    return _by_name(scope, name, needer)


def _by_name(scope: Scope, name: str, needer: Loaded) -> Outcome:
    first = (musl if scope.loader.family == "musl" else glibc).places(needer, scope.environment, scope.loader)
    # Most needers have no places of their own; they all get one answer, and so do the same ones in the next program.
    elf = needer.elf
    like = (elf.machine, elf.machine_flags, elf.bits, elf.byte_order, elf.flags_1 & DF_1_NODEFLIB)
    key = ("search", name, first, scope.loader, like)
    found = scope.look.memory.get(key)
    if not isinstance(found, Outcome):
        found = scope.look.memory[key] = _in_places(scope, name, needer, first)
    return found


def _in_places(scope: Scope, name: str, needer: Loaded, first: tuple[Place, ...]) -> Outcome:
    search = _Search(scope, needer)
    search.directories(first, name)
    if scope.loader.family == "musl":
        search.directories(musl.defaults(scope.loader), name)
        return search.outcome()
    if search.goes_on:
        path, why_not = glibc.cached(scope.look, name, needer.elf, scope.loader)
        if path:
            search.candidate(path, Place("", "ld.so.cache"))
        else:
            search.note(scope.loader.cache, "ld.so.cache", why_not)
    search.directories(glibc.defaults(needer.elf, scope.loader), name)
    return search.outcome()


def _by_path(scope: Scope, name: str, needer: Loaded, rule: str) -> Outcome:
    """Look for a name with a slash: that path and no other. Tokens are replaced first (_dl_map_object_deps)."""
    search = _Search(scope, needer)
    path = name if scope.loader.family == "musl" else tokens.expand(name, paths.values(needer, scope.loader))
    if path is None:
        search.note(name, rule, "a token in it has no value here")
    elif "/" not in path:
        return _by_name(scope, path, needer)
    elif not path.startswith("/"):
        search.note(path, rule, "relative to the directory that the program is started in")
    else:
        behind = tokens.after_origin(name)
        directory = posixpath.dirname(tokens.expand(behind, paths.values(needer, scope.loader)) or "") if behind else ""
        search.candidate(path, Place("", rule, needer.real if behind else "", directory))
    return search.outcome()
