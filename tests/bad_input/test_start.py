"""Images that would not start: no such program, no right to run it, no such user."""

from __future__ import annotations

import json
from typing import Any

import pytest

HELLO = 'binaries = ["../src/hello"]\n'
SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

ENTRYPOINTS = {
    "not in the image": (
        'entrypoint = ["/opt/prog"]\n',
        'entrypoint: "/opt/prog" is not in the image\n  Add it to binaries, or name another.\n',
    ),
    "a typing error": (
        'entrypoint = ["/bin/hallo"]\n',
        'entrypoint: "/bin/hallo" is not in the image\n  Did you mean /bin/hello?\n',
    ),
    "in no folder of the engines' own PATH": (
        'entrypoint = ["prog"]\n',
        f'entrypoint: "prog" is not in the image\'s PATH ({SEARCHED})\n  Write its whole path.\n',
    ),
    "in no folder of the image's PATH": (
        'entrypoint = ["hello"]\nenv = { PATH = "/usr/bin:/opt" }\n',
        'entrypoint: "hello" is not in the image\'s PATH (/usr/bin:/opt)\n  Did you mean /bin/hello?\n',
    ),
    "a command line in one string": (
        'entrypoint = ["hello -x"]\n',
        (
            f'entrypoint: "hello -x" is not in the image\'s PATH ({SEARCHED})\n'
            '  Each argument is a string of its own: ["hello", "-x"].\n'
        ),
    ),
    "relative to the working directory": (
        'entrypoint = ["./hello"]\nworkdir = "/srv"\n',
        'entrypoint: "/srv/hello" is not in the image\n  Did you mean /bin/hello?\n',
    ),
    "a directory": (
        'entrypoint = ["/bin"]\n',
        'entrypoint: "/bin" is a directory\n  Name a program in it.\n',
    ),
    "a dangling link": (
        'entrypoint = ["/run"]\nsymlinks = { "/run" = "/bin/nope" }\n',
        (
            "entrypoint: /run is a dangling link: /run -> /bin/nope, and the image has no /bin/nope\n"
            "  Add /bin/nope to the image, or let the link point to what is there.\n"
        ),
    ),
    "a dangling link on PATH": (
        'entrypoint = ["run"]\nsymlinks = { "/bin/run" = "nope" }\n',
        (
            "entrypoint: /bin/run is a dangling link: /bin/run -> nope, and the image has no /bin/nope\n"
            "  Add /bin/nope to the image, or let the link point to what is there.\n"
        ),
    ),
    "text among the files": (
        'entrypoint = ["/prog"]\nfiles = [{ target = "/prog", content = "echo", mode = "0755" }]\n',
        (
            "entrypoint: /prog: not an ELF file: it begins with b'echo'\n"
            "  A program is an ELF file, or a script whose first line is #!INTERPRETER; "
            "what is neither goes in files.\n"
        ),
    ),
    "a script among the files without its interpreter": (
        'entrypoint = ["/prog"]\nfiles = [{ target = "/prog", content = "#!/bin/sh\\n", mode = "0755" }]\n',
        "entrypoint: /prog is a script for /bin/sh, and the image has no /bin/sh\n  Add to binaries: /bin/sh.\n",
    ),
    "a dynamic program among the files without its loader": (
        'entrypoint = ["/prog"]\nfiles = [{ source = "/bin/true", target = "/prog" }]\n',
        (
            "entrypoint: /prog needs /lib64/ld-linux-x86-64.so.2, and the image has none\n"
            "  Name the program in binaries instead of files: its libraries and their loader come with it.\n"
        ),
    ),
    "a command alone that is not in the image": (
        'entrypoint = []\ncmd = ["prog"]\n',
        f'cmd: "prog" is not in the image\'s PATH ({SEARCHED})\n  Write its whole path.\n',
    ),
}


@pytest.mark.parametrize(("lines", "message"), ENTRYPOINTS.values(), ids=ENTRYPOINTS)
def test_program_that_would_not_start_is_told_before_the_image_is_finished(
    project: Any, lines: str, message: str
) -> None:
    project.refuses(HELLO + lines, f"error: configs/hello.toml: {message}")


@pytest.mark.parametrize("entrypoint", ["", 'entrypoint = ["/bin/hello"]\n', 'entrypoint = ["hello"]\n'])
def test_program_without_the_right_to_run_is_told_with_its_mode(project: Any, entrypoint: str) -> None:
    project.refuses(
        f'binaries = [{{ source = "../src/hello", mode = "0644" }}]\n{entrypoint}',
        'error: configs/hello.toml: entrypoint: "/bin/hello" is not executable: its mode is 0644\n'
        '  Give it mode = "0755" where the definition packs it.\n',
    )


