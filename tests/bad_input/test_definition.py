"""Mistakes in the text of a definition: each is told with file, key, value and what mends it."""

from __future__ import annotations

import json
import os
import tarfile
from typing import Any

import pytest

HELLO = 'binaries = ["../src/hello"]\n'

MISTAKES = {
    "an unknown key gets the nearest right one": (
        'tags = ["hello:v1"]\nbinarys = ["../src/hello"]\n',
        (
            'error: configs/hello.toml: binarys: unknown key "binarys"\n'
            '  Did you mean "binaries"?\n'
            "error: configs/hello.toml: there is nothing to pack: no binaries, no files, no libraries\n"
            '  Name a program: binaries = ["/path/to/hello"]\n'
        ),
    ),
    "an unknown key in a table gets the nearest right one": (
        'binaries = [{ source = "../src/hello", traget = "/bin/hello" }]\n',
        'error: configs/hello.toml: binaries[0].traget: unknown key "traget"\n  Did you mean "target"?\n',
    ),
    "a key of another tool is translated": (
        HELLO + 'environment = { PATH = "/bin" }\n',
        'error: configs/hello.toml: environment: unknown key "environment"\n  Did you mean "env"?\n',
    ),
    "a value of the wrong type": (
        "binaries = 5\n",
        (
            "error: configs/hello.toml: binaries: expected an array of paths or tables, got the integer 5\n"
            '  Write it like this: binaries = ["/bin/echo", { source = "../build/hello", target = "/bin/hello", '
            'mode = "0755" }]\n'
        ),
    ),
    "a mode that is a number": (
        'binaries = [{ source = "../src/hello", mode = 755 }]\n',
        (
            "error: configs/hello.toml: binaries[0].mode: a mode is a string: "
            "an integer would not say whether it is octal\n"
            '  Write the mode as a string of octal digits, such as "0755" or "1777".\n'
        ),
    ),
    "a tag in upper case": (
        'tags = ["Hello:v1"]\n' + HELLO,
        'error: configs/hello.toml: tags[0]: "Hello:v1": the name must be lower case\n  Write "hello:v1".\n',
    ),
    "a tag without a tag": (
        'tags = ["hello"]\n' + HELLO,
        'error: configs/hello.toml: tags[0]: "hello" has no tag\n  Write "hello:latest" or "hello:v1".\n',
    ),
    "one tag twice": (
        'tags = ["hello:v1", "docker.io/library/hello:v1"]\n' + HELLO,
        (
            "error: configs/hello.toml: tags[1]: the same tag as tags[0]: docker.io/library/hello:v1\n"
            "  Leave one of them out.\n"
        ),
    ),
    "a variable whose name has an equals sign": (
        HELLO + 'env = { "A=B" = "c" }\n',
        (
            'error: configs/hello.toml: env."A=B": the name of a variable cannot hold "="\n'
            '  Write it like this: env = { PATH = "/bin", LANG = "C.UTF-8" }\n'
        ),
    ),
    "a variable that is a number": (
        HELLO + "env = { N = 5 }\n",
        'error: configs/hello.toml: env.N: expected a string, got the integer 5\n  Write it in quotes: N = "5"\n',
    ),
    "a variable without a value": (
        HELLO + 'env = ["HOME"]\n',
        'error: configs/hello.toml: env[0]: "HOME" has no "="\n  Write "HOME=value", or leave it out.\n',
    ),
    "a value without quotes, with line and column": (
        'tags = ["hello:v1"]\nbinaries = [hello]\n',
        (
            "error: configs/hello.toml: line 2, column 13: invalid value\n"
            "    binaries = [hello]\n"
            "                ^\n"
            '  Strings are written in quotes: "hello:v1".\n'
        ),
    ),
    "a bracket that is not closed, with line and column": (
        'tags = ["hello:v1"]\nbinaries = ["../src/hello"\n',
        (
            "error: configs/hello.toml: line 2, column 27: unclosed array\n"
            '    binaries = ["../src/hello"\n'
            "                              ^\n"
            "  The text ends too early: a value is missing, or a quote or a bracket is not closed.\n"
        ),
    ),
    "a target with two dots": (
        'binaries = [{ source = "../src/hello", target = "/a/../../x" }]\n',
        (
            'error: configs/hello.toml: binaries[0].target: "/a/../../x" has ".." in it, which could leave the image\n'
            "  Write the path without it.\n"
        ),
    ),
    "a target that is no path of the image": (
        'binaries = [{ source = "../src/hello", target = "../x" }]\n',
        (
            'error: configs/hello.toml: binaries[0].target: "../x" is not an absolute path in the image\n'
            "  Write the whole path, from / on.\n"
        ),
    ),
    "a directory outside the image": (
        HELLO + 'directories = ["/../etc"]\n',
        (
            'error: configs/hello.toml: directories[0]: "/../etc" has ".." in it, which could leave the image\n'
            "  Write the path without it.\n"
        ),
    ),
    "a link that climbs out of the image": (
        HELLO + 'symlinks = { "/a" = "../../x" }\n',
        (
            'error: configs/hello.toml: symlinks."/a": "../../x" climbs out of the image from "/a"\n'
            '  Write fewer "..", or an absolute path in the image.\n'
        ),
    ),
    "a source below the home folder by its tilde": (
        'binaries = ["~/hello"]\n',
        (
            'error: configs/hello.toml: binaries[0]: "~/hello": "~" is not expanded\n'
            '  Write the whole path, or "./~/hello" for a file beside the definition that is called so.\n'
        ),
    ),
    "a source with a variable in it": (
        'binaries = ["$HOME/hello"]\n',
        (
            'error: configs/hello.toml: binaries[0]: "$HOME/hello": variables are not expanded\n'
            '  Write the path itself; "$$" stands for a real "$".\n'
        ),
    ),
    "an entrypoint that is one string": (
        HELLO + 'entrypoint = "/bin/hello --loud"\n',
        (
            'error: configs/hello.toml: entrypoint: expected an array of strings, got the string "/bin/hello --loud", '
            "which no shell would split\n"
            '  Write one string for each argument: entrypoint = ["/bin/hello", "--loud"]\n'
        ),
    ),
}


