"""What a container starts with: program, arguments, environment, directory and user, as the image's config says.

As docker does it (moby, daemon/oci_linux.go; runc, libcontainer/user), so that an image runs alike everywhere.
"""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.accounts import GROUP, PASSWD, check_user
from scratchbuild.plan.start import ANY_EXECUTE, DEFAULT_PATH
from scratchbuild.root import Root, normal

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from scratchbuild.oci import ImageConfig

HOSTNAME = "sandbox"

NOT_EXECUTABLE = 126
NOT_FOUND = 127


class Account(NamedTuple):
    """Whom a program runs as: numbers, supplementary groups, and the home directory for `HOME`."""

    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str


class Start(NamedTuple):
    """How the container's program is started. `directories` are made where the image lacks them."""

    program: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    directory: str
    account: Account
    directories: tuple[str, ...]


class NotStarted(Exception):
    """The program cannot be started: why, and the exit status that docker run has for it."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


def start(image: ImageConfig, rootfs: str, arguments: Sequence[str]) -> Start:
    """Return how an image, unpacked in `rootfs`, is started with `arguments`, which take the place of its Cmd.

    Raises NotStarted, and ScratchbuildError for a user that the image does not know.
    """
    vector = (*image.entrypoint, *(arguments or image.cmd))
    if not vector:
        raise NotStarted("the image has neither entrypoint nor cmd, and no arguments were given", NOT_FOUND)
    root = Root(rootfs)
    account = account_of(image.user, root)
    given = dict(image.env)
    environment = {"PATH": DEFAULT_PATH, "HOSTNAME": HOSTNAME, "HOME": account.home} | given
    directory = image.workdir or "/"
    program = _program(vector[0], environment["PATH"], directory, root)
    return Start(program, vector, environment, directory, account, (*image.volumes, directory))


def _program(name: str, search: str, directory: str, root: Root) -> str:
    """Return the path of the program that an engine would start."""
    if "/" in name:
        path = normal(posixpath.join(directory, name))
        if (reason := _hindrance(path, root)) is not None:
            raise NotStarted(f"{name!r}: {reason[0]}", reason[1])
        return path
    for folder in search.split(":"):
        path = normal(posixpath.join(directory, folder, name))
        if _hindrance(path, root) is None:
            return path
    raise NotStarted(f"{name!r}: executable file not found in PATH ({search})", NOT_FOUND)


def _hindrance(path: str, root: Root) -> tuple[str, int] | None:
    """Return why the file at `path` cannot be executed and the status for it, None if nothing is against it."""
    try:
        status = root.resolve(path).status
    except ScratchbuildError:
        # Closed to this user, not to the container's root; or a loop of links, which the kernel will name.
        return None
    if status is None:
        return "no such file or directory", NOT_FOUND
    if stat.S_ISDIR(status.st_mode):
        return "it is a directory", NOT_EXECUTABLE
    if not status.st_mode & ANY_EXECUTE:
        return f"it is not executable, its mode is {status.st_mode & 0o7777:04o}", NOT_EXECUTABLE
    return None


def account_of(user: str, root: Root) -> Account:
    """Return whom the config's `user` means in the image below `root`. Raises ScratchbuildError for an unknown name."""
    passwd, group = _content(PASSWD, root), _content(GROUP, root)
    check_user(user, passwd, group)
    name, _, group_name = user.partition(":")
    name = name or "0"
    uid, gid, home, login = (int(name) if name.isdigit() else 0), 0, "/", ""
    for fields in _lines(passwd, 6):
        if fields[0] == name or fields[2] == name:
            if not (fields[2].isdigit() and fields[3].isdigit()):
                continue
            login, uid, gid, home = fields[0], int(fields[2]), int(fields[3]), fields[5] or "/"
            break
    groups: list[int] = []
    known = [fields for fields in _lines(group, 3) if fields[2].isdigit()]
    if group_name:
        gid = next((int(fields[2]) for fields in known if group_name in {fields[0], fields[2]}), -1)
        gid = int(group_name) if gid < 0 else gid
    else:
        groups = [int(fields[2]) for fields in known if login and login in ",".join(fields[3:4]).split(",")]
    if max(uid, gid, *groups, 0) >= 2**31:
        raise ScratchbuildError(f"the user {user!r} has a number beyond 2147483647", where="User")
    return Account(uid, gid, tuple(groups), home)


def _content(path: str, root: Root) -> bytes | None:
    try:
        return root.read(path)
    except ScratchbuildError:
        return None


def _lines(content: bytes | None, least: int) -> Iterator[list[str]]:
    """Yield the fields of each line that has `least` of them or more."""
    for line in (content or b"").decode("utf-8", "surrogateescape").splitlines():
        fields = line.split(":")
        if len(fields) >= least:
            yield fields
