"""Unpacking an archive's layers one over the other, as an engine would (OCI image-spec, layer.md).

Nothing in the archive is trusted. The folder is new and private, so that all that is in it was made here, and what
that is is kept in mind: no path is ever walked through a link, and a member lands where its name says or nowhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import posixpath
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import tar
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.files import copy_bytes
from scratchbuild.formats.check import check_layer
from scratchbuild.layer import path_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from scratchbuild.formats.reading import Archive, PackedLayer
    from scratchbuild.untar import Found

# layer.md, "Whiteouts".
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"

CAPABILITY = "security.capability"

_MOST_PARTS = 256
_MOST_ID = 2**32 - 2
_MOST_TIME = 2**40
_IMPLIED_MODE = 0o755


class Attributes(NamedTuple):
    """What a file has beside its content."""

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    xattrs: Mapping[str, bytes]


def unpack(archive: Archive, folder: str) -> None:
    """Unpack the layers of an open archive into the new directory `folder`.

    Owners and capabilities are those of the archive where this process may set them, else this user's and none. Modes
    are the archive's, setuid and setgid included: `folder` must be where nobody else can reach it.

    Raises ScratchbuildError for a layer that no engine would take, or that holds devices or FIFOs.
    """
    tree = _Tree(folder)
    try:
        os.mkdir(folder, stat.S_IRWXU)
        for layer in archive.layers:
            with _at(f"{archive.path}: {layer.name}"):
                check_layer(archive, layer)
                _apply(tree, archive, layer)
        tree.finish()
    except OSError as error:
        raise from_os_error(error, f"unpack {archive.path} in {folder}") from error


@contextlib.contextmanager
def _at(where: str) -> Iterator[None]:
    try:
        yield
    except ScratchbuildError as error:
        raise error.at(where) from error


def _apply(tree: _Tree, archive: Archive, layer: PackedLayer) -> None:
    """Put one layer over those below: first what it takes away, then what it brings, so that nothing of it goes."""
    members = list(archive.members(layer))
    for found in members:
        parent, name = posixpath.split(path_of(found.member.name))
        if name == _OPAQUE:
            tree.empty(parent)
        elif name.startswith(_WHITEOUT) and not name.startswith(_WHITEOUT * 2):
            tree.remove(posixpath.join(parent, name.removeprefix(_WHITEOUT)))
    for found in members:
        path = path_of(found.member.name)
        # `.wh..wh.` is what aufs kept for itself.
        if not posixpath.basename(path).startswith(_WHITEOUT):
            tree.add(path, found, archive.descriptor)


class _Tree:
    """The directory `folder`, and what was made in it: each path with its kind."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._kinds = {"/": tar.DIRECTORY}
        # Directories get their attributes last: a closed one could not be filled, and filling changes its time.
        self._directories = {"/": Attributes(_IMPLIED_MODE, 0, 0, 0, {})}

    def _host(self, path: str) -> str:
        return self._folder + path

    def remove(self, path: str) -> None:
        """Remove what is at `path` with all inside, if anything."""
        if path not in self._kinds or path == "/":
            return
        if self._kinds[path] == tar.DIRECTORY:
            self.empty(path)
            os.rmdir(self._host(path))
            del self._directories[path]
        else:
            os.unlink(self._host(path))
        del self._kinds[path]

    def empty(self, path: str) -> None:
        """Remove all that is inside `path`, if it is a directory."""
        if self._kinds.get(path) != tar.DIRECTORY:
            return
        inside = [other for other in self._kinds if other.startswith(path.rstrip("/") + "/") and other != path]
        for other in sorted(inside, reverse=True):
            if self._kinds.pop(other) == tar.DIRECTORY:
                os.rmdir(self._host(other))
                del self._directories[other]
            else:
                os.unlink(self._host(other))

    def add(self, path: str, found: Found, descriptor: int) -> None:
        """Make what a member says at `path`; it replaces what lower layers have there, a directory joins theirs."""
        member = found.member
        if path.count("/") > _MOST_PARTS:
            raise ScratchbuildError(f"{path[:60]!r}... lies in more than {_MOST_PARTS} directories")
        if max(member.uid, member.gid) > _MOST_ID:
            raise ScratchbuildError(f"{path} has the owner {member.uid}:{member.gid}, which no system has")
        self._parents(path)
        kind = self._kinds.get(path)
        if kind is not None and not (kind == member.kind == tar.DIRECTORY):
            self.remove(path)
            kind = None
        host = self._host(path)
        mtime = max(-_MOST_TIME, min(member.mtime, _MOST_TIME))
        attributes = Attributes(member.mode, member.uid, member.gid, mtime * 10**9, member.xattrs)
        if member.kind == tar.DIRECTORY:
            if kind is None:
                os.mkdir(host, stat.S_IRWXU)
            self._directories[path] = attributes
        elif member.kind == tar.FILE:
            os.lseek(descriptor, found.offset, os.SEEK_SET)
            make_file(host, descriptor, member.size, attributes)
        elif member.kind == tar.SYMLINK:
            os.symlink(member.linkname, host)
            give(host, attributes, is_link=True)
        elif member.kind == tar.HARDLINK:
            os.link(self._host(path_of(member.linkname)), host, follow_symlinks=False)
        else:
            raise ScratchbuildError(f"{path} is a device or FIFO, which the sandbox does not make")
        self._kinds[path] = member.kind

    def _parents(self, path: str) -> None:
        """Make the directories above `path`: as on overlay file systems, they hide links and files of lower layers."""
        parts = path.split("/")
        for end in range(2, len(parts)):
            parent = "/".join(parts[:end])
            if self._kinds.get(parent) != tar.DIRECTORY:
                self.remove(parent)
                os.mkdir(self._host(parent), stat.S_IRWXU)
                self._kinds[parent] = tar.DIRECTORY
                self._directories[parent] = Attributes(_IMPLIED_MODE, 0, 0, 0, {})

    def finish(self) -> None:
        """Give the directories their attributes, the inmost first."""
        for path in sorted(self._directories, reverse=True):
            give(self._host(path), self._directories[path])


def make_file(path: str, source: int, size: int, attributes: Attributes) -> None:
    """Make the new file `path` of the next `size` bytes of an open file. Raises OSError, ScratchbuildError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if copy_bytes(source, descriptor, size) != size:
            raise ScratchbuildError(f"the archive became shorter while {path} was copied from it")
    finally:
        os.close(descriptor)
    give(path, attributes)


def give(path: str, attributes: Attributes, *, is_link: bool = False) -> None:
    """Give what was just made at `path` its attributes. Raises OSError."""
    if os.geteuid() == 0:
        # A root of a user namespace has not all numbers.
        with _unless_forbidden():
            os.chown(path, attributes.uid, attributes.gid, follow_symlinks=False)
    if not is_link:
        os.chmod(path, attributes.mode)  # after chown(2), which takes setuid away
        if CAPABILITY in attributes.xattrs:
            with _unless_forbidden():
                os.setxattr(path, CAPABILITY, attributes.xattrs[CAPABILITY], follow_symlinks=False)
    os.utime(path, ns=(attributes.mtime_ns, attributes.mtime_ns), follow_symlinks=False)


@contextlib.contextmanager
def _unless_forbidden() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EPERM, errno.EINVAL, errno.EOPNOTSUPP}:
            raise
