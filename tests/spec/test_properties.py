"""What holds for every definition, however it is written."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.spec import Definition, parse
from scratchbuild.spec.definition import (
    Binary,
    Directory,
    File,
    Group,
    Healthcheck,
    Library,
    Owner,
    Symlink,
    User,
    Verify,
)
from scratchbuild.spec.parse import KEYS, define
from scratchbuild.spec.tags import canonical_tag

INNER = [
    "source", "target", "mode", "owner", "content", "path", "layout", "extra", "name", "uid", "gid", "home", "shell",
    "comment", "members", "command", "interval", "timeout", "start_period", "retries", "arguments", "stdout", "status",
]  # fmt: skip
TELLING = [
    "", "/", "/x", "/x/", "//x/./y", "x", "./x", "../x", "~", "~/x", "$X", "$$X", "/a*", "[", "\0", "\n", ":", "=", "@",
    "a:b", "0755", "777777", "app", "app:app", "0:0", "host", "/lib64", "30s", "0s", "SIGTERM", "80/tcp", "1-65535",
    "amd64", "x.tar", "2024-06-18T00:00:00Z", "9999-12-31T23:59:59-23:59",
    "A=1", ".wh.x", "/.wh.x", "\u00e9",
    "\U0001f600",
]  # fmt: skip
characters = st.characters(exclude_categories=["Cs"])
strings = st.sampled_from(TELLING) | st.text(characters, max_size=12)
zones = st.none() | st.timedeltas(dt.timedelta(hours=-23), dt.timedelta(hours=23)).map(
    lambda delta: dt.timezone(dt.timedelta(minutes=delta // dt.timedelta(minutes=1)))
)
scalars = (
    strings
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 2**31, 2**32 - 1, 2**63, 2**64, 10**4000])
    | st.floats()
    | st.datetimes(timezones=zones)
    | st.dates()
    | st.times()
)
names = st.sampled_from([*INNER, *KEYS]) | strings
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5), max_leaves=12
)
documents = st.dictionaries(st.sampled_from(list(KEYS)) | strings, values, max_size=8)
# Tables and arrays of tables with the keys that they should have, so that the checks behind the types are met too.
records = st.dictionaries(st.sampled_from(INNER), scalars | st.lists(scalars, max_size=3), max_size=5)
near_documents = st.dictionaries(
    st.sampled_from(list(KEYS)), scalars | records | st.lists(strings | records, max_size=4), max_size=12
)


ESCAPED = {'"', "\\", "\x7f", *map(chr, range(32))}


def checked(document: dict[str, Any], epoch: str) -> None:
    try:
        found = define(document, path="/p/a.toml", environment={"SOURCE_DATE_EPOCH": epoch})
    except ScratchbuildError as error:
        for single in error.errors if isinstance(error, SeveralErrors) else [error]:
            assert single.where.startswith(("/p/a.toml", "environment"))
            assert "\n" not in single.where
            assert single.what
    else:
        assert found.tags


@settings(deadline=None, max_examples=400)
@given(documents | near_documents, st.sampled_from(["0", "x"]))
def test_any_document_is_a_definition_or_an_error_for_its_reader(document: dict[str, Any], epoch: str) -> None:
    checked(document, epoch)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(list(KEYS)), values | records | st.lists(records, max_size=3))
def test_any_value_of_a_key_is_a_definition_or_an_error_for_its_reader(key: str, value: object) -> None:
    checked({"tags": ["x:1"], "binaries": ["/x"], key: value}, "0")


@settings(deadline=None, max_examples=300)
@given(
    st.text(characters, max_size=60)
    | st.lists(st.sampled_from("[]{}=\"'\\,.#\n\r\t ax1-:TZ"), max_size=40).map("".join)
)
def test_any_text_is_a_definition_or_an_error_for_its_reader(text: str) -> None:
    with contextlib.suppress(ScratchbuildError):
        parse(text, path="a.toml", environment={})


@settings(deadline=None, max_examples=400)
@given(st.text(st.sampled_from("abz09AZ._-:/@ \u00e9"), max_size=20) | st.text(characters, max_size=10))
def test_any_text_is_a_tag_or_an_error_and_a_full_name_stays_as_it_is(text: str) -> None:
    try:
        full = canonical_tag(text)
    except ScratchbuildError:
        return
    assert canonical_tag(full) == full
    assert full.endswith(text.removeprefix("index.docker.io/").removeprefix("docker.io/"))


def toml(value: object) -> str:
    """Return `value` as TOML writes it, on one line."""
    if isinstance(value, str):
        return '"' + "".join(f"\\U{ord(letter):08x}" if letter in ESCAPED else letter for letter in value) + '"'
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(key)} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(toml(inner) for inner in value) + "]"
    return str(value)


def written(document: dict[str, Any]) -> str:
    return "".join(f"{key} = {toml(value)}\n" for key, value in document.items())


plain = st.text(characters.filter(lambda letter: letter != "\0"), max_size=10)
part = st.text(st.sampled_from("abcXYZ019._- \u00e9\u4e2d"), min_size=1, max_size=6).filter(
    lambda text: text not in {".", ".."} and not text.startswith(".wh.")
)
unused = st.lists(part, min_size=1, max_size=3).map("/".join)
modes = st.integers(0, 0o7777)
ids = st.integers(0, 2**32 - 2)
account = st.from_regex(r"[a-z_][a-z0-9_-]{0,30}", fullmatch=True)
component = st.from_regex(r"[a-z0-9]{1,5}((\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}", fullmatch=True)
tag = st.builds(
    lambda host, parts, label: f"{host}{'/'.join(parts)}:{label}",
    st.sampled_from(["me/", "localhost/", "localhost:5000/", "registry.example/"]),
    st.lists(component, min_size=1, max_size=3),
    st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
)


Both = tuple[dict[str, Any], dict[str, Any]]
optional_modes = st.none() | modes


def table(mode: int | None = None, **keys: object) -> dict[str, Any]:
    return keys if mode is None else keys | {"mode": f"{mode:04o}"}


@st.composite
def programs(draw: st.DrawFn) -> Both:
    written_tags = draw(st.lists(tag, min_size=1, max_size=3, unique_by=canonical_tag))
    found = [
        Binary(f"/{draw(unused)}", f"binaries[{index}]", f"/b{index}/{draw(unused)}", draw(optional_modes))
        for index in range(draw(st.integers(1, 3)))
    ]
    tables = [table(binary.mode, source=binary.source, target=binary.target) for binary in found]
    return {"tags": written_tags, "binaries": tables}, {"tags": tuple(written_tags), "binaries": tuple(found)}


@st.composite
def contents(draw: st.DrawFn) -> Both:
    files = [
        File(
            f"files[{index}]",
            target=f"/f{index}/{draw(unused)}",
            content=draw(st.text(characters, max_size=20)).encode(),
            mode=draw(optional_modes),
            owner=Owner(draw(ids), draw(ids)),
        )
        for index in range(draw(st.integers(0, 3)))
    ]
    folders = [
        Directory(f"/d{index}/{draw(unused)}", f"directories[{index}]", draw(modes))
        for index in range(draw(st.integers(0, 3)))
    ]
    path, text = f"/l/{draw(unused)}", draw(unused)
    document = {
        "files": [
            table(
                file.mode,
                target=file.target,
                content=(file.content or b"").decode(),
                owner=f"{file.owner.user}:{file.owner.group}",
            )
            for file in files
        ],
        "directories": [table(folder.mode, path=folder.path) for folder in folders],
        "symlinks": {path: text},
    }
    links = (Symlink(path, text, f"symlinks.{toml(path)}"),)
    return document, {"files": tuple(files), "directories": tuple(folders), "symlinks": links}


@st.composite
def libraries_and_users(draw: st.DrawFn) -> Both:
    sonames = draw(st.lists(part, max_size=3))
    layout = draw(st.sampled_from(["host", "/lib64", "/usr/lib"]))
    people = draw(st.lists(st.tuples(account, ids), max_size=3, unique_by=(lambda one: one[0], lambda one: one[1])))
    document = {
        "libraries": {"layout": layout, "extra": sonames},
        "users": [{"name": name, "uid": uid, "home": "/h"} for name, uid in people],
    }
    return document, {
        "layout": layout,
        "libraries": tuple(Library(name, f"libraries.extra[{index}]") for index, name in enumerate(sonames)),
        "users": tuple(User(name, uid, uid, home="/h") for name, uid in people),
        "groups": tuple(Group(name, uid) for name, uid in people if uid != 0),
    }


@st.composite
def runtimes(draw: st.DrawFn) -> Both:
    words = plain.filter(lambda text: text and "=" not in text)
    arrays = {
        "entrypoint": ["/x", *draw(st.lists(plain, max_size=2))],
        "cmd": draw(st.lists(plain, max_size=2)),
        "volumes": draw(st.lists(unused.map(lambda path: f"/v/{path}"), max_size=2, unique=True)),
    }
    pairs = {key: draw(st.dictionaries(words, plain, max_size=3)) for key in ("env", "labels")}
    same = {
        "workdir": f"/{draw(unused)}",
        "author": draw(plain),
        "comment": draw(plain),
        "created": draw(st.integers(0, 253402300799)),
        "architecture": draw(st.sampled_from(["amd64", "arm64", "386"])),
        "layer_name": draw(st.from_regex(r"[b-z0-9_-][A-Za-z0-9._-]{0,20}\.tar", fullmatch=True)),
        "user": draw(account),
    }
    ports = draw(st.lists(st.integers(1, 65535), max_size=3, unique=True))
    signal, meant = draw(st.sampled_from([("term", "SIGTERM"), (9, "9")]))
    seconds, stdout, status = draw(st.integers(1, 1000)), draw(plain), draw(st.integers(0, 255))
    document = {
        "exposed_ports": ports,
        "stop_signal": signal,
        "healthcheck": {"command": "ok", "interval": f"{seconds}s"},
        "verify": {"stdout": stdout, "status": status},
    }
    expected = {
        "exposed_ports": tuple(f"{port}/tcp" for port in ports),
        "stop_signal": meant,
        "healthcheck": Healthcheck(("CMD-SHELL", "ok"), seconds * 10**9),
        "verify": Verify((), stdout, status),
        **{key: tuple(value) for key, value in arrays.items()},
        **{key: tuple(value.items()) for key, value in pairs.items()},
    }
    return document | same | arrays | pairs, expected | same


@settings(deadline=None, max_examples=150)
@given(programs(), contents() | libraries_and_users() | runtimes())
def test_a_right_definition_means_what_was_written(first: Both, second: Both) -> None:
    text = written(first[0] | second[0])
    facts: dict[str, Any] = {"name": "a", "path": "/p/a.toml", "created": 7} | first[1] | second[1]
    expected = Definition(**facts)
    assert parse(text, path="/p/a.toml", environment={"SOURCE_DATE_EPOCH": "7"}) == expected