@pytest.mark.parametrize(("definition", "message"), MISTAKES.values(), ids=MISTAKES)
def test_mistake_in_a_definition_is_told_with_its_key_and_mended(project: Any, definition: str, message: str) -> None:
    project.refuses(definition, message)


def test_all_mistakes_of_a_definition_are_told_at_once(project: Any) -> None:
    project.refuses(
        'tags = ["Hello:v1", "x"]\nbinaries = ["~/hello", { target = "x" }]\nworkdri = "/"\nenv = { N = 5 }\n',
        'error: configs/hello.toml: tags[0]: "Hello:v1": the name must be lower case\n'
        '  Write "hello:v1".\n'
        'error: configs/hello.toml: tags[1]: "x" has no tag\n'
        '  Write "x:latest" or "x:v1".\n'
        'error: configs/hello.toml: binaries[0]: "~/hello": "~" is not expanded\n'
        '  Write the whole path, or "./~/hello" for a file beside the definition that is called so.\n'
        'error: configs/hello.toml: binaries[1].target: "x" is not an absolute path in the image\n'
        '  Write "/x".\n'
        'error: configs/hello.toml: binaries[1]: "source" is missing\n'
        '  Write it like this: binaries = ["/bin/echo", { source = "../build/hello", target = "/bin/hello", '
        'mode = "0755" }]\n'
        'error: configs/hello.toml: workdri: unknown key "workdri"\n'
        '  Did you mean "workdir"?\n'
        "error: configs/hello.toml: env.N: expected a string, got the integer 5\n"
        '  Write it in quotes: N = "5"\n',
    )


def test_definition_that_is_not_utf_8_is_told_with_its_line(project: Any) -> None:
    (project.configs / "hello.toml").write_bytes(b'tags = ["hello:v1"]\nauthor = "J\xf6rg"\n')
    project.refuses(
        None,
        "error: configs/hello.toml: line 2: the byte 0xf6 is not UTF-8\n"
        "  TOML is always UTF-8: save the file in that encoding.\n",
    )


@pytest.mark.parametrize("text", ["", "abc", "-1", "1e9", " 5 ", "253402300800"])
def test_time_of_the_environment_that_is_no_time_stops_the_build(project: Any, text: str) -> None:
    project.define(HELLO, name="other")
    project.refuses(
        None,
        f'error: environment: SOURCE_DATE_EPOCH is "{text}": expected whole seconds since 1970, '
        "from 0 to 253402300799\n"
        "  Set it to a number such as 1718668800, unset it, or write created in the definition.\n",
        env={"SOURCE_DATE_EPOCH": text},
    )


def test_time_of_the_environment_counts_only_where_the_definition_says_none(project: Any) -> None:
    project.define(HELLO + "created = 1970-01-01T00:00:00Z\n")
    assert project.doit("build", env={"SOURCE_DATE_EPOCH": "abc"}).err == ""
    project.assert_last_good()


@pytest.mark.parametrize(
    ("seconds", "created"),
    [(0, "1970-01-01T00:00:00Z"), (1750000000, "2025-06-15T15:06:40Z"), (99999999999, "5138-11-16T09:46:39Z")],
)
def test_time_of_the_environment_is_the_images_and_another_one_makes_it_anew(
    project: Any, seconds: int, created: str
) -> None:
    for summary in ("", "nothing to rebuild"):
        run = project.doit("build", env={"SOURCE_DATE_EPOCH": str(seconds)})
        assert (run.status, run.err) == (0, "")
        assert summary in run.out
    config = json.loads((project.cache / "hello" / "config.json").read_bytes())
    assert (config["created"], config["history"][0]["created"]) == (created, created)
    for name in ("layer.tar", "hello.tar"):
        with tarfile.open(project.cache / "hello" / name) as archive:
            assert {member.mtime for member in archive} == {seconds}


