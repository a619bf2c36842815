"""What a closure is: the libraries, each with where it is found and why, and the loaders that find them."""

from __future__ import annotations

from typing import Any, NamedTuple

from scratchbuild.ldso.loaded import Probe
from scratchbuild.ldso.loader import Loader


class Library(NamedTuple):
    """A library, or a program's interpreter, by the path at which a loader opens it.

    `name` is what was asked for (DT_NEEDED, or the last part of PT_INTERP), `real` the file behind the links of `path`,
    `soname` its own name or empty. `needed_by` are the paths from the program down to the needer; nothing needs what
    was asked for as extra. `rule` says which rule found it, `probes` where it was looked for before. Where the rule
    begins with $ORIGIN, `origin_of` is the object (its real path) whose directory that is, and `from_origin` what is
    behind that directory (`/../lib/libx.so.1`). `interpreter` is for PT_INTERP: it must be at exactly `path`.
    `cache_flags` and `byte_order` are what an ld.so.cache entry of it needs. `architecture` is its OCI architecture.
    """

    name: str
    path: str
    real: str
    soname: str
    needed_by: tuple[str, ...]
    rule: str
    probes: tuple[Probe, ...]
    architecture: str
    cache_flags: int
    byte_order: str
    origin_of: str = ""
    from_origin: str = ""
    interpreter: bool = False


class Closure(NamedTuple):
    """All that a set of programs loads: libraries in the order they were met, each path once, and their loaders.

    `notes` are sentences for the person who builds: what could not be seen, and what is left to them.
    """

    libraries: tuple[Library, ...]
    loaders: tuple[Loader, ...]
    notes: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """Return the closure as dictionaries, lists, strings and numbers, to be written as JSON."""
        return {
            "libraries": [
                library._asdict() | {"probes": [probe._asdict() for probe in library.probes]}
                for library in self.libraries
            ],
            "loaders": [loader._asdict() for loader in self.loaders],
            "notes": list(self.notes),
        }


def parse(document: dict[str, Any]) -> Closure:
    """Return the closure that `Closure.document` gave, read back from JSON. Raises KeyError, TypeError otherwise."""
    libraries = [
        Library(**library)._replace(
            needed_by=tuple(library["needed_by"]),
            probes=tuple(Probe(**probe) for probe in library["probes"]),
        )
        for library in document["libraries"]
    ]
    loaders = [Loader(**loader)._replace(directories=tuple(loader["directories"])) for loader in document["loaders"]]
    return Closure(tuple(libraries), tuple(loaders), tuple(document["notes"]))
