"""One layer: entries to a tar archive with the same bytes every time (OCI image-spec, layer.md).

A member's name is its path without the first `/` (`bin/`, `bin/bash`), as engines list it; the root directory itself,
where an entry sets its mode or owner, is `./`, the only name for it that every engine takes.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import files, tar
from scratchbuild.digest import Mapped, fingerprint
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.files import kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.rootfs import Entry

CAPABILITY = "security.capability"

# A name that begins so says that something of a lower layer is gone (layer.md, "Whiteouts").
WHITEOUT = ".wh."


class LayerFacts(NamedTuple):
    """A layer that was written: its size in bytes, and its XXH3-128."""

    size: int
    fingerprint: str


def write(path: str, entries: Iterable[Entry], staged: str, *, mtime: int) -> LayerFacts:
    """Write the layer `path`, in one step, and return its facts.

    The bytes of files come from below `staged`, the root file system on disk; all else comes from `entries`, given in
    any order. `mtime` is every member's time, in seconds since 1970. Of the names of one file the bytewise first holds
    the data, whichever of them is called the hard link. Raises ScratchbuildError if the entries are no tree, if one
    cannot be said in an archive, or if a file is not there as the entry says.
    """
    ordered = _ordered(entries)
    try:
        with files.beside(path) as file:
            writer = tar.Writer(file)
            for entry in ordered:
                _add(writer, entry, staged, mtime)
            writer.finish()
            with Mapped(file.fileno()) as data:
                return LayerFacts(len(data), fingerprint(data))
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error


def path_of(name: str) -> str:
    """Return the path in the image that a member of a layer is for: `bin/bash` and `./bin/bash` are `/bin/bash`.

    Raises ScratchbuildError for a name with `..` in it, which could lead out of the image.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise ScratchbuildError(f"the member {name!r} could lead out of the image: its name has .. in it")
    return "/" + "/".join(parts)


class _Named(NamedTuple):
    """An entry as the archive says it: `link` is a hard link's first name, `content` where a file's bytes are."""

    entry: Entry
    link: str = ""
    content: str = ""


def _ordered(entries: Iterable[Entry]) -> list[_Named]:
    """Return `entries` in the order of the archive, each path once, parents first, hard links after their file.

    Raises ScratchbuildError, naming the paths, for entries that are no tree.
    """
    by_path: dict[str, Entry] = {}
    for entry in sorted(entries, key=lambda entry: entry.path.encode(errors="surrogateescape")):
        _check_place(entry, by_path)
        by_path[entry.path] = entry
    first: dict[str, str] = {}
    ordered = []
    for path, entry in by_path.items():
        if entry.kind == "hardlink":
            file = by_path.get(entry.link)
            if file is None or file.kind != "file":
                raise ScratchbuildError(f"{path} is a hard link to {entry.link}, which is not a file of this layer")
        elif entry.kind == "file":
            file = entry
        else:
            ordered.append(_Named(entry))
            continue
        # All names of one file have its mode, owner and capability: engines set them again for every name.
        named = file._replace(path=path)
        if file.path in first:
            ordered.append(_Named(named._replace(kind="hardlink"), link=first[file.path]))
        else:
            first[file.path] = path
            ordered.append(_Named(named, content=file.path))
    return ordered


def _check_place(entry: Entry, before: dict[str, Entry]) -> None:
    """Raise ScratchbuildError unless `entry` has a place in the tree of those `before` it."""
    path = entry.path
    if path in before:
        raise ScratchbuildError(f"{path} is in this layer twice: {before[path].reason}; {entry.reason}")
    parent, _, name = path.rpartition("/")
    if parent and (parent not in before or before[parent].kind != "directory"):
        what = f"is a {before[parent].kind}" if parent in before else "is not in this layer"
        raise ScratchbuildError(f"{path} has no directory to be in: {parent} {what}")
    if name.startswith(WHITEOUT):
        raise ScratchbuildError(
            f"{path} cannot be in an image: engines take a name that begins with {WHITEOUT} for the removal of a file",
            mend="Rename it, or leave it out.",
        )


def _add(writer: tar.Writer, named: _Named, staged: str, mtime: int) -> None:
    entry = named.entry
    name = entry.path[1:]
    xattrs = {CAPABILITY: entry.capability} if entry.capability else {}
    member = tar.Member(name, mode=entry.mode, uid=entry.uid, gid=entry.gid, mtime=mtime, xattrs=xattrs)
    match entry.kind:
        case "directory":
            _check_directory(staged + entry.path)
            writer.add(member._replace(kind=tar.DIRECTORY, name=f"{name}/" if name else "./"))
        case "symlink":
            # A link's own mode means nothing; 0777 is what lstat(2) shows.
            writer.add(member._replace(kind=tar.SYMLINK, mode=0o777, linkname=entry.link))
        case "hardlink":
            writer.add(member._replace(kind=tar.HARDLINK, linkname=named.link[1:]))
        case "file":
            writer.add_file(member, staged + named.content)


def _check_directory(path: str) -> None:
    """Raise ScratchbuildError unless `path` is a directory: through a link, files from elsewhere would get in."""
    try:
        mode = os.lstat(path).st_mode
    except OSError as error:
        raise from_os_error(error, f"read the staged directory {path}") from error
    if not stat.S_ISDIR(mode):
        raise ScratchbuildError(f"cannot read the staged directory {path}: it is {kind_of(mode)}")
