"""Two entries for one path, files in the way of folders, loops; and what is no clash though it looks like one."""

from __future__ import annotations

import os
import tarfile
from typing import Any

import pytest

HELLO = 'binaries = ["../src/hello"]\n'
MEND = "  Give one of them another target, or leave it out.\n"
FIRST = "error: configs/hello.toml: "


@pytest.fixture(autouse=True)
def sources(project: Any) -> None:
    """Two different files, and a folder that has a third."""
    project.source("one", "1", 0o644)
    project.source("two", "2", 0o644)
    project.source("folder/x/y", "3", 0o644)


CLASHES = {
    "two files": (
        'files = [{ source = "../src/one", target = "/x" }, { source = "../src/two", target = "//./x" }]\n',
        (f"two entries want /x: a file from src/one (files[0]), and a file from src/two (files[1])\n{MEND}"),
    ),
    "a file and its own content": (
        'files = [{ target = "/x", content = "1" }, { target = "/x", content = "2" }]\n',
        (
            "files[1]: /x is a file with its own content by files[0], "
            "so it cannot be a file with its own content again\n"
            "  Leave one of them out, or give it another path.\n"
        ),
    ),
    "a file and what would be below it": (
        'files = [{ source = "../src/one", target = "/x" }, { source = "../src/two", target = "/x/y" }]\n',
        f"/x is a file from src/one (files[0]), so /x/y cannot be below it: a file from src/two (files[1])\n{MEND}",
    ),
    "a file and a folder that is copied": (
        'files = [{ source = "../src/one", target = "/data/x" }, { source = "../src/folder", target = "/data" }]\n',
        f"two entries want /data/x: a file from src/one (files[0]), and a directory (files[1])\n{MEND}",
    ),
    "a file and another in a folder that is copied": (
        'files = [{ source = "../src/folder", target = "/data" }, { source = "../src/one", target = "/data/x/y" }]\n',
        (
            "two entries want /data/x/y: a file from src/folder/x/y (files[0]), "
            f"and a file from src/one (files[1])\n{MEND}"
        ),
    ),
    "a program and a directory": (
        'directories = ["/bin/hello"]\n',
        (
            "binaries[0]: /bin/hello is a directory of mode 0755 by directories[0], "
            "so it cannot be the program src/hello\n"
            "  Leave one of them out, or give it another path.\n"
        ),
    ),
    "a program and a link": (
        'symlinks = { "/bin/hello" = "x" }\n',
        (
            'binaries[0]: /bin/hello is a link to x by symlinks."/bin/hello", so it cannot be the program src/hello\n'
            "  Leave one of them out, or give it another path.\n"
        ),
    ),
    "two modes of one directory": (
        'directories = [{ path = "/data", mode = "1777" }]\nfiles = [{ source = "../src/folder", target = "/data" }]\n',
        (
            "two entries want /data: a directory of mode 1777 (directories[0]), "
            f"and a directory of mode 0755 (files[0])\n{MEND}"
        ),
    ),
    "two owners of one file": (
        (
            'files = [{ source = "../src/one", target = "/x" }, '
            '{ source = "../src/one*", target = "/", owner = "1:2" }, { source = "../src/on[e]", target = "/" }]\n'
        ),
        (
            f"two entries want /one: a file from src/one of owner 1:2 (files[1]), and a file from src/one of owner 0:0 "
            f"(files[2])\n{MEND}"
        ),
    ),
    "a file that users would write": (
        'users = [{ name = "app", uid = 1 }]\nfiles = [{ target = "/etc/passwd", content = "x" }]\n',
        (
            "users: /etc/passwd is a file with its own content by files[0], so it cannot be the file of all users\n"
            "  Leave one of them out, or give it another path.\n"
        ),
    ),
    "a loop of links": (
        'symlinks = { "/a" = "b", "/b" = "a" }\n',
        (
            'symlinks."/a": /a never ends: the links form a loop at /a -> b\n'
            "  Let one of them point to a real path.\n"
            'error: configs/hello.toml: symlinks."/b": /b never ends: the links form a loop at /b -> a\n'
            "  Let one of them point to a real path.\n"
        ),
    ),
    "a file below a loop of links": (
        'symlinks = { "/a" = "/a" }\nfiles = [{ target = "/a/x", content = "" }]\n',
        ('symlinks."/a": /a never ends: the links form a loop at /a -> /a\n  Let one of them point to a real path.\n'),
    ),
}


