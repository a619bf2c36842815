"""Sources that are not there, are something else, or cannot be read."""

from __future__ import annotations

import os
import socket
from typing import Any

import pytest

HELLO = 'binaries = ["../src/hello"]\n'
FOLDER = HELLO + 'files = [{ source = "../src/folder", target = "/data" }]\n'


@pytest.mark.parametrize(
    ("source", "what"),
    [
        ("../src/hallo", "src/hallo does not exist\n  Did you mean src/hello?"),
        ("../scr/hello", "scr/hello does not exist: there is no ./scr\n  Did you mean src/hello?"),
        (
            "../src/x/hello",
            "src/x/hello does not exist: there is no src/x\n  Write the path that it has, or make it first.",
        ),
        ("../src/hello/x", "src/hello/x does not exist: src/hello is a regular file"),
        ("../src", "./src is a directory, not a program\n  Name the program in it; whole folders belong in files."),
        ("/dev/null", "/dev/null is a character device, not a program\n  Name a program."),
    ],
)
def test_binary_that_is_not_there_or_no_file_is_told_with_what_was_meant(project: Any, source: str, what: str) -> None:
    project.refuses(f'binaries = ["{source}"]\n', f"error: configs/hello.toml: binaries[0]: {what}\n")


def test_binary_with_a_typing_error_in_the_machines_own_folder_is_guessed(project: Any) -> None:
    project.refuses(
        'binaries = ["/usr/bin/bahs"]\n',
        "error: configs/hello.toml: binaries[0]: /usr/bin/bahs does not exist\n  Did you mean /usr/bin/bash?\n",
    )


def test_fifo_as_binary_is_refused_and_never_opened(project: Any) -> None:
    os.mkfifo(project.src / "fifo")
    project.refuses(
        'binaries = ["../src/fifo"]\n',
        "error: configs/hello.toml: binaries[0]: src/fifo is a FIFO, not a program\n  Name a program.\n",
    )


def test_socket_as_binary_is_refused(project: Any) -> None:
    listen(project, "socket")
    project.refuses(
        'binaries = ["../src/socket"]\n',
        "error: configs/hello.toml: binaries[0]: src/socket is a socket, not a program\n  Name a program.\n",
    )


def listen(project: Any, name: str) -> None:
    """Make a socket in `src`; its path as the system call takes it must be short."""
    here = os.getcwd()
    os.chdir(project.src)
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(name)
    finally:
        os.chdir(here)


def test_dangling_link_as_binary_says_what_it_points_to(project: Any) -> None:
    (project.src / "link").symlink_to("nowhere")
    project.refuses(
        'binaries = ["../src/link"]\n',
        "error: configs/hello.toml: binaries[0]: src/link is a dangling link: src/link -> nowhere, "
        "and src/nowhere is missing\n"
        "  Repair the link, or name the file itself.\n",
    )


def test_links_of_this_machine_in_a_loop_are_told(project: Any) -> None:
    (project.src / "one").symlink_to("two")
    (project.src / "two").symlink_to("one")
    project.refuses(
        'binaries = ["../src/one"]\n',
        "error: configs/hello.toml: binaries[0]: too many links in a row at src/one (a loop?): ... src/two -> one\n"
        "  Repair one of the links, or name the file itself.\n",
    )


@pytest.mark.engine("setpriv")
def test_binary_that_its_user_may_not_read_is_told_with_its_mode(project: Any, ordinary_user: Any) -> None:
    project.source("secret", "x", 0o311)
    project.refuses(
        'binaries = ["../src/secret"]\n',
        "error: configs/hello.toml: binaries[0]: cannot read src/secret: permission denied (its mode is 0311)\n"
        "  Build as a user who may read it, or give everybody the right: chmod a+r src/secret\n",
        before=ordinary_user,
    )


@pytest.mark.engine("setpriv")
def test_folder_that_its_user_may_not_enter_is_told(project: Any, ordinary_user: Any) -> None:
    project.source("closed/hello").parent.chmod(0)
    project.refuses(
        'binaries = ["../src/closed/hello"]\n',
        "error: configs/hello.toml: binaries[0]: cannot look at src/closed/hello: permission denied\n"
        "  Change its permissions, or build as a user who may.\n",
        before=ordinary_user,
    )
    (project.src / "closed").chmod(0o755)


@pytest.mark.engine("setpriv")
def test_all_that_cannot_be_read_in_a_folder_is_told_at_once(project: Any, ordinary_user: Any) -> None:
    project.source("folder/fine", "x", 0o644)
    project.source("folder/secret", "x", 0)
    project.source("folder/closed/x", "x").parent.chmod(0)
    project.refuses(
        FOLDER,
        "error: configs/hello.toml: files[0]: cannot list src/folder/closed: permission denied\n"
        "  Change its permissions, or build as a user who may.\n"
        "error: configs/hello.toml: files[0]: cannot read src/folder/secret: permission denied (its mode is 0000)\n"
        "  Build as a user who may read it, or give everybody the right: chmod a+r src/folder/secret\n",
        before=ordinary_user,
    )
    (project.src / "folder" / "closed").chmod(0o755)


