"""Two declarations that cannot both be true of one path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            'binaries = [{ source = "/a", target = "/x" }, { source = "/b", target = "/x" }]',
            "binaries[1]: /x is the program /a by binaries[0], so it cannot be the program /b",
        ),
        (
            'binaries = ["one/hello", "two/hello"]',
            (
                "binaries[1]: /bin/hello is the program /p/one/hello by binaries[0], "
                "so it cannot be the program /p/two/hello"
            ),
        ),
        (
            'binaries = [{ source = "/a", target = "/x" }, { source = "/a", target = "//x", mode = "0700" }]',
            "binaries[1]: /x is the program /a by binaries[0], so it cannot be the program /a again",
        ),
        (
            'binaries = [{ source = "/a", target = "/x" }]\nfiles = [{ target = "/./x", content = "" }]',
            "files[0]: /x is the program /a by binaries[0], so it cannot be a file with its own content",
        ),
        (
            'binaries = ["/bin/x"]\nfiles = [{ source = "/a", target = "/bin/" }, { source = "/x", target = "/bin/" }]',
            "files[1]: /bin/x is the program /bin/x by binaries[0], so it cannot be a copy of /x",
        ),
        (
            'files = [{ target = "/x", content = "a" }, { target = "/x", content = "b" }]',
            (
                "files[1]: /x is a file with its own content by files[0], "
                "so it cannot be a file with its own content again"
            ),
        ),
        (
            'files = [{ target = "/x", content = "a" }, { target = "/x/y/z", content = "b" }]',
            "files[1]: /x is a file with its own content by files[0], so /x/y/z cannot be below it",
        ),
        (
            'files = [{ target = "/x/y", content = "a" }, { target = "/x", content = "b" }]',
            "files[0]: /x is a file with its own content by files[1], so /x/y cannot be below it",
        ),
        (
            'binaries = ["/bin/x"]\nfiles = [{ source = "/a", target = "/bin/x/" }]',
            "files[0]: /bin/x is the program /bin/x by binaries[0], so it cannot be a folder to copy into",
        ),
        (
            'binaries = ["/bin/x"]\ndirectories = ["/bin/x/d"]',
            "directories[0]: /bin/x is the program /bin/x by binaries[0], so /bin/x/d cannot be below it",
        ),
        (
            'binaries = ["/bin/x"]\ndirectories = ["/bin/x"]',
            "binaries[0]: /bin/x is a directory of mode 0755 by directories[0], so it cannot be the program /bin/x",
        ),
        (
            'binaries = ["/x"]\ndirectories = ["/d", { path = "/d/", mode = "0700" }]',
            (
                "directories[1]: /d is a directory of mode 0755 by directories[0], "
                "so it cannot be a directory of mode 0700"
            ),
        ),
        (
            'binaries = ["/x"]\ndirectories = ["/d"]\nsymlinks = { "/d" = "e" }',
            'symlinks."/d": /d is a directory of mode 0755 by directories[0], so it cannot be a link to e',
        ),
        (
            'binaries = ["/x"]\nsymlinks = { "/d" = "e", "//d" = "f" }',
            'symlinks."//d": /d is a link to e by symlinks."/d", so it cannot be a link to f',
        ),
        (
            'files = [{ source = "/a", target = "/d" }]\nsymlinks = { "/d" = "e" }',
            'files[0]: /d is a link to e by symlinks."/d", so it cannot be a copy of /a',
        ),
        (
            'files = ["/etc/passwd"]\nusers = [{ name = "a", uid = 1 }]',
            "users: /etc/passwd is a copy of /etc/passwd by files[0], so it cannot be the file of all users",
        ),
        (
            'files = [{ target = "/etc/group", content = "" }]\nusers = [{ name = "a", uid = 1 }]',
            "groups: /etc/group is a file with its own content by files[0], so it cannot be the file of all groups",
        ),
        (
            'files = [{ target = "/lib64", content = "" }]\nlibraries = { layout = "/lib64" }',
            (
                "libraries.layout: /lib64 is a file with its own content by files[0], "
                "so it cannot be the directory of all libraries"
            ),
        ),
        (
            'files = [{ target = "/lib", content = "" }]\nlibraries = { layout = "/lib/x" }',
            "libraries.layout: /lib is a file with its own content by files[0], so /lib/x cannot be below it",
        ),
    ],
)
def test_two_that_cannot_both_be_true_are_refused(refused: Callable[..., list[str]], text: str, error: str) -> None:
    mend = "Give one of them another path." if "below" in error else "Leave one of them out, or give it another path."
    assert refused(f'tags = ["x:1"]\n{text}', alone=True) == [f"{error}\n  {mend}"]


@pytest.mark.parametrize(
    "text",
    [
        'binaries = ["/a", "/a"]',
        'binaries = ["/bin/sh"]\nsymlinks = { "/bin/sh" = "dash" }',
        'binaries = [{ source = "/a", target = "/x" }, { source = "/a", target = "/./x" }]',
        'binaries = ["/usr/bin/a"]\ndirectories = ["/usr", "/usr/bin", "/usr/"]\nlibraries = { layout = "/usr" }',
        'files = [{ target = "/x", content = "a" }, { target = "/x", content = "a" }]',
        'files = [{ source = "/a", target = "/x" }, { source = "/b", target = "/x" }, "/x", "/x/y"]',
        'files = [{ source = "/a", target = "/x/" }, { source = "/b", target = "/x/" }]\ndirectories = ["/x"]',
        'files = [{ source = "/a/*", target = "/" }, { source = "/b", target = "/" }]\ndirectories = ["/"]',
        (
            'files = [{ target = "/lib64/x", content = "" }]\nsymlinks = { "/lib64" = "usr/lib64" }\n'
            'libraries = { layout = "/lib64" }'
        ),
        'files = ["/etc"]\nusers = [{ name = "a", uid = 1 }]',
    ],
)
def test_two_that_may_both_be_true_are_left_to_the_plan(defined: Callable[..., Definition], text: str) -> None:
    defined(f'tags = ["x:1"]\n{text}', alone=True)
