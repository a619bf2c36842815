"""Two declarations that want one path of the image: those that the definition's text alone gives away.

What depends on this machine (whether a source is a folder, where a link leads) is the plan's to find.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.spec.definition import Owner
from scratchbuild.spec.paths import MAGIC

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.spec.definition import Definition

PASSWD = "/etc/passwd"  # noqa: S105 - a file
GROUP = "/etc/group"

# What a declaration makes of its path. A `program` keeps its path on this machine: a file, or a link to one. What keeps
# it as `host` may be a folder too, and a `copy` a file or a folder. A `place` is any directory, or a link to one.
FILE, PROGRAM, HOST, COPY = "file", "program", "host", "copy"
DIRECTORY, PLACE, LINK = "directory", "place", "link"

# Pairs at one path that the text alone cannot refuse.
_OPEN = {
    frozenset({PROGRAM}),
    frozenset({PROGRAM, HOST}),
    frozenset({PROGRAM, LINK}),
    frozenset({HOST}),
    frozenset({HOST, COPY}),
    frozenset({HOST, LINK}),
    frozenset({HOST, DIRECTORY}),
    frozenset({HOST, PLACE}),
    frozenset({COPY}),
    frozenset({COPY, DIRECTORY}),
    frozenset({COPY, PLACE}),
    frozenset({DIRECTORY, PLACE}),
    frozenset({PLACE, LINK}),
    frozenset({PLACE}),
}


class Wanted(NamedTuple):
    """One path, what it is to be, who says so, and `means`: two that mean the same may both be there."""

    path: str
    kind: str
    key: str
    words: str
    means: tuple[object, ...] = ()


def check(definition: Definition) -> None:
    """Raise ScratchbuildError for each declaration that cannot be true beside an earlier one, naming both keys."""
    first: dict[str, list[Wanted]] = {}
    errors: dict[str, ScratchbuildError] = {}
    everything = list(_wanted(definition))
    for wanted in everything:
        for other in first.setdefault(wanted.path, []):
            same = wanted.kind == other.kind and wanted.means == other.means
            if not same and frozenset({wanted.kind, other.kind}) not in _OPEN:
                errors.setdefault(wanted.key, _clash(definition, wanted, other))
                break
        first[wanted.path].append(wanted)
    for wanted in everything:
        above = posixpath.dirname(wanted.path)
        while above != "/":
            files = [other for other in first.get(above, ()) if other.kind in {FILE, PROGRAM}]
            if files:
                errors.setdefault(wanted.key, _below(definition, wanted, files[0]))
                break
            above = posixpath.dirname(above)
    raise_all(list(errors.values()))


def _clash(definition: Definition, wanted: Wanted, other: Wanted) -> ScratchbuildError:
    again = " again" if wanted.words == other.words else ""
    return ScratchbuildError(
        f"{wanted.path} is {other.words} by {other.key}, so it cannot be {wanted.words}{again}",
        where=f"{definition.path}: {wanted.key}",
        mend="Leave one of them out, or give it another path.",
    )


def _below(definition: Definition, wanted: Wanted, other: Wanted) -> ScratchbuildError:
    return ScratchbuildError(
        f"{other.path} is {other.words} by {other.key}, so {wanted.path} cannot be below it",
        where=f"{definition.path}: {wanted.key}",
        mend="Give one of them another path.",
    )


def _wanted(definition: Definition) -> Iterator[Wanted]:
    for directory in definition.directories:
        words = f"a directory of mode {directory.mode:04o}"
        yield Wanted(directory.path, DIRECTORY, directory.key, words, (directory.mode, directory.owner))
    for link in definition.symlinks:
        yield Wanted(link.path, LINK, link.key, f"a link to {link.text}", (link.text,))
    for binary in definition.binaries:
        words = f"the program {binary.source}"
        if binary.target is None:
            yield Wanted(binary.source, PROGRAM, binary.key, words)
        else:
            yield Wanted(binary.target, FILE, binary.key, words, (binary.source, binary.mode, Owner()))
    yield from _files(definition)
    if definition.users or definition.groups:
        yield Wanted(PASSWD, FILE, "users" if definition.users else "groups", "the file of all users")
        yield Wanted(GROUP, FILE, "groups" if definition.groups else "users", "the file of all groups")
    if definition.layout != "host":
        yield Wanted(definition.layout, PLACE, "libraries.layout", "the directory of all libraries")


def _files(definition: Definition) -> Iterator[Wanted]:
    for file in definition.files:
        pattern = file.source is not None and not MAGIC.isdisjoint(file.source)
        if file.target is not None and file.target.endswith("/") and file.target != "/":
            yield Wanted(file.target.rstrip("/"), PLACE, file.key, "a folder to copy into")
        if file.source is None:
            path = file.target or ""
            yield Wanted(path, FILE, file.key, "a file with its own content", (file.content, file.mode, file.owner))
        elif pattern:
            continue
        elif file.target is None:
            yield Wanted(file.source, HOST, file.key, f"a copy of {file.source}")
        else:
            path = (
                posixpath.join(file.target, posixpath.basename(file.source)) if file.target[-1] == "/" else file.target
            )
            yield Wanted(path, COPY, file.key, f"a copy of {file.source}", (file.source, file.mode, file.owner))
