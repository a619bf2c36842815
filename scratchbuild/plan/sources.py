"""Binaries and files: what the definition takes from this machine, and what it says itself."""

from __future__ import annotations

import fnmatch
import posixpath
import stat
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.accounts import identity
from scratchbuild.plan.place import LINK_MODE, Places
from scratchbuild.root import Resolved, Root, kind_of
from scratchbuild.rootfs import Entry
from scratchbuild.state.imprint import capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.spec import Definition
    from scratchbuild.spec.definition import Binary, File

NOT_EXPANDED = "~ and environment variables are not expanded."
PERMISSIONS = 0o777
_WILD = frozenset("*?[")
# struct vfs_cap_data (linux/capability.h): magic, and two words of permitted and inheritable capabilities each.
_CAPABILITY_2_BYTES = 20


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


def _binary(binary: Binary, places: Places, root: Root) -> Iterator[Entry]:
    found = existing(binary.source, root)
    if not found.is_file:
        assert found.status is not None  # noqa: S101  # existing() raises otherwise
        message = f"{binary.source} is {kind_of(found.status.st_mode)}, not a program"
        raise ScratchbuildError(message, mend="Name a regular file; a directory belongs in files.")
    yield from _placed(binary.source, binary.target, binary.mode, binary.key, places, root)


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


def _file(file: File, places: Places, root: Root) -> Iterator[Entry]:
    if file.source is None:
        assert file.target is not None  # noqa: S101  # the definition's parser requires it
        path = places.canonical(file.target)
        yield Entry(path, "file", 0o644 if file.mode is None else file.mode, file.key, content=file.content or b"")
        return
    sources = [file.source]
    target = file.target
    if is_pattern(file.source):
        sources = matches(file.source, root)
        if not sources:
            raise ScratchbuildError(f"nothing matches {file.source}", mend=NOT_EXPANDED)
        target = target and target.rstrip("/") + "/"
    for source in sources:
        yield from _placed(source, target, file.mode, file.key, places, root)


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


def inodes(entries: list[Entry], root: Root) -> dict[str, tuple[int, int]]:
    """Return device and inode number of each source that has several names, by its path."""
    found = {}
    for entry in entries:
        status = root.lstat(entry.source) if entry.kind == "file" and entry.source else None
        if status is not None and status.st_nlink > 1:
            found[entry.source] = (status.st_dev, status.st_ino)
    return found


def is_pattern(source: str) -> bool:
    """Return whether a source is a glob rather than a path."""
    return bool(_WILD & set(source))


def existing(source: str, root: Root) -> Resolved:
    """Return where `source` leads on this machine. Raises ScratchbuildError when nothing is there."""
    found = root.resolve(source)
    if found.status is not None:
        return found
    if found.links:
        last = found.links[-1]
        raise ScratchbuildError(f"{source} is a dangling link: {last.path} -> {last.text}, and {found.path} is missing")
    folder, name = posixpath.split(source)
    near = _near(name, root.names(folder))
    mend = f"Did you mean {posixpath.join(folder, near)}? " if near else ""
    raise ScratchbuildError(f"{source} does not exist", mend=mend + NOT_EXPANDED)


def _near(name: str, names: list[str]) -> str:
    import difflib  # noqa: PLC0415  # only for an error

    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.7)), "")


def _placed(  # noqa: PLR0913, PLR0917  # what a definition's line says, and where it is read
    source: str, target: str | None, mode: int | None, reason: str, places: Places, root: Root
) -> Iterator[Entry]:
    """Yield what `source` becomes: a file, or a whole folder with all that is in it."""
    found = existing(source, root)
    if target is None:
        placed = places.mirrored(source, reason)
        yield from placed.links
        path = placed.path
    else:
        path = places.canonical(target + posixpath.basename(source) if target.endswith("/") else target)
    yield from _tree(found.path, path, mode, reason, root)


def _tree(source: str, path: str, mode: int | None, reason: str, root: Root) -> Iterator[Entry]:
    status = root.lstat(source)
    if status is None:
        raise ScratchbuildError(f"{source} went away while it was being read", mend="Build again.")
    permissions = status.st_mode & PERMISSIONS
    if stat.S_ISREG(status.st_mode):
        attribute = portable(capability(root.host(source)), source)
        mode = permissions if mode is None else mode
        yield Entry(path, "file", mode, reason, source=source, capability=attribute)
    elif stat.S_ISLNK(status.st_mode):
        yield Entry(path, "symlink", LINK_MODE, reason, link=root.text(source))
    elif stat.S_ISDIR(status.st_mode):
        # The mode that a definition gives is for files; folders stay as they are, or nobody could enter them.
        yield Entry(path, "directory", permissions, reason)
        for name in root.names(source):
            yield from _tree(posixpath.join(source, name), posixpath.join(path, name), mode, reason, root)
    else:
        raise ScratchbuildError(
            f"{source} is {kind_of(status.st_mode)}, and those are not packed",
            mend="Remove it, or name the files beside it one by one; engines make /dev themselves.",
        )


def portable(attribute: bytes, source: str) -> bytes:
    """Return a `security.capability` as it means the same on every machine: revision 2 (linux/capability.h).

    Revision 3 is revision 2 and the user whose namespace it counts in, which is this machine's business. Raises
    ScratchbuildError for any other.
    """
    if not attribute:
        return b""
    revision = attribute[3] if len(attribute) in {_CAPABILITY_2_BYTES, _CAPABILITY_2_BYTES + 4} else 0
    if revision == 2:  # noqa: PLR2004  # VFS_CAP_REVISION_2
        return attribute
    if revision == 3:  # noqa: PLR2004  # VFS_CAP_REVISION_3
        return attribute[:3] + b"\x02" + attribute[4:_CAPABILITY_2_BYTES]
    raise ScratchbuildError(
        f"{source} has file capabilities in a form that is not known ({attribute.hex()})",
        mend=f"Set them anew with setcap(8), or remove them: setcap -r {source}",
    )


def matches(pattern: str, root: Root) -> list[str]:
    """Return the paths that match a glob, in bytewise order: `*`, `?` and `[]` within a name, `**` for any folders.

    A name that begins with a dot is matched only by a part that begins with one (glob(7)).
    """
    return sorted(set(_matches("/", [part for part in pattern.split("/") if part], root)))


def _matches(folder: str, parts: list[str], root: Root) -> Iterator[str]:
    if not parts:
        yield folder
        return
    part, rest = parts[0], parts[1:]
    if part == "**":
        yield from _matches(folder, rest, root)
    elif not _WILD & set(part):
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
