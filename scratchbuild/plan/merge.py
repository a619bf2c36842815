"""One entry for each path of the image: where several agree one is kept, where they disagree it is an error."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.place import parents

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.rootfs import Entry

MEND = "Give one of them another target, or leave it out."


def merge(entries: Iterable[Entry]) -> list[Entry]:
    """Return the entries of one image, sorted bytewise by path, one each; their order does not matter.

    Raises ScratchbuildError (or several at once) for two that want one path as different things, and for a path below
    something that is no directory.
    """
    found: dict[str, Entry] = {}
    clashes: dict[str, ScratchbuildError] = {}
    for entry in entries:
        other = found.setdefault(entry.path, entry)
        if not _same(other, entry):
            clashes.setdefault(entry.path, _clash(other, entry))
        elif (other.implied and not entry.implied) or entry.kind == "hardlink":
            found[entry.path] = entry
    errors = list(clashes.values())
    for entry in found.values():
        for parent in parents(entry.path):
            above = found.get(parent)
            if above is not None and above.kind != "directory":
                if parent not in clashes and not entry.implied:
                    errors.append(_below(above, entry))
                break
    raise_all(errors)
    return sorted(found.values(), key=lambda entry: os.fsencode(entry.path))


def _same(one: Entry, two: Entry) -> bool:
    """Whether it does not matter which of two entries for one path is taken.

    A directory that is only implied agrees with everything: what is below something else is found by its own path.
    """
    return one.implied or two.implied or _plain(one) == _plain(two)


def _plain(entry: Entry) -> Entry:
    """Return the entry without what the image does not show: its reason, and whether it shares its inode."""
    if entry.kind == "hardlink":
        entry = entry._replace(kind="file", link="")
    return entry._replace(reason="", implied=False)


def _clash(one: Entry, two: Entry) -> ScratchbuildError:
    what = f"two entries want {one.path}: {_described(one, two)}, and {_described(two, one)}"
    return ScratchbuildError(what, mend=MEND)


def _below(above: Entry, entry: Entry) -> ScratchbuildError:
    what = f"{above.path} is {_described(above)}, so {entry.path} cannot be below it: {_described(entry)}"
    return ScratchbuildError(what, mend=MEND)


def _described(entry: Entry, other: Entry | None = None) -> str:
    """Return an entry in words, with what differs from `other`: `a file from /x of mode 0644 (files[0])`."""
    words = [f"a {entry.kind}"]
    if entry.kind == "symlink":
        words.append(f"to {entry.link}")
    elif entry.source:
        words.append(f"from {entry.source}")
    elif entry.kind == "file":
        words.append("with its own content")
    if other is not None and entry.kind == other.kind:
        if entry.mode != other.mode:
            words.append(f"of mode {entry.mode:04o}")
        if (entry.uid, entry.gid) != (other.uid, other.gid):
            words.append(f"of owner {entry.uid}:{entry.gid}")
    return f"{' '.join(words)} ({entry.reason})"