def test_special_files_in_a_copied_folder_are_refused_by_name_and_never_opened(project: Any) -> None:
    project.source("folder/fine", "x")
    os.mkfifo(project.src / "folder" / "fifo")
    listen(project, "folder/socket")
    (project.src / "folder" / "loop").symlink_to(".")
    mend = "  Remove it, or name the files beside it one by one; engines make /dev themselves.\n"
    project.refuses(
        FOLDER,
        f"error: configs/hello.toml: files[0]: src/folder/fifo is a FIFO, and those are not packed\n{mend}"
        f"error: configs/hello.toml: files[0]: src/folder/socket is a socket, and those are not packed\n{mend}",
    )


def test_device_in_a_pattern_is_refused_by_name(project: Any) -> None:
    project.refuses(
        HELLO + 'files = [{ source = "/dev/nul[l]", target = "/data/" }]\n',
        "error: configs/hello.toml: files[0]: /dev/null is a character device, and those are not packed\n"
        "  Remove it, or name the files beside it one by one; engines make /dev themselves.\n",
    )


def test_link_to_its_own_folder_is_copied_as_a_link_and_not_followed(project: Any) -> None:
    project.source("folder/fine", "x")
    (project.src / "folder" / "loop").symlink_to(".")
    project.define(FOLDER)
    assert project.doit("build").err == ""
    assert os.readlink(project.cache / "hello" / "rootfs" / "data" / "loop") == "."


@pytest.mark.parametrize(
    ("name", "what"),
    [
        (b"a\xff", "the name b'a\\xff' in src/folder is not UTF-8, and names in an image are\n  Rename it."),
        (
            b".wh.a",
            (
                'src/folder/.wh.a: a name that starts with ".wh." removes a file when a layer is unpacked\n'
                "  Rename it, or leave it out."
            ),
        ),
    ],
    ids=["not UTF-8", "whiteout"],
)
def test_name_in_a_copied_folder_that_no_image_can_hold_is_told(project: Any, name: bytes, what: str) -> None:
    project.source("folder/fine", "x")
    with open(os.path.join(os.fsencode(project.src), b"folder", name), "wb"):
        pass
    project.refuses(FOLDER, f"error: configs/hello.toml: files[0]: {what}\n")


def test_name_with_an_end_of_line_is_packed(project: Any) -> None:
    project.source("folder/a\nb", "x")
    project.define(FOLDER)
    assert project.doit("build").err == ""
    assert (project.cache / "hello" / "rootfs" / "data" / "a\nb").read_text() == "x"


def test_link_in_a_copied_folder_that_climbs_out_of_the_image_is_refused(project: Any) -> None:
    project.source("folder/fine", "x")
    (project.src / "folder" / "out").symlink_to("../../etc/passwd")
    project.refuses(
        FOLDER,
        "error: configs/hello.toml: files[0]: the link src/folder/out -> ../../etc/passwd climbs out of the image "
        "from /data/out\n"
        "  Make it anew with fewer .., or leave it out.\n",
    )


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (
            "../src/nothing*",
            (
                "nothing matches src/nothing*\n"
                "  A name that begins with a dot is matched only by a pattern that has the dot; "
                "** stands for any folders."
            ),
        ),
        ("/no/such/folder/*", "nothing matches /no/such/folder/*: there is no /no"),
    ],
)
def test_pattern_that_matches_nothing_is_told(project: Any, source: str, what: str) -> None:
    project.refuses(
        f'{HELLO}files = [{{ source = "{source}", target = "/data/" }}]\n',
        f"error: configs/hello.toml: files[0]: {what}\n",
    )


def test_everything_that_is_missing_is_told_at_once(project: Any) -> None:
    project.refuses(
        'binaries = ["../src/hallo", "../src/hello", "/usr/bin/bahs"]\n'
        'files = [{ source = "../src/none", target = "/none" }, "/etc/hostss"]\n',
        "error: configs/hello.toml: binaries[0]: src/hallo does not exist\n"
        "  Did you mean src/hello?\n"
        "error: configs/hello.toml: binaries[2]: /usr/bin/bahs does not exist\n"
        "  Did you mean /usr/bin/bash?\n"
        "error: configs/hello.toml: files[0]: src/none does not exist\n"
        "  Write the path that it has, or make it first.\n"
        "error: configs/hello.toml: files[1]: /etc/hostss does not exist\n"
        "  Did you mean /etc/hosts?\n",
    )


def test_owner_that_nobody_defines_is_told(project: Any) -> None:
    project.refuses(
        HELLO
        + 'files = [{ target = "/x", content = "", owner = "app" }]\ndirectories = [{ path = "/y", owner = "0:g" }]\n',
        'error: configs/hello.toml: directories[0].owner: no group is called "g"\n'
        "  Add it to groups, or write its number. Known: root.\n",
    )
