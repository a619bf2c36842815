"""Binaries and files: what the definition takes from this machine, and what it says itself."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.files import kind_of
from scratchbuild.plan.accounts import identity
from scratchbuild.plan.copied import Copied
from scratchbuild.plan.existing import existing
from scratchbuild.plan.globs import is_pattern, matches
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.plan.place import Places
    from scratchbuild.root import Root
    from scratchbuild.spec import Definition
    from scratchbuild.spec.definition import Binary, File


def taken(definition: Definition, places: Places, root: Root) -> list[Entry]:
    """Return what the definition takes from this machine: `binaries` and `files`.

    Raises ScratchbuildError, for all that is wrong at once.
    """
    entries: list[Entry] = []
    errors: list[ScratchbuildError] = []
    for part in (binaries, files):
        try:
            entries.extend(part(definition, places, root))
        except ScratchbuildError as error:
            errors.append(error)
    raise_all(errors)
    return entries


def binaries(definition: Definition, places: Places, root: Root) -> list[Entry]:
    """Return the entries of all `binaries`. Raises ScratchbuildError, for all that are wrong at once."""
    entries: list[Entry] = []
    errors: list[ScratchbuildError] = []
    for binary in definition.binaries:
        try:
            entries.extend(_binary(binary, places, root))
        except ScratchbuildError as error:
            errors.append(error.at(f"{definition.path}: {binary.key}"))
    raise_all(errors)
    return entries


def _binary(binary: Binary, places: Places, root: Root) -> list[Entry]:
    found = existing(binary.source, root)
    if not found.is_file:
        assert found.status is not None  # noqa: S101  # existing() raises otherwise
        raise ScratchbuildError(
            f"{binary.source} is {kind_of(found.status.st_mode)}, not a program",
            mend="Name the program in it; whole folders belong in files." if found.is_directory else "Name a program.",
        )
    copied = Copied(binary.key, binary.mode, root)
    entries = list(_placed(binary.source, binary.target, copied, binary.key, places))
    raise_all(copied.errors)
    return entries


def files(definition: Definition, places: Places, root: Root) -> list[Entry]:
    """Return the entries of all `files`. Raises ScratchbuildError, for all that are wrong at once."""
    entries: list[Entry] = []
    errors: list[ScratchbuildError] = []
    for file in definition.files:
        where = f"{definition.path}: {file.key}"
        try:
            owner = identity(file.owner, definition, f"{where}.owner")
            entries.extend(
                entry if entry.kind == "symlink" else entry._replace(uid=owner[0], gid=owner[1])
                for entry in _file(file, places, root)
            )
        except ScratchbuildError as error:
            errors.append(error.at(where))
    raise_all(errors)
    return entries


def _file(file: File, places: Places, root: Root) -> list[Entry]:
    if file.source is None:
        assert file.target is not None  # noqa: S101  # the definition's parser requires it
        path = places.canonical(file.target)
        return [Entry(path, "file", 0o644 if file.mode is None else file.mode, file.key, content=file.content or b"")]
    sources = [file.source]
    target = file.target
    if is_pattern(file.source):
        sources = matches(file.source, root)
        target = target and target.rstrip("/") + "/"
    copied = Copied(file.key, file.mode, root)
    entries = [entry for source in sources for entry in _placed(source, target, copied, file.key, places)]
    raise_all(copied.errors)
    return entries


def _placed(source: str, target: str | None, copied: Copied, reason: str, places: Places) -> Iterator[Entry]:
    """Yield what `source` becomes: a file, or a whole folder with all that is in it."""
    found = existing(source, places.root)
    if target is None:
        placed = places.mirrored(source, reason)
        yield from placed.links
        path = placed.path
    else:
        path = places.canonical(target + posixpath.basename(source) if target.endswith("/") else target)
    yield from copied.entries(found.path, path)


def inodes(entries: list[Entry], root: Root) -> dict[str, tuple[int, int]]:
    """Return device and inode number of each source that has several names, by its path."""
    found = {}
    for entry in entries:
        status = root.lstat(entry.source) if entry.kind == "file" and entry.source else None
        if status is not None and status.st_nlink > 1:
            found[entry.source] = (status.st_dev, status.st_ino)
    return found
