"""Patterns of paths (glob(7)), matched inside a root."""

from __future__ import annotations

import fnmatch
import posixpath
import stat
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.root import Root

_WILD = frozenset("*?[")


def is_pattern(source: str) -> bool:
    """Return whether a source is a pattern rather than a path."""
    return not _WILD.isdisjoint(source)


def matches(pattern: str, root: Root) -> list[str]:
    """Return the paths that match a glob, in bytewise order: `*`, `?` and `[]` within a name, `**` for any folders.

    A name that begins with a dot is matched only by a part that begins with one (glob(7)). Raises ScratchbuildError
    when nothing matches.
    """
    parts = [part for part in pattern.split("/") if part]
    found = sorted(set(_matches("/", parts, root)))
    if found:
        return found
    folder = "/"
    while parts and not is_pattern(parts[0]):
        folder = posixpath.join(folder, parts.pop(0))
        if root.resolve(folder).status is None:
            raise ScratchbuildError(f"nothing matches {pattern}: there is no {folder}")
    raise ScratchbuildError(
        f"nothing matches {pattern}",
        mend="A name that begins with a dot is matched only by a pattern that has the dot; ** stands for any folders.",
    )


def _matches(folder: str, parts: list[str], root: Root) -> Iterator[str]:
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _matches(folder, rest, root)
    elif not is_pattern(part):
        path = posixpath.join(folder, part)
        if rest or root.lstat(root.resolve(path, follow=False).path) is not None:
            yield from _matches(path, rest, root)
        return
    for name in root.names(folder):
        if name.startswith(".") and not part.startswith("."):
            continue
        path = posixpath.join(folder, name)
        if part == "**":
            status = root.lstat(root.resolve(path, follow=False).path)
            if status is not None and stat.S_ISDIR(status.st_mode):
                yield from _matches(path, parts, root)
        elif fnmatch.fnmatchcase(name, part):
            yield from _matches(path, rest, root)
