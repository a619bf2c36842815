"""A definition's file: what is no TOML, no text, or no file at all."""

from __future__ import annotations

import os
import threading
from pathlib import Path  # noqa: TC003  # pytest reads it
from typing import TYPE_CHECKING

import pytest

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.spec import document, parse, read
from scratchbuild.spec.document import MOST_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition

TWO_LINES = 'tags = ["hello:v1"]\nbinaries = ["/bin/hello"]\n'


def refusal(path: Path) -> str:
    with pytest.raises(ScratchbuildError) as caught:
        read(str(path), {})
    return str(caught.value).replace(str(path.parent) + "/", "")


def test_a_file_is_read_as_its_text_is(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TWO_LINES)
    assert read(str(path), {}) == parse(TWO_LINES, path=str(path), environment={})


def test_the_path_stands_in_errors_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.toml").write_text("x = 1\n" + TWO_LINES)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ScratchbuildError) as caught:
        read("./a.toml", {})
    assert caught.value.where == "./a.toml: x"


def test_a_byte_order_mark_and_ends_of_line_of_other_systems_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(b"\xef\xbb\xbf" + TWO_LINES.replace("\n", "\r\n").encode())
    assert read(str(path), {}).tags == ("hello:v1",)


def test_a_file_that_is_not_utf_8_is_told_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_bytes(TWO_LINES.encode() + b'author = "M\xfcller"\n')
    assert refusal(path) == (
        "a.toml: line 3: the byte 0xfc is not UTF-8\n  TOML is always UTF-8: save the file in that encoding."
    )


def test_a_file_that_is_not_there_or_no_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    assert refusal(path) == "a.toml: cannot read the definition: no such file or directory"
    path.mkdir()
    assert refusal(path) == "a.toml: it is a directory, not a definition"
    path.rmdir()
    path.symlink_to("a.toml")
    assert refusal(path) == "a.toml: cannot read the definition: too many levels of symbolic links"


def test_a_fifo_makes_nobody_wait(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    os.mkfifo(path)
    thread = threading.Thread(target=lambda: told.append(refusal(path)), daemon=True)
    told: list[str] = []
    thread.start()
    thread.join(10)
    assert told == ["a.toml: it is a FIFO, not a definition"]


def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TWO_LINES)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read everything
    try:
        told = refusal(path)
    finally:
        os.seteuid(user)
    assert told.startswith("a.toml: cannot read the definition: permission denied")


def test_a_file_too_large_for_a_definition_is_not_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    with path.open("wb") as file:
        file.truncate(MOST_BYTES + (1 << 40))
    assert refusal(path) == (
        "a.toml: it is larger than 16 MiB, so it is no definition\n"
        "  Large content belongs in a file of its own, named by source."
    )


def test_a_definition_of_the_size_allowed_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(TWO_LINES + "#" * (MOST_BYTES - len(TWO_LINES)))
    assert len(document.read_text(str(path))) == MOST_BYTES


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            'tags = [hello:v1]\nbinaries = ["/x"]',
            (
                "line 1, column 9: invalid value\n    tags = [hello:v1]\n            ^\n"
                '  Strings are written in quotes: "hello:v1".'
            ),
        ),
        (
            'tags = ["x:1"]\n\ttags "y:1"',
            (
                "line 2, column 7: expected '=' after a key in a key/value pair\n     tags \"y:1\"\n          ^\n"
                '  A line is key = value, as in tags = ["hello:v1"].'
            ),
        ),
        (
            'tags = ["x:1"]\r\ntags = ["y:1"]',
            (
                'line 2, column 15: cannot overwrite a value\n    tags = ["y:1"]\n                  ^\n'
                "  The key is there already: write it once."
            ),
        ),
        (
            "[verify]\nstatus = 1\n\n[verify]\n",
            (
                "line 4, column 8: cannot declare ('verify',) twice\n    [verify]\n           ^\n"
                "  The key is there already: write it once."
            ),
        ),
        (
            'author = """\nme\n\n',
            (
                "line 2, column 3: expected '\"'\n    me\n      ^\n"
                "  The text ends too early: a value is missing, or a quote or a bracket is not closed."
            ),
        ),
        (
            'author = "' + "x" * 200 + "\n" + '"',
            "line 1, column 211: illegal character '\\n'\n    " + "x" * 60 + "\n    " + " " * 60 + "^",
        ),
    ],
)
def test_what_is_no_toml_is_shown_with_line_and_column(
    refused: Callable[..., list[str]], text: str, error: str
) -> None:
    (told,) = refused(text, alone=True)
    place = error.partition(": ")[0]
    # Python's releases word it differently; line, column, the line itself and what mends it are ours.
    assert told.startswith(f"{place}: ")
    assert told.partition("\n")[2] == error.partition("\n")[2]


def test_nesting_without_end_and_numbers_without_end_are_refused(refused: Callable[..., list[str]]) -> None:
    assert refused("author = " + "[" * 100_000) == [
        "/p/a.toml: arrays or tables are nested too deeply\n  No key of a definition needs more than three.".replace(
            "/p/a.toml: ", ""
        )
    ]
    assert refused("author = " + "9" * 5000) == ["an integer has too many digits\n  TOML's integers have 64 bits."]
    (error,) = refused("author = 0x" + "f" * 5000)
    assert error.startswith("author: expected a string, got an integer of more than 64 bits\n")


def test_a_key_of_many_dots_is_one_unknown_key(refused: Callable[..., list[str]]) -> None:
    (error,) = refused(".".join("x" * 1_000) + " = 1")
    assert error.startswith('x: unknown key "x"\n  Known here: architecture, author, binaries, ')


