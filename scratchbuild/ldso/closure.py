"""The closure of some programs: every library that their loaders would load, and the loaders themselves.

Each program is a process of its own, in which names are looked for as if no other were there; the results are united.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.ldso import abi, defaults, loaded, missing, nearest
from scratchbuild.ldso.look import Looker, looker
from scratchbuild.ldso.process import Missing, Process
from scratchbuild.ldso.result import Closure, Library

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scratchbuild.elf import Elf
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.root import Root


class _Object(NamedTuple):
    """A file whose closure is wanted: the path it was named by, the file it is, its facts."""

    path: str
    real: str
    elf: Elf


def closure(
    root: Root,
    objects: Sequence[str],
    *,
    library_path: str = "",
    extra: Sequence[str] = (),
    shell_library_path: str = "",
) -> Closure:
    """Return all that the programs and shared objects at `objects` load, found in `root`; nothing is run.

    `library_path` is LD_LIBRARY_PATH as the programs will have it. `extra` are libraries to add, by soname or absolute
    path, found as each program would with dlopen(3); one program that finds them is enough. `shell_library_path` is
    the builder's own LD_LIBRARY_PATH: nothing is looked for there, the error for a missing library tells of it.

    Static programs load nothing. A shared object that no program here would load is closed over with its machine's
    usual loader, which is then not part of the result; a note says so.

    Raises ScratchbuildError (SeveralErrors for more than one): an object that cannot be read or is no ELF program or
    library, a library or interpreter that is not there, all of them at once.
    """
    return _Work(root, library_path, shell_library_path).closure(objects, extra)


class _Work:
    """What gathers while the closure of some objects is made."""

    def __init__(self, root: Root, library_path: str, shell_library_path: str) -> None:
        self._root = root
        self._look: Looker = looker(root)
        self._library_path = library_path
        self._shell_library_path = shell_library_path
        self._libraries: dict[str, Library] = {}
        self._loaders: dict[Loader, None] = {}
        self._notes: list[str] = []
        self._errors: list[ScratchbuildError] = []
        self._told: set[tuple[str, str]] = set()

    def closure(self, objects: Sequence[str], extra: Sequence[str]) -> Closure:
        found = list(self._objects(objects))
        programs = [entry for entry in found if entry.elf.kind in {"executable", "pie"}]
        alone = [entry for entry in found if entry.elf.kind == "shared object"]
        processes = [started for entry in programs if (started := self._start(entry))]
        processes += [self._start_library(entry) for entry in alone]
        for process, loader in processes:
            process.run()
            self._gather(process, loader)
        for name in extra:
            self._add_extra(name, processes or self._for_extra(name, found))
        raise_all(self._errors)
        return Closure(tuple(self._libraries.values()), tuple(self._loaders), tuple(dict.fromkeys(self._notes)))

    def _objects(self, paths: Sequence[str]) -> Iterable[_Object]:
        known = set()
        for path in paths:
            try:
                entry = self._object(path)
            except ScratchbuildError as error:
                self._errors.append(error)
                continue
            if entry.real not in known:
                known.add(entry.real)
                self._remark(entry)
                yield entry

    def _object(self, path: str) -> _Object:
        found = self._root.resolve(path)
        if found.status is None:
            near = nearest.names(self._root, posixpath.basename(path), [posixpath.dirname(path)])
            mend = f"Did you mean {' or '.join(near)}?" if near else ""
            raise ScratchbuildError(f"cannot read {path}: nothing is there", mend=mend)
        facts = self._look.facts(found)
        if isinstance(facts, ScratchbuildError):
            raise ScratchbuildError(f"cannot pack {path}: {facts.what}", mend=facts.mend)
        return _Object(path, found.path, facts)

    def _remark(self, entry: _Object) -> None:
        elf = entry.elf
        if elf.packer:
            self._notes.append(f"{entry.path} is packed with {elf.packer}: what it needs cannot be seen.")
        elif elf.needed and elf.kind in {"static", "static-pie"}:
            self._notes.append(
                f"{entry.path} needs {', '.join(elf.needed)} and names no interpreter to load them: left out.",
            )

    def _start(self, entry: _Object) -> tuple[Process, Loader] | None:
        """Return a program's process with its interpreter among its results, or None where it could not start."""
        path = entry.elf.interpreter or ""
        problem = "it is relative to the directory that the program is started in"
        if path.startswith("/"):
            seen = self._look.at(path)
            problem = seen.problem
            if seen.elf is not None and (seen.elf.bits, seen.elf.machine) != (entry.elf.bits, entry.elf.machine):
                problem = f"it is {seen.elf.description}, the program {entry.elf.description}"
            if seen.elf is not None and not problem:
                loader = defaults.loader(self._look, path, entry.elf)
                program = loaded.program(entry.path, entry.real, entry.elf)
                self._add_interpreter(entry, seen.real, seen.elf)
                return Process(self._look, program, loader, self._library_path), loader
        self._errors.append(missing.interpreter(entry.path, entry.elf, problem))
        return None

    def _add_interpreter(self, entry: _Object, real: str, elf: Elf) -> None:
        path = self._look.as_loaded(entry.elf.interpreter or "")
        if path not in self._libraries or not self._libraries[path].interpreter:
            self._libraries[path] = Library(
                name=posixpath.basename(path),
                path=path,
                real=real,
                soname=elf.soname or "",
                needed_by=(entry.path,),
                rule=f"PT_INTERP of {entry.path}",
                probes=(),
                architecture=elf.architecture,
                cache_flags=abi.of(elf).cache_flags,
                byte_order=elf.byte_order,
                interpreter=True,
            )

    def _start_library(self, entry: _Object) -> tuple[Process, Loader]:
        """Return the process that some program would be that has loaded just this object."""
        loader = self._loader_for(entry)
        library = loaded.library(entry.path, entry.real, entry.elf)
        return Process(self._look, library, loader, self._library_path), loader

    def _loader_for(self, entry: _Object) -> Loader:
        """Return the loader that a shared object will meet: a program's of this image, else its machine's usual one."""
        flags, order = abi.of(entry.elf).cache_flags, entry.elf.byte_order
        for library in self._libraries.values():
            if library.interpreter and (library.cache_flags, library.byte_order) == (flags, order):
                return defaults.loader(self._look, library.path, entry.elf)
        path = entry.elf.interpreter or self._musl_loader(entry.elf) or abi.of(entry.elf).loader
        if entry.elf.kind == "shared object":
            there = "" if self._look.at(path).elf is not None else ", which is not there"
            self._notes.append(
                f"{entry.path} is packed without a program: its loader ({path or 'unknown'}{there}) is left to the "
                "program that loads it.",
            )
        return defaults.loader(self._look, path, entry.elf)

    def _musl_loader(self, elf: Elf) -> str:
        """Return the musl loader for a library that needs musl's C library, or an empty path."""
        if not any(name == "libc.so" or name.startswith("libc.musl-") for name in elf.needed):
            return ""
        for name in self._root.names("/lib"):
            path = f"/lib/{name}"
            if defaults.family(path) == "musl":
                facts = self._look.at(path).elf
                if facts is not None and (facts.machine, facts.bits) == (elf.machine, elf.bits):
                    return path
        return f"/lib/ld-musl-{elf.architecture}.so.1"

    def _gather(self, process: Process, loader: Loader) -> None:
        self._loaders[loader] = None
        for library in process.libraries:
            self._libraries.setdefault(library.path, library)
        for gap in process.missing:
            self._tell(gap, loader)

    def _tell(self, gap: Missing, loader: Loader) -> None:
        key = (gap.name, gap.chain[-1] if gap.chain else "")
        if key not in self._told:
            self._told.add(key)
            self._errors.append(missing.library(self._root, gap, loader, self._shell_library_path))

    def _add_extra(self, name: str, processes: list[tuple[Process, Loader]]) -> None:
        """Add a library for each loader that has a program which finds it; there must be one at least."""
        gaps, done = [], set()
        for process, loader in processes:
            if loader in done:
                continue
            gap = process.open(name)
            if gap is None:
                done.add(loader)
                self._gather(process, loader)
            else:
                gaps.append((gap, loader))
        if gaps and not done:
            self._tell(*gaps[0])

    def _for_extra(self, name: str, found: list[_Object]) -> list[tuple[Process, Loader]]:
        """Return a process to look for `name` in where no program has one: a static program's, or its own."""
        if found:
            return [self._start_library(found[0])]
        if not name.startswith("/"):
            self._errors.append(ScratchbuildError(f"library {name}: no program here tells for which machine it is"))
            return []
        return [self._start_library(entry) for entry in self._objects([name])]