@pytest.mark.parametrize(
    ("tag", "one", "other"),
    [
        ("hello:v1", "", ""),
        ("docker.io/library/hello:v1", ' (as "docker.io/library/hello:v1")', ' (as "hello:v1")'),
    ],
)
def test_tag_in_two_files_is_told_of_both(project: Any, tag: str, one: str, other: str) -> None:
    project.define(f'tags = ["other:v1", "{tag}"]\n{HELLO}', name="other")
    project.refuses(
        None,
        f'error: configs/hello.toml: tags[0]: the tag "hello:v1" is also in configs/other.toml{one}\n'
        "  Two images cannot have one tag: change one of them.\n"
        f'error: configs/other.toml: tags[1]: the tag "{tag}" is also in configs/hello.toml{other}\n'
        "  Two images cannot have one tag: change one of them.\n",
    )


def test_tag_in_two_files_does_not_stop_a_third_image(project: Any) -> None:
    project.define(f'tags = ["hello:v1"]\n{HELLO}', name="other")
    project.define(HELLO, name="third")
    assert project.doit("build").status == 2
    assert (project.cache / "third" / "third.tar").is_file()
    assert not (project.cache / "other").exists()


@pytest.mark.parametrize(
    ("file", "shown"),
    [
        ("Hello2.toml", "Hello2"),
        ("a b.toml", "a b"),
        ("a=b.toml", "a=b"),
        ("a:b.toml", "a:b"),
        ("a*b.toml", "a*b"),
        ("[ab].toml", "[ab]"),
        ("-a.toml", "-a"),
        ("_a.toml", "_a"),
        ("\u00e4.toml", "\u00e4"),
    ],
)
def test_definition_file_that_cannot_name_an_image_does_not_stop_the_others(
    project: Any, file: str, shown: str
) -> None:
    (project.configs / file).write_text(f'tags = ["a:v1"]\n{HELLO}', encoding="utf-8")
    run = project.doit("build")
    assert run.err == (
        f'error: configs/{file}: "{shown}" cannot be the name of an image\n'
        '  Call the file by 1 to 200 of a-z, 0-9, ".", "_" and "-", with a letter or digit first.\n'
    )
    assert run.status == 2
    assert run.out.startswith("hello:v1  ")
    project.assert_last_good()
    assert sorted(path.name for path in project.cache.iterdir() if path.name[0] != ".") == ["hello"]


def test_definition_file_whose_name_is_not_utf_8_is_told(project: Any) -> None:
    (project.configs / "x\udcff.toml").write_text(f'tags = ["a:v1"]\n{HELLO}', encoding="utf-8")
    run = project.doit("build")
    assert run.err == (
        'error: configs/x\\udcff.toml: "x\\udcff" cannot be the name of an image\n'
        '  Call the file by 1 to 200 of a-z, 0-9, ".", "_" and "-", with a letter or digit first.\n'
    )
    project.assert_last_good()


@pytest.mark.parametrize(("make", "kind"), [("mkdir", "a directory"), ("mkfifo", "a FIFO")])
def test_definition_that_is_no_file_is_told_and_never_waited_for(project: Any, make: str, kind: str) -> None:
    getattr(os, make)(project.configs / "other.toml")
    run = project.doit("build")
    assert run.err == f"error: configs/other.toml: it is {kind}, not a definition\n"
    assert run.status == 2
    project.assert_last_good()


def test_definition_that_is_a_dangling_link_is_told(project: Any) -> None:
    (project.configs / "other.toml").symlink_to("nowhere")
    run = project.doit("build")
    assert run.err == "error: configs/other.toml: cannot read the definition: no such file or directory\n"
    assert run.status == 2
    project.assert_last_good()


def test_one_broken_definition_does_not_stop_a_healthy_one(project: Any, errors: Any) -> None:
    project.define('binaries = ["../src/nothing"]\n', name="broken")
    project.define('binarys = ["../src/nothing"]\n', name="wrong")
    project.define(HELLO, name="new")
    run = project.doit("build")
    assert run.status == 2
    assert errors(run.err) == errors(
        "error: configs/broken.toml: binaries[0]: src/nothing does not exist\n"
        "  Write the path that it has, or make it first.\n"
        'error: configs/wrong.toml: binarys: unknown key "binarys"\n'
        '  Did you mean "binaries"?\n'
        "error: configs/wrong.toml: there is nothing to pack: no binaries, no files, no libraries\n"
        '  Name a program: binaries = ["/path/to/hello"]\n'
    )
    assert (project.cache / "new" / "new.tar").is_file()
    assert not (project.cache / "broken" / "broken.tar").exists()
    assert not (project.cache / "wrong").exists()
    project.assert_last_good()


def test_definition_mended_without_a_change_has_nothing_to_rebuild(project: Any) -> None:
    project.doit("build", env={"SOURCE_DATE_EPOCH": "abc"})
    assert "nothing to rebuild" in project.doit("build").out