def test_image_of_mere_data_has_to_say_so(project: Any) -> None:
    data = 'files = [{ target = "/srv/data", content = "1" }]\n'
    project.refuses(
        data,
        "error: configs/hello.toml: entrypoint: the image has nothing to run\n"
        '  Name a program: entrypoint = ["/path/in/image"]. Mere data? entrypoint = [].\n',
    )
    project.define(data + "entrypoint = []\n")
    run = project.doit("verify", "engine=sandbox")
    assert (run.status, run.err) == (0, "")
    assert "note: hello: holds mere data (entrypoint = []): there is nothing to run" in run.out
    assert "Entrypoint" not in json.loads((project.cache / "hello" / "config.json").read_bytes()).get("config", {})


STARTS = {
    "found on PATH": ('entrypoint = ["hello"]\n', ["hello"]),
    "through a link": ('entrypoint = ["/run"]\nsymlinks = { "/run" = "bin/hello" }\n', ["/run"]),
    "behind a dangling link on PATH": (
        'entrypoint = ["hello"]\nsymlinks = { "/usr/bin/hello" = "nope" }\n',
        ["hello"],
    ),
    "relative to the working directory": ('entrypoint = ["./hello"]\nworkdir = "/bin"\n', ["./hello"]),
    "in a folder that is a link": (
        'entrypoint = ["/sbin/hello"]\nsymlinks = { "/sbin" = "bin" }\n',
        ["/sbin/hello"],
    ),
    "a static program among the files": (
        'entrypoint = ["/prog"]\nfiles = [{ source = "../src/hello", target = "/prog" }]\n',
        ["/prog"],
    ),
}


@pytest.mark.parametrize(("lines", "vector"), STARTS.values(), ids=STARTS)
def test_program_that_an_engine_finds_is_an_entrypoint(project: Any, lines: str, vector: list[str]) -> None:
    project.define(HELLO + lines)
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    assert json.loads((project.cache / "hello" / "config.json").read_bytes())["config"]["Entrypoint"] == vector


USERS = {
    "no passwd": (
        'user = "app"\n',
        (
            'user "app" is not known in the image: the image has no /etc/passwd\n'
            "  Add it to users, or write its number, which needs no /etc/passwd.\n"
        ),
    ),
    "another user": (
        'user = "app"\nusers = [{ name = "other", uid = 5 }]\n',
        (
            'user "app" is not known in the image: /etc/passwd of the image does not have it\n'
            "  Add it to users, or write its number, which needs no /etc/passwd.\n"
        ),
    ),
    "a group of another name": (
        'user = "app:staff"\nusers = [{ name = "app", uid = 5 }]\n',
        (
            'group "staff" is not known in the image: /etc/group of the image does not have it\n'
            "  Add it to groups, or write its number, which needs no /etc/group.\n"
        ),
    ),
    "a passwd whose line for it is malformed": (
        'user = "app"\nfiles = [{ target = "/etc/passwd", content = "app\\nroot:x:0:0::/:\\n" }]\n',
        (
            'user "app" is not known in the image: /etc/passwd of the image does not have it\n'
            "  Add it to users, or write its number, which needs no /etc/passwd.\n"
        ),
    ),
    "a passwd that is a dangling link": (
        'user = "app"\nsymlinks = { "/etc/passwd" = "/usr/passwd" }\n',
        (
            "/etc/passwd is a dangling link: /etc/passwd -> /usr/passwd, and the image has no /usr/passwd\n"
            "  Add /usr/passwd to the image, or let the link point to what is there.\n"
        ),
    ),
}


@pytest.mark.parametrize(("lines", "what"), USERS.values(), ids=USERS)
def test_user_that_the_image_does_not_know_is_told_with_the_file_that_lacks_it(
    project: Any, lines: str, what: str
) -> None:
    project.refuses(HELLO + lines, f"error: configs/hello.toml: user: {what}")


@pytest.mark.parametrize(
    "lines",
    [
        'user = "1234:5"\n',
        'user = 1234\nsymlinks = { "/etc/passwd" = "/nowhere" }\n',
        'user = "app:staff"\nusers = [{ name = "app", uid = 5 }]\ngroups = [{ name = "staff", gid = 6 }]\n',
        (
            'user = "app"\nsymlinks = { "/etc/passwd" = "/p" }\n'
            'files = [{ target = "/p", content = "app:x:1:1:::\\nbroken\\n" }]\n'
        ),
    ],
    ids=["numbers", "a number beside a dangling passwd", "names of the definition", "a passwd behind a link"],
)
def test_user_that_the_image_knows_is_taken(project: Any, lines: str) -> None:
    project.define(HELLO + lines)
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")


def test_program_and_user_that_are_wrong_are_told_at_once(project: Any) -> None:
    project.refuses(
        HELLO + 'entrypoint = ["/nope"]\nuser = "app"\n',
        'error: configs/hello.toml: entrypoint: "/nope" is not in the image\n'
        "  Add it to binaries, or name another.\n"
        'error: configs/hello.toml: user: user "app" is not known in the image: the image has no /etc/passwd\n'
        "  Add it to users, or write its number, which needs no /etc/passwd.\n",
    )
