"""Paths of this machine that have to be there; for one that is not, what was probably meant."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.files import kind_of

if TYPE_CHECKING:
    from scratchbuild.root import Resolved, Root


def existing(source: str, root: Root) -> Resolved:
    """Return where `source` leads on this machine. Raises ScratchbuildError when nothing is there."""
    found = root.resolve(source)
    if found.status is not None:
        return found
    if found.links:
        last = found.links[-1]
        raise ScratchbuildError(
            f"{source} is a dangling link: {last.path} -> {last.text}, and {found.path} is missing",
            mend="Repair the link, or name the file itself.",
        )
    raise _missing(source, root)


def _missing(source: str, root: Root) -> ScratchbuildError:
    """Return the error that names the first part of `source` that is missing, and what is there instead of it."""
    folder, name = posixpath.split(source)
    rest: list[str] = []
    while (above := root.resolve(folder)).status is None:
        rest.insert(0, name)
        folder, name = posixpath.split(folder)
    what = f"{source} does not exist"
    if not above.is_directory:
        return ScratchbuildError(f"{what}: {folder} is {kind_of(above.status.st_mode if above.status else 0)}")
    if rest:
        what += f": there is no {posixpath.join(folder, name)}"
    near = _near(name, folder, root)
    if not near:
        return ScratchbuildError(what, mend="Write the path that it has, or make it first.")
    whole = posixpath.join(folder, near, *rest)
    meant = whole if root.resolve(whole).status is not None else posixpath.join(folder, near)
    return ScratchbuildError(what, mend=f"Did you mean {meant}?")


def _near(name: str, folder: str, root: Root) -> str:
    import difflib  # noqa: PLC0415  # only for an error

    try:
        names = root.names(folder)
    except ScratchbuildError:
        return ""
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.6)), "")
