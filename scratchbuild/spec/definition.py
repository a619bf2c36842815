"""What an image definition says, after every check that needs no look at the binaries.

Named tuples, because making ten frozen data classes costs 7 ms of every start, these 2.
"""

from __future__ import annotations

from typing import NamedTuple


class Owner(NamedTuple):
    """A user and a group, each a number or a name that the image's own /etc/passwd or /etc/group must know."""

    user: int | str = 0
    group: int | str = 0


class Binary(NamedTuple):
    """A program to pack: `source` an absolute path on this machine, `target` where it goes in the image.

    Without a `target` the image has it at the path that `source` names, links on the way kept (a definition that
    names a source relative to its own file always has a target). `mode` None keeps the
    source's permission bits, without setuid and setgid. `key` is where the definition says so: `binaries[0]`.
    """

    source: str
    key: str
    target: str | None = None
    mode: int | None = None


class File(NamedTuple):
    """A file, folder or glob to copy, or a file whose bytes stand in the definition (`content`, no `source`).

    A `source` with `*`, `?` or `[` is a pattern (glob(7), with `**` for any folders); it has no target or one that
    ends in `/`. A `target` that ends in `/` is a folder to copy into. Without a `target` what is copied keeps its path.
    """

    key: str
    source: str | None = None
    target: str | None = None
    content: bytes | None = None
    mode: int | None = None
    owner: Owner = Owner()


class Directory(NamedTuple):
    """A directory of the image, empty unless others fill it."""

    path: str
    key: str
    mode: int = 0o755
    owner: Owner = Owner()


class Symlink(NamedTuple):
    """A symbolic link of the image: `path` says `text`, which is kept as written."""

    path: str
    text: str
    key: str


class User(NamedTuple):
    """A line of /etc/passwd (passwd(5))."""

    name: str
    uid: int
    gid: int
    comment: str = ""
    home: str = "/"
    shell: str = "/sbin/nologin"


class Group(NamedTuple):
    """A line of /etc/group (group(5))."""

    name: str
    gid: int
    members: tuple[str, ...] = ()


class Library(NamedTuple):
    """One library more: `name` is a soname to be searched, or an absolute path on this machine."""

    name: str
    key: str


class Healthcheck(NamedTuple):
    """Docker's health check. `test` is its argument vector with `NONE`, `CMD` or `CMD-SHELL` first.

    Times are nanoseconds; 0 leaves the engine's default.
    """

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class Verify(NamedTuple):
    """How `doit verify` runs the image, and what it expects. `stdout` None expects nothing; `timeout` in seconds."""

    arguments: tuple[str, ...] = ()
    stdout: str | None = None
    status: int = 0
    timeout: float = 30.0


class Definition(NamedTuple):
    """One image. Every path on this machine is absolute, every path in the image absolute and normal.

    `path` is the definition's own file as it was given, for messages; `name` that file's name without `.toml`.
    `entrypoint` None means the first binary; an empty one means none. `created` is seconds since 1970 (default: the
    environment's SOURCE_DATE_EPOCH, else 0), and the time of every file in the image. `architecture` None means what
    the binaries are. `layout` is `host` or the one directory of the image that holds all libraries.
    """

    name: str
    path: str
    tags: tuple[str, ...]
    binaries: tuple[Binary, ...] = ()
    files: tuple[File, ...] = ()
    directories: tuple[Directory, ...] = ()
    symlinks: tuple[Symlink, ...] = ()
    libraries: tuple[Library, ...] = ()
    layout: str = "host"
    users: tuple[User, ...] = ()
    groups: tuple[Group, ...] = ()
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = "/"
    user: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    author: str = ""
    created: int = 0
    comment: str = ""
    architecture: str | None = None
    layer_name: str = "layer.tar"
    verify: Verify = Verify()
