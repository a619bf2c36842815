"""From the text of `configs/NAME.toml` to a checked `Definition`, with all of its errors at once.

The definition's reference is docs/image-definition.md.
"""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.spec import accounts, clashes, contents, document, naming, pairs, paths, runtime, tags, times
from scratchbuild.spec.definition import Definition
from scratchbuild.spec.field import Document, Field, convert_known, join

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

TWO_LINES = 'tags = ["hello:v1"]\n  binaries = ["/path/to/hello"]'


class Key(NamedTuple):
    """A key of the document: what reads its value, and a right line of it for messages."""

    convert: Callable[[Field], Any]
    example: str


KEYS = {
    "tags": Key(tags.tags, 'tags = ["hello:v1"]'),
    "binaries": Key(
        contents.binaries,
        'binaries = ["/bin/echo", { source = "../build/hello", target = "/bin/hello", mode = "0755" }]',
    ),
    "files": Key(
        contents.files,
        'files = ["/etc/hosts", { source = "site", target = "/srv", owner = "33:33" }, '
        '{ target = "/etc/motd", content = "hello\\n", mode = "0644" }]',
    ),
    "directories": Key(contents.directories, 'directories = ["/run", { path = "/tmp", mode = "1777" }]'),
    "symlinks": Key(contents.symlinks, 'symlinks = { "/bin/sh" = "bash" }'),
    "libraries": Key(contents.libraries, 'libraries = { layout = "/lib64", extra = ["libnss_files.so.2"] }'),
    "users": Key(accounts.users, 'users = [{ name = "app", uid = 1000 }]'),
    "groups": Key(accounts.groups, 'groups = [{ name = "staff", gid = 50, members = ["app"] }]'),
    "entrypoint": Key(runtime.command, 'entrypoint = ["/bin/hello", "--verbose"]'),
    "cmd": Key(runtime.arguments, 'cmd = ["--help"]'),
    "env": Key(pairs.env, 'env = { PATH = "/bin", LANG = "C.UTF-8" }'),
    "workdir": Key(paths.absolute, 'workdir = "/srv"'),
    "user": Key(accounts.run_as, 'user = "1000:1000"'),
    "labels": Key(pairs.labels, 'labels = { "org.opencontainers.image.title" = "hello" }'),
    "exposed_ports": Key(runtime.exposed_ports, 'exposed_ports = [80, "53/udp"]'),
    "volumes": Key(runtime.volumes, 'volumes = ["/var/lib/hello"]'),
    "stop_signal": Key(runtime.stop_signal, 'stop_signal = "SIGINT"'),
    "healthcheck": Key(runtime.healthcheck, 'healthcheck = { command = ["/bin/hello", "--check"], interval = "30s" }'),
    "author": Key(Field.text, 'author = "A. Person"'),
    "created": Key(times.created, "created = 2024-06-18T00:00:00Z"),
    "comment": Key(Field.text, 'comment = "made by hand"'),
    "architecture": Key(naming.architecture, 'architecture = "amd64"'),
    "layer_name": Key(naming.layer_name, 'layer_name = "demo-image.tar"'),
    "verify": Key(runtime.verify, 'verify = { arguments = ["-c", "echo hello"], stdout = "hello\\n", timeout = 30 }'),
}
_CONVERTERS = {name: key.convert for name, key in KEYS.items()}
_NAMES = frozenset(KEYS)


def read(path: str, environment: Mapping[str, str]) -> Definition:
    """Return what the file `path` (`.../NAME.toml`) defines; of `environment` only SOURCE_DATE_EPOCH counts.

    Raises ScratchbuildError, or `SeveralErrors` with all of the document's; each says where, by `path` as given.
    """
    naming.image_name(path)
    return parse(document.read_text(path), path=path, environment=environment)


def parse(text: str, *, path: str, environment: Mapping[str, str]) -> Definition:
    """Return what `text` defines, as the file `path` would: see `read`. Nothing is looked at on the disk."""
    return define(document.toml(text, path), path=path, environment=environment)


def define(values: Mapping[str, Any], *, path: str, environment: Mapping[str, str]) -> Definition:
    """Return what a document, already read as TOML, defines: see `read`."""
    name = naming.image_name(path)
    home = Document(path, name, paths.slashed(os.path.abspath(os.path.dirname(path))), _NAMES)
    found, errors = convert_known(_fields(values, home), _CONVERTERS)
    errors.extend(_missing(values, path))
    libraries: contents.Libraries = found.pop("libraries", contents.Libraries())
    defaults = {"tags": (), "layer_name": naming.default_layer(name)}
    definition = Definition(
        name=name, path=path, libraries=libraries.extra, layout=libraries.layout, **(defaults | found)
    )
    try:
        groups = accounts.with_own_groups(definition.users, definition.groups, path)
        definition = definition._replace(groups=groups)
    except ScratchbuildError as error:
        errors.append(error)
    definition = _with_owners(definition)
    try:
        clashes.check(definition)
    except ScratchbuildError as error:
        errors.append(error)
    if "created" not in values:
        try:
            definition = definition._replace(created=times.from_environment(environment))
        except ScratchbuildError as error:
            errors.append(error)
    raise_all(errors)
    return definition


def _fields(values: Mapping[str, Any], home: Document) -> dict[str, Field]:
    return {
        name: Field(value, join("", name), home, name=name, example=KEYS[name].example if name in KEYS else "")
        for name, value in values.items()
    }


def _missing(values: Mapping[str, Any], path: str) -> Iterator[ScratchbuildError]:
    """Yield the errors of a document that does not say what every image needs: a tag, and something to pack."""
    if "tags" not in values:
        yield ScratchbuildError(
            "the key tags is missing: the names that the image gets",
            where=path,
            mend=f"Two lines are enough:\n  {TWO_LINES}",
        )
    libraries = values.get("libraries")
    extra = libraries.get("extra") if isinstance(libraries, dict) else libraries
    if not (values.get("binaries") or values.get("files") or extra):
        yield ScratchbuildError(
            "there is nothing to pack: no binaries, no files, no libraries",
            where=path,
            mend='Name a program: binaries = ["/path/to/hello"]',
        )


def _with_owners(definition: Definition) -> Definition:
    """Return the definition with the group of each owner that was given by the user's name alone."""
    users = definition.users
    return definition._replace(
        files=tuple(file._replace(owner=accounts.settled(file.owner, users)) for file in definition.files),
        directories=tuple(
            directory._replace(owner=accounts.settled(directory.owner, users)) for directory in definition.directories
        ),
    )
