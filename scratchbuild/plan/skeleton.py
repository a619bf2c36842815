"""The directories and links that the definition asks for by name, empty yet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.accounts import identity
from scratchbuild.plan.place import LINK_MODE, Places
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from scratchbuild.spec import Definition


def skeleton(definition: Definition, places: Places) -> list[Entry]:
    """Return the entries of `directories` and `symlinks`.

    Raises ScratchbuildError, for all that are wrong at once.
    """
    entries: list[Entry] = []
    errors: list[ScratchbuildError] = []
    for directory in definition.directories:
        where = f"{definition.path}: {directory.key}"
        try:
            uid, gid = identity(directory.owner, definition, f"{where}.owner")
            path = places.canonical(directory.path)
            entries.append(Entry(path, "directory", directory.mode, directory.key, uid, gid))
        except ScratchbuildError as error:
            errors.append(error.at(where))
    raise_all(errors)
    for link in definition.symlinks:
        path = places.canonical(link.path, last=False)
        entries.append(Entry(path, "symlink", LINK_MODE, link.key, link=link.text))
    return entries
