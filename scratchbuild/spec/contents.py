"""What goes into the image: binaries, files, directories, symbolic links, libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.spec import accounts, paths
from scratchbuild.spec.definition import Binary, Directory, File, Library, Symlink
from scratchbuild.spec.field import Field, convert_all, quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

HOST = "host"
# Where a binary goes that is named relative to its definition: the machine's own path would make the image depend on
# the folder that the project lies in.
BINARIES_FOLDER = "/bin/"


def binaries(field: Field) -> tuple[Binary, ...]:
    """Return the programs to pack, in order. Raises ScratchbuildError."""
    return field.each(_binary, "an array of paths or tables")


def _binary(field: Field) -> Binary:
    if isinstance(field.value, str):
        written = field
        found: dict[str, Any] = {"source": _program(field)}
    else:
        found = field.record(_BINARY, ("source",), "a path or a table")
        written = field.entries()["source"]
    if "target" not in found and paths.is_relative(written.text()):
        found["target"] = BINARIES_FOLDER
    if found.get("target", "").endswith("/"):
        found["target"] = paths.into(found["target"], found["source"])
    return Binary(key=field.key, **found)


def _program(field: Field) -> str:
    text = field.text()
    if text.endswith(("/", "/.", "/..")) or text in {".", ".."}:
        raise field.error(f"{quote(text)} is a folder, not a program", "Name the file itself; folders go in files.")
    return paths.source(field)


def _program_target(field: Field) -> str:
    paths.below_root(field)
    return paths.target(field)


_BINARY = {"source": _program, "target": _program_target, "mode": paths.mode}


def files(field: Field) -> tuple[File, ...]:
    """Return what to copy and what to write, in order. Raises ScratchbuildError."""
    return field.each(_file, "an array of paths or tables")


def _file(field: Field) -> File:
    if isinstance(field.value, str):
        source = _source(field)
        if paths.is_relative(field.value):
            raise field.error(
                f"{quote(field.value)} is relative to this file, so it has no path in the image yet",
                f'Write {{ source = {quote(field.value)}, target = "/path/in/image" }}.',
            )
        return File(field.key, source)
    values = field.record(_FILE, (), "a path or a table")
    raise_all(list(_contradictions(field, values)))
    return File(key=field.key, **values)


def _source(field: Field) -> str:
    source = paths.source_or_pattern(field)
    if source == "/":
        raise field.error("the root of this machine cannot be packed as a whole", "Name what is wanted in it.")
    return source


def _content(field: Field) -> bytes:
    if not isinstance(field.value, str):
        raise field.wrong("a string")
    return field.value.encode()


_FILE = {
    "source": _source,
    "target": paths.target,
    "content": _content,
    "mode": paths.mode,
    "owner": accounts.owner,
}


def _contradictions(field: Field, values: Mapping[str, Any]) -> Iterator[ScratchbuildError]:
    """Yield what is wrong with a table of `files` whose values are each right."""
    entries = field.entries()
    target = values.get("target", "")
    if "source" in values and "content" in values:
        yield field.error("source and content are both there", "Keep one: what to copy, or the text itself.")
    elif "content" in values:
        if not target:
            yield field.error('"target" is missing: content has no path of its own', 'Add target = "/path/in/image".')
        elif target.endswith("/"):
            yield entries["target"].error(f"{quote(target)} is a folder, and content needs a name", "Add a file name.")
    elif "source" in values:
        written = entries["source"].text()
        if not target and paths.is_relative(written):
            yield field.error(
                f'"target" is missing: {quote(written)} is relative to this file, so it has no path in the image yet',
                'Add target = "/path/in/image".',
            )
        elif target and paths.is_pattern(written) and not target.endswith("/"):
            yield entries["target"].error(
                f"{quote(target)} would be one name for all that matches {quote(written)}",
                f"Write {quote(target + '/')} to copy into that folder.",
            )
    else:
        yield field.error("neither source nor content is there", f"Write it like this: {field.example}")


def directories(field: Field) -> tuple[Directory, ...]:
    """Return the directories, in order. Raises ScratchbuildError."""
    return field.each(_directory, "an array of paths or tables")


def _directory(field: Field) -> Directory:
    if isinstance(field.value, str):
        return Directory(paths.absolute(field), field.key)
    return Directory(key=field.key, **field.record(_DIRECTORY, ("path",), "a path or a table"))


_DIRECTORY = {"path": paths.absolute, "mode": paths.mode, "owner": accounts.owner}


def symlinks(field: Field) -> tuple[Symlink, ...]:
    """Return the symbolic links, in the order written. Raises ScratchbuildError."""
    return convert_all(field.entries("a table of paths and what each link says").values(), _symlink)


def _symlink(field: Field) -> Symlink:
    if "\0" in field.name:
        raise field.error("the path holds a NUL byte", f"Write it like this: {field.example}")
    path = paths.image_path(field.name)
    if path == "/":
        raise field.error("the root directory cannot be a link", "Name something in it.")
    return Symlink(path, paths.link_text(field, path), field.key)


class Libraries(NamedTuple):
    """The key `libraries`: those that nothing needs by name, and where all of them go."""

    extra: tuple[Library, ...] = ()
    layout: str = HOST


def libraries(field: Field) -> Libraries:
    """Return libraries and layout, from an array or a table. Raises ScratchbuildError."""
    if isinstance(field.value, list):
        return Libraries(field.each(_library))
    return Libraries(**field.record(_LIBRARIES, (), "an array, or a table of layout and extra"))


def _library(field: Field) -> Library:
    text = field.text()
    if "/" in text or text.startswith("~"):
        return Library(_program(field), field.key)
    if not text or text in {".", ".."}:
        raise field.error(f"{quote(text)} is not a library's name", f"Write it like this: {field.example}")
    return Library(text, field.key)


def _layout(field: Field) -> str:
    text = field.text()
    if text == HOST:
        return HOST
    if not text.startswith("/"):
        raise field.error(
            f"{quote(text)} is not a layout", 'Write "host", or a directory of the image such as "/lib64".'
        )
    return paths.below_root(field)


_LIBRARIES = {"layout": _layout, "extra": lambda field: field.each(_library)}
