"""Opening a file to read it safely; writing, by which a file is whole or absent: nobody else opens for writing."""

from __future__ import annotations

import contextlib
import errno
import itertools
import os
import re
import shutil
import stat
from typing import TYPE_CHECKING, BinaryIO, cast

from scratchbuild.digest import Mapped, fingerprint
from scratchbuild.errors import ScratchbuildError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# `.NAME.PID-N.partial`: the process and a number within it, so that no two writers meet.
_PARTIAL = re.compile(r"\..+\.\d+-\d+\.partial")
_numbers = itertools.count()

COPY_BYTES = 1 << 30
BUFFER_BYTES = 1 << 20


def partial_name(path: str) -> str:
    """Return a fresh name beside `path`, one that `sweep` would remove."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f".{name[:200]}.{os.getpid()}-{next(_numbers)}.partial")


_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFREG: "a regular file",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def kind_of(mode: int) -> str:
    """Return in words what a file of this `st_mode` is: `a FIFO`."""
    return _KINDS.get(stat.S_IFMT(mode), "something unknown")


@contextlib.contextmanager
def opened(path: str, name: str = "") -> Iterator[tuple[int, os.stat_result]]:
    """Yield the regular file `path`, open for reading, and what its status was then.

    A last link is not followed and a FIFO not waited for. `name` is what a person calls the file, if not by its path.
    Raises ScratchbuildError if it cannot be opened or is no regular file.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise from_os_error(error, f"read {name or path}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            message = f"cannot read {name or path}: it is {kind_of(status.st_mode)}"
            raise ScratchbuildError(message)
        yield descriptor, status
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def beside(path: str, mode: int = 0o644) -> Iterator[BinaryIO]:
    """Yield a file to write; on a clean exit it replaces `path` in one step, otherwise nothing is left.

    The file gets exactly `mode`, whatever the umask. Raises OSError.
    """
    partial = partial_name(path)
    descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield cast("BinaryIO", file)
            file.flush()
            os.fchmod(file.fileno(), mode)
        _put(partial, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(partial)
        raise


def write(path: str, data: bytes, mode: int = 0o644) -> None:
    """Make `path` hold `data`, in one step. Raises OSError."""
    with beside(path, mode) as file:
        file.write(data)


def copy_bytes(source: int, target: int, count: int) -> int:
    """Copy up to `count` bytes from one open file's offset to another's, by the kernel where it can; return how many.

    Fewer than `count` means that the source ended early. Raises OSError.
    """
    left = count
    while left:
        try:
            copied = os.copy_file_range(source, target, min(left, COPY_BYTES))
        except OSError as error:
            # Different file systems on old kernels, files of /proc, and file systems without the call.
            if error.errno not in {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM}:
                raise
            return count - left + _copy_through_memory(source, target, left)
        if copied == 0:
            # Some pseudo files answer 0 here and still have bytes to read.
            return count - left + _copy_through_memory(source, target, left)
        left -= copied
    return count


def _copy_through_memory(source: int, target: int, count: int) -> int:
    left = count
    while left:
        piece = os.read(source, min(left, BUFFER_BYTES))
        if not piece:
            break
        view = memoryview(piece)
        while view:
            view = view[os.write(target, view) :]
        left -= len(piece)
    return count - left


def copy(source: int, path: str, mode: int) -> tuple[int, str]:
    """Copy an open regular file to `path` in one step; return the copy's size and XXH3-128.

    The fingerprint is that of the bytes that were written, so it is right also when the source changes meanwhile.
    Never shares an inode with the source. Raises OSError.
    """
    os.lseek(source, 0, os.SEEK_SET)
    with beside(path, mode) as file:
        size = copy_bytes(source, file.fileno(), os.fstat(source).st_size)
        with Mapped(file.fileno()) as data:
            return size, fingerprint(data)


def make_directory(path: str, mode: int) -> None:
    """Make `path` a real directory of exactly `mode`: a link or file of that name is removed first. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path)
    os.chmod(path, mode)


def make_symlink(text: str, path: str) -> None:
    """Make `path` a symbolic link that says `text`, in one step. Raises OSError."""
    _place(lambda partial: os.symlink(text, partial), path)


def make_hardlink(existing: str, path: str) -> None:
    """Make `path` one more name of the file `existing`, in one step. Raises OSError."""
    # rename(2) does nothing when both names are the same file, so the old name goes first.
    remove(path)
    os.link(existing, path, follow_symlinks=False)


def _place(make: Callable[[str], None], path: str) -> None:
    partial = partial_name(path)
    make(partial)
    try:
        _put(partial, path)
    except BaseException:
        os.unlink(partial)
        raise


def _put(partial: str, path: str) -> None:
    """Give a finished file or link its name. A folder of that name goes: what is built was another thing before."""
    try:
        os.replace(partial, path)
    except IsADirectoryError:
        remove(path)
        os.replace(partial, path)


def remove(path: str) -> None:
    """Remove a file, link or whole directory, whatever the modes of the directories in it; links are not followed.

    Nothing happens when it is absent. Raises OSError.
    """
    try:
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            os.unlink(path)
            return
        try:
            shutil.rmtree(path)
        except PermissionError:
            _open_up(path)
            shutil.rmtree(path)
    except FileNotFoundError:
        return


def _open_up(folder: str) -> None:
    """Let the owner into `folder` and all directories in it."""
    waiting = [folder]
    while waiting:
        parent = waiting.pop()
        os.chmod(parent, stat.S_IRWXU)
        with os.scandir(parent) as entries:
            waiting += [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]


def sweep(folder: str, *, deep: bool = True) -> list[str]:
    """Remove what killed writers left below `folder`, or just in it; return the paths. Links are not followed."""
    swept = []
    for parent, directories, names in os.walk(folder):
        if not deep:
            directories.clear()
        for name in names:
            if name.endswith(".partial") and _PARTIAL.fullmatch(name):
                path = os.path.join(parent, name)
                remove(path)
                swept.append(path)
    return swept