@pytest.mark.parametrize(("lines", "message"), CLASHES.values(), ids=CLASHES)
def test_two_that_want_one_path_are_told_with_both_and_the_path(project: Any, lines: str, message: str) -> None:
    project.refuses(HELLO + lines, FIRST + message)


def members(project: Any) -> dict[str, tarfile.TarInfo]:
    """Return the layer's members by their names."""
    with tarfile.open(project.cache / "hello" / "layer.tar") as layer:
        return {member.name: member for member in layer}


@pytest.mark.parametrize(
    "lines",
    [
        'files = [{ source = "../src/one", target = "/x" }, { source = "../src/one", target = "/./x" }]\n',
        'files = [{ target = "/x", content = "1" }, { target = "//x", content = "1" }]\n',
        (
            'files = [{ source = "../src/folder", target = "/data" }, '
            '{ source = "../src/folder/x", target = "/data/x" }]\n'
        ),
        'directories = ["/data", "/data/x"]\nfiles = [{ source = "../src/folder", target = "/data" }]\n',
    ],
    ids=["one file twice", "one content twice", "a folder and what is in it", "a folder and its directories"],
)
def test_two_that_want_the_same_at_one_path_are_one(project: Any, lines: str) -> None:
    project.define(HELLO + lines)
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    with tarfile.open(project.cache / "hello" / "layer.tar") as layer:
        names = layer.getnames()
    assert len(names) == len(set(names))


def test_programs_by_both_names_of_a_merged_directory_are_in_it_once(project: Any, hello: bytes) -> None:
    host = project.folder / "host"
    project.source("../host/usr/bin/a", hello)
    project.source("../host/usr/bin/b", hello + b"b")
    (host / "bin").symlink_to("usr/bin")
    project.define(f'binaries = ["{host}/bin/a", "{host}/usr/bin/b"]\n')
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    found = members(project)
    prefix = str(host)[1:]
    assert found[f"{prefix}/bin"].linkname == "usr/bin"
    assert {
        name.removeprefix(prefix): member.type for name, member in found.items() if name.startswith(f"{prefix}/")
    } == {
        "/bin": tarfile.SYMTYPE,
        "/usr": tarfile.DIRTYPE,
        "/usr/bin": tarfile.DIRTYPE,
        "/usr/bin/a": tarfile.REGTYPE,
        "/usr/bin/b": tarfile.REGTYPE,
    }


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o077])
def test_image_does_not_depend_on_the_umask(project: Any, umask: int) -> None:
    project.define(
        HELLO + 'directories = [{ path = "/tmp", mode = "1777" }]\n'
        'files = [{ target = "/tmp/below", content = "" }, { source = "../src/folder", target = "/a/b/c" }]\n'
    )
    before = os.umask(umask)
    try:
        run = project.doit("build", cache=f"cache{umask}")
    finally:
        os.umask(before)
    assert (run.status, run.err) == (0, "")
    with tarfile.open(project.folder / f"cache{umask}" / "hello" / "layer.tar") as layer:
        found = {member.name: (oct(member.mode), member.uid, member.gid) for member in layer}
    assert found == {
        "a": ("0o755", 0, 0),
        "a/b": ("0o755", 0, 0),
        "a/b/c": ("0o755", 0, 0),
        "a/b/c/x": ("0o755", 0, 0),
        "a/b/c/x/y": ("0o644", 0, 0),
        "bin": ("0o755", 0, 0),
        "bin/hello": ("0o755", 0, 0),
        "tmp": ("0o1777", 0, 0),
        "tmp/below": ("0o644", 0, 0),
    }
