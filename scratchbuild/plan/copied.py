"""What a path of this machine becomes in the image: one file, or a folder with all that is in it."""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.files import kind_of
from scratchbuild.plan.place import LINK_MODE, check_link
from scratchbuild.rootfs import Entry
from scratchbuild.state.imprint import capability

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.root import Root

PERMISSIONS = 0o777
# struct vfs_cap_data (linux/capability.h): magic, and two words of permitted and inheritable capabilities each.
_CAPABILITY_2_BYTES = 20
_WHITEOUT = ".wh."
_MOST_PATH_BYTES = 4095


class Copied:
    """Makes the entries of one line of a definition; what is wrong with any of them gathers in `errors`.

    `reason` is the line's key. `mode` replaces that of files; folders keep theirs, or nobody could enter them.
    """

    def __init__(self, reason: str, mode: int | None, root: Root) -> None:
        self._reason = reason
        self._mode = mode
        self._root = root
        self.errors: list[ScratchbuildError] = []

    def entries(self, source: str, path: str) -> Iterator[Entry]:
        """Yield what `source`, whose parents hold no links, becomes at `path` in the image."""
        try:
            entry = self._entry(source, path)
        except ScratchbuildError as error:
            self.errors.append(error)
            return
        yield entry
        if entry.kind == "directory":
            for name in self._names(source):
                yield from self.entries(posixpath.join(source, name), posixpath.join(path, name))

    def _names(self, folder: str) -> list[str]:
        try:
            return self._root.names(folder)
        except ScratchbuildError as error:
            self.errors.append(error)
            return []

    def _entry(self, source: str, path: str) -> Entry:
        status = self._root.lstat(source)
        if status is None:
            raise ScratchbuildError(f"{source} went away while it was being read", mend="Build again.")
        _check_name(source, path)
        permissions = status.st_mode & PERMISSIONS
        if stat.S_ISREG(status.st_mode):
            host = self._root.host(source)
            if not os.access(host, os.R_OK):
                raise ScratchbuildError(
                    f"cannot read {source}: permission denied (its mode is {permissions:04o})",
                    mend=f"Build as a user who may read it, or give everybody the right: chmod a+r {source}",
                )
            attribute = portable(capability(host), source)
            mode = permissions if self._mode is None else self._mode
            return Entry(path, "file", mode, self._reason, source=source, capability=attribute)
        if stat.S_ISLNK(status.st_mode):
            text = self._root.text(source)
            if not _is_utf8(text):
                raise ScratchbuildError(
                    f"the link {source} says {os.fsencode(text)!r}, which is not UTF-8", mend="Make it anew."
                )
            check_link(text, path, source)
            return Entry(path, "symlink", LINK_MODE, self._reason, link=text)
        if stat.S_ISDIR(status.st_mode):
            return Entry(path, "directory", permissions, self._reason)
        raise ScratchbuildError(
            f"{source} is {kind_of(status.st_mode)}, and those are not packed",
            mend="Remove it, or name the files beside it one by one; engines make /dev themselves.",
        )


def _check_name(source: str, path: str) -> None:
    """Raise ScratchbuildError for a name that no image can hold."""
    name = posixpath.basename(path)
    if not _is_utf8(path):
        folder = posixpath.dirname(source)
        raise ScratchbuildError(
            f"the name {os.fsencode(name)!r} in {folder} is not UTF-8, and names in an image are", mend="Rename it."
        )
    if name.startswith(_WHITEOUT):
        raise ScratchbuildError(
            f'{source}: a name that starts with "{_WHITEOUT}" removes a file when a layer is unpacked',
            mend="Rename it, or leave it out.",
        )
    if len(path.encode()) > _MOST_PATH_BYTES:
        raise ScratchbuildError(f"{path[:60]}... would be longer than {_MOST_PATH_BYTES} bytes", mend="Rename it.")


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


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