def test_an_empty_document_is_told_the_two_lines_that_are_enough(refused: Callable[..., list[str]]) -> None:
    for text in ("", "\n\n# nothing\n"):
        assert refused(text, alone=True) == [
            (
                "the key tags is missing: the names that the image gets\n  Two lines are enough:\n"
                '  tags = ["hello:v1"]\n  binaries = ["/path/to/hello"]'
            ),
            (
                "there is nothing to pack: no binaries, no files, no libraries\n"
                '  Name a program: binaries = ["/path/to/hello"]'
            ),
        ]


@pytest.mark.parametrize(
    "text", ["", "binaries = []", "files = []\nlibraries = []", 'libraries = { layout = "/lib64" }', "libraries = {}"]
)
def test_an_image_of_nothing_is_refused(refused: Callable[..., list[str]], text: str) -> None:
    assert refused(f'tags = ["x:1"]\ndirectories = ["/d"]\n{text}', alone=True) == [
        (
            "there is nothing to pack: no binaries, no files, no libraries\n"
            '  Name a program: binaries = ["/path/to/hello"]'
        )
    ]


@pytest.mark.parametrize(
    "text", ['files = ["/etc/hosts"]', 'libraries = ["libc.so.6"]', 'libraries = { extra = ["libc.so.6"] }']
)
def test_files_or_libraries_alone_make_an_image(defined: Callable[..., Definition], text: str) -> None:
    found = defined(f'tags = ["x:1"]\n{text}', alone=True)
    assert found.binaries == ()


def test_every_error_of_the_document_is_told_at_once_in_its_order(refused: Callable[..., list[str]]) -> None:
    text = """
tag = ["x:1"]
binaries = ["~/x", { source = "/b", mode = 755 }, { sorce = "/c" }]
entrypoint = "/x"
files = [{ target = "/x", content = "" }, { target = "/x/y", content = "" }]
[verify]
status = 300
statsu = 1
"""
    told = refused(text, alone=True, environment={"SOURCE_DATE_EPOCH": "x"})
    assert [error.partition(": ")[0] for error in told] == [
        "tag",
        "binaries[0]",
        "binaries[1].mode",
        "binaries[2].sorce",
        "binaries[2]",
        "entrypoint",
        "verify.status",
        "verify.statsu",
        "the key tags is missing",
        "files[1]",
        "environment",
    ]


def test_one_error_comes_alone(defined: Callable[..., Definition]) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        defined("x = 1")
    assert not isinstance(caught.value, SeveralErrors)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("binaris = []", 'binaris: unknown key "binaris"\n  Did you mean "binaries"?'),
        ("Entrypoint = []", 'Entrypoint: unknown key "Entrypoint"\n  Did you mean "entrypoint"?'),
        ("ExposedPorts = []", 'ExposedPorts: unknown key "ExposedPorts"\n  Did you mean "exposed_ports"?'),
        ("stop-signal = 9", 'stop-signal: unknown key "stop-signal"\n  Did you mean "stop_signal"?'),
        ("environment = {}", 'environment: unknown key "environment"\n  Did you mean "env"?'),
        ("command = []", 'command: unknown key "command"\n  Did you mean "cmd"?'),
        ('"" = 1', '"": unknown key ""\n  Known here: architecture, author, binaries, cmd, comment, created, '),
        ('"a b\\n" = 1', '"a b\\n": unknown key "a b\\n"\n  Known here: '),
        (
            'files = [{ src = "/x", source = "/x" }]',
            'files[0].src: unknown key "src"\n  Did you mean "source"?',
        ),
        (
            'directories = [{ path = "/x", chmod = "0755" }]',
            'directories[0].chmod: unknown key "chmod"\n  Known here: mode, owner, path.',
        ),
        ("libraries = { extras = [] }", 'libraries.extras: unknown key "extras"\n  Did you mean "extra"?'),
        ('users = [{ name = "a", uid = 1, group = 5 }]', 'users[0].group: unknown key "group"\n  Known here: '),
        (
            'healthcheck = { test = ["x"], command = ["x"] }',
            'healthcheck.test: unknown key "test"\n  Did you mean "command"?',
        ),
        (
            "[verify]\nworkdir = '/'",
            (
                'verify.workdir: unknown key "workdir" in this table\n'
                "  workdir belongs to the whole document: write it above the first line in brackets."
            ),
        ),
    ],
)
def test_an_unknown_key_leads_to_the_right_one(refused: Callable[..., list[str]], text: str, error: str) -> None:
    (told,) = refused(text)
    assert told.startswith(error)
    if "Known here" not in error:
        assert told == error


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ('"x"', 'the string "x"'),
        ("5", "the integer 5"),
        ("1.5", "the number 1.5"),
        ("true", "true"),
        ("{}", "an empty table"),
        ("{ a = 1 }", "a table"),
        ("2024-06-18", "the date 2024-06-18"),
        ("01:02:03", "the time 01:02:03"),
        ("2024-06-18T01:02:03Z", "the date and time 2024-06-18 01:02:03+00:00"),
        ('"' + "x" * 100 + '"', 'the string "' + "x" * 80 + '..."'),
    ],
)
def test_a_wrong_type_is_told_with_what_it_is_and_how_it_is_written(
    refused: Callable[..., list[str]], value: str, got: str
) -> None:
    assert refused(f"directories = {value}") == [
        (
            f"directories: expected an array of paths or tables, got {got}\n"
            '  Write it like this: directories = ["/run", { path = "/tmp", mode = "1777" }]'
        )
    ]
