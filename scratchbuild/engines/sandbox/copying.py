"""A copy of an unpacked root file system, for a container that cannot have a throwaway layer over the stored one."""

from __future__ import annotations

import os
import stat

from scratchbuild.engines.sandbox.unpack import CAPABILITY, Attributes, give, make_file
from scratchbuild.errors import from_os_error


def copy_tree(source: str, target: str) -> None:
    """Copy the directory `source` to the new directory `target`, attributes and hard links too.

    Raises ScratchbuildError.
    """
    names: dict[tuple[int, int], str] = {}
    directories: list[tuple[str, Attributes]] = []
    waiting = [(source, target)]
    try:
        while waiting:
            original, copy = waiting.pop()
            status = os.lstat(original)
            attributes = _attributes(original, status)
            identity = (status.st_dev, status.st_ino)
            if stat.S_ISDIR(status.st_mode):
                os.mkdir(copy, stat.S_IRWXU)
                directories.append((copy, attributes))
                waiting += [(f"{original}/{name}", f"{copy}/{name}") for name in os.listdir(original)]
            elif stat.S_ISLNK(status.st_mode):
                os.symlink(os.readlink(original), copy)
                give(copy, attributes, is_link=True)
            elif identity in names:
                os.link(names[identity], copy)
            else:
                descriptor = os.open(original, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
                try:
                    make_file(copy, descriptor, status.st_size, attributes)
                finally:
                    os.close(descriptor)
                names[identity] = copy
        for copy, attributes in reversed(directories):
            give(copy, attributes)
    except OSError as error:
        raise from_os_error(error, f"copy {error.filename or source}") from error


def _attributes(path: str, status: os.stat_result) -> Attributes:
    xattrs = {}
    if stat.S_ISREG(status.st_mode) and CAPABILITY in os.listxattr(path, follow_symlinks=False):
        xattrs[CAPABILITY] = os.getxattr(path, CAPABILITY, follow_symlinks=False)
    return Attributes(stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns, xattrs)
