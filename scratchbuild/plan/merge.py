"""One entry for each path of the image: where several agree one is kept, where they disagree it is an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.place import parents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.rootfs import Entry


def merge(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of one image, sorted bytewise by path, one each.

    Raises ScratchbuildError (or several at once) for two that want one path as different things, and for a path below
    something that is no directory.
    """
    found: dict[str, Entry] = {}
    errors: list[ScratchbuildError] = []
    for entry in entries:
        other = found.get(entry.path)
        if other is None or (other.implied and entry.kind == "directory"):
            found[entry.path] = entry
        elif not _same(other, entry):
            errors.append(_conflict(other, entry))
    for entry in found.values():
        for parent in parents(entry.path):
            above = found.get(parent)
            if above is not None and above.kind != "directory":
                errors.append(_conflict(above, entry))
                break
    raise_all(errors)
    return sorted(found.values(), key=lambda entry: os.fsencode(entry.path))


def _same(one: Entry, two: Entry) -> bool:
    """Whether it does not matter which of two entries for one path is taken."""
    if two.implied and one.kind == "directory":
        return True
    return one._replace(reason="", implied=False) == two._replace(reason="", implied=False)


def _conflict(one: Entry, two: Entry) -> ScratchbuildError:
    if one.path == two.path:
        what = f"two entries want {one.path}: {_described(one)}, and {_described(two)}"
    else:
        what = f"{two.path} cannot be below {one.path}: that is {_described(one)}; the other is {_described(two)}"
    return ScratchbuildError(what, mend="Give one of them another target, or leave it out.")


def _described(entry: Entry) -> str:
    """Return an entry in words: `a file from /x (files[0])`."""
    text = f"a {entry.kind}"
    if entry.kind == "symlink":
        text += f" to {entry.link}"
    if entry.source:
        text += f" from {entry.source}"
    return f"{text} ({entry.reason})"
