"""One look at a path that may be a library: what is there, remembered for as long as its root is."""

from __future__ import annotations

import posixpath
import weakref
from typing import TYPE_CHECKING, Final, NamedTuple

from scratchbuild import elf as elves
from scratchbuild.errors import ScratchbuildError
from scratchbuild.files import kind_of
from scratchbuild.ldso.cache import Cache

if TYPE_CHECKING:
    from scratchbuild.elf import Elf
    from scratchbuild.elf.machine import ByteOrder
    from scratchbuild.root import Resolved, Root

_MOST_CACHE_BYTES: Final = 64 << 20


class Seen(NamedTuple):
    """What is at `path`: the file `real`, which is the same as another where `identity` (device, inode) is.

    `elf` has its facts; where it is None, `problem` says why. `absent` is when there is nothing to open at all.
    """

    path: str
    real: str
    identity: tuple[int, int]
    elf: Elf | None
    problem: str
    mend: str = ""
    absent: bool = False


class Looker:
    """Looks at files of one root, each only once."""

    def __init__(self, root: Root) -> None:
        # The root keeps its looker alive (see `looker`), which must not keep the root.
        self._root = weakref.proxy(root)
        self._seen: dict[str, Seen] = {}
        self._facts: dict[str, Elf | ScratchbuildError] = {}
        self._caches: dict[tuple[str, ByteOrder], Cache | str] = {}
        self.memory: dict[object, object] = {}

    @property
    def root(self) -> Root:
        """The root that is looked at."""
        root: Root = self._root
        return root

    def at(self, path: str) -> Seen:
        """Return what is at `path`, links followed. Never raises: what cannot be read is a `problem`."""
        seen = self._seen.get(path)
        if seen is None:
            seen = self._seen[path] = self._look(path)
        return seen

    def _look(self, path: str) -> Seen:
        try:
            found = self._root.resolve(path)
        except ScratchbuildError as error:
            return Seen(path, path, (0, 0), None, error.what, absent=True)
        if found.status is None:
            return Seen(path, found.path, (0, 0), None, "absent", absent=True)
        identity = (found.status.st_dev, found.status.st_ino)
        facts = self.facts(found)
        if isinstance(facts, ScratchbuildError):
            return Seen(path, found.path, identity, None, facts.what, facts.mend)
        return Seen(path, found.path, identity, facts, "")

    def facts(self, found: Resolved) -> Elf | ScratchbuildError:
        """Return the facts of the ELF file that a path was resolved to, or the error that says what it is instead."""
        facts = self._facts.get(found.path)
        if facts is None:
            if found.status is not None and not found.is_file:
                facts = ScratchbuildError(kind_of(found.status.st_mode))
            else:
                try:
                    with self._root.opened(found.path) as file:
                        facts = elves.read(file)
                except ScratchbuildError as error:
                    facts = error
            self._facts[found.path] = facts
        return facts

    def cache(self, path: str, byte_order: ByteOrder) -> Cache | str:
        """Return the loader's cache at `path`, or in words why there is none that it would use."""
        key = (path, byte_order)
        if key not in self._caches:
            self._caches[key] = self._read_cache(path, byte_order)
        return self._caches[key]

    def _read_cache(self, path: str, byte_order: ByteOrder) -> Cache | str:
        try:
            if self._root.resolve(path).status is None:
                return "absent"
            with self._root.opened(path) as file:
                return Cache(file.at(0, min(file.size, _MOST_CACHE_BYTES)), byte_order)
        except ScratchbuildError as error:
            return error.what

    def as_loaded(self, path: str) -> str:
        """Return `path` without `.`, `..` and doubled slashes, links before a `..` followed as the kernel does."""
        parts = path.split("/")
        if ".." in parts:
            last = len(parts) - 1 - parts[::-1].index("..")
            try:
                path = posixpath.join(self._root.resolve("/".join(parts[: last + 1])).path, *parts[last + 1 :])
            except ScratchbuildError:
                return path
        elif "." not in parts and "" not in parts[1:]:
            return path
        return "/" + "/".join(part for part in path.split("/") if part not in {"", "."})


_lookers: weakref.WeakKeyDictionary[Root, Looker] = weakref.WeakKeyDictionary()


def looker(root: Root) -> Looker:
    """Return the looker of a root: the same one as long as the root lives."""
    found = _lookers.get(root)
    if found is None:
        found = _lookers[root] = Looker(root)
    return found
