"""What goes into the image's root file system: entries, each with its reason, and staging them on disk."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from scratchbuild import files
from scratchbuild.errors import ScratchbuildError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Kind = Literal["directory", "file", "symlink", "hardlink"]


class Entry(NamedTuple):
    """One path of the image.

    `path` is absolute, normal and canonical: no parent of it is a link of the image. `mode` has the permission,
    setuid, setgid and sticky bits only. `link` is a symbolic link's text, or the path of the file that a hard link is
    one more name of. `source` is the file on this machine that a file's bytes come from; `content` those bytes when
    they come from the definition. `capability` is the raw `security.capability` attribute (capabilities(7)), or empty.
    `implied` marks a parent directory that nobody asked for by name: an entry that was asked for takes its place.
    """

    path: str
    kind: Kind
    mode: int
    reason: str
    uid: int = 0
    gid: int = 0
    link: str = ""
    source: str = ""
    content: bytes = b""
    capability: bytes = b""
    implied: bool = False


def linked(entries: Sequence[Entry], inode: dict[str, tuple[int, int]]) -> list[Entry]:
    """Return sorted entries with all but the first name of one file made hard links to the first.

    `inode` has the device and inode number of each source that has several names. Names whose mode, owner or
    capability differ in the image stay files of their own, since a hard link has one of each (inode(7)).
    """
    first: dict[tuple[object, ...], str] = {}
    result = []
    for entry in entries:
        if entry.kind == "file" and entry.source in inode:
            same = (inode[entry.source], entry.mode, entry.uid, entry.gid, entry.capability)
            path = first.setdefault(same, entry.path)
            if path != entry.path:
                entry = entry._replace(kind="hardlink", link=path)  # noqa: PLW2901
        result.append(entry)
    return result


def dump(entries: Iterable[Entry], **facts: object) -> bytes:
    """Return entries, and further facts about them, as a JSON document that a person can read."""
    items = [
        {
            name: value.hex() if isinstance(value, bytes) else f"{value:04o}" if name == "mode" else value
            for name, value in entry._asdict().items()
            if value or name in {"path", "kind", "mode", "reason"}
        }
        for entry in entries
    ]
    lines = ",\n    ".join(json.dumps(item, ensure_ascii=False) for item in items)
    head = "".join(f"  {json.dumps(name)}: {json.dumps(value, ensure_ascii=False)},\n" for name, value in facts.items())
    text = f'{{\n{head}  "entries": [\n    {lines}\n  ]\n}}\n' if items else f'{{\n{head}  "entries": []\n}}\n'
    try:
        return text.encode()
    except UnicodeEncodeError:
        bad = next(entry.path for entry in entries if not _encodable(entry))
        message = f"{os.fsencode(bad)!r} is not UTF-8, and a name in an image has to be"
        raise ScratchbuildError(message, mend="Rename the file.") from None


def _encodable(entry: Entry) -> bool:
    try:
        f"{entry.path}{entry.link}{entry.source}".encode()
    except UnicodeEncodeError:
        return False
    return True


def load(document: bytes) -> tuple[list[Entry], dict[str, object]]:
    """Return the entries and the further facts of a document that `dump` made.

    Raises ScratchbuildError when it is not one.
    """
    try:
        facts = json.loads(document)
        items = facts.pop("entries")
        entries = [_entry(item) for item in items]
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise ScratchbuildError("this is no list of entries", mend="Build again.") from error
    return entries, facts


def _entry(item: dict[str, Any]) -> Entry:
    item["mode"] = int(item["mode"], 8)
    for name in ("content", "capability"):
        if name in item:
            item[name] = bytes.fromhex(item[name])
    return Entry(**item)


class Maker(Protocol):
    """Who copies and writes, and keeps a record of it (scratchbuild.state.record.Record)."""

    def copy(self, source: str, target: str, mode: int) -> None:
        """Copy the file `source` to `target`."""

    def write(self, target: str, data: bytes, mode: int = 0o644) -> None:
        """Make `target` hold `data`."""

    def take(self, target: str) -> None:
        """Note that `target` was made."""


def stage(entries: Sequence[Entry], folder: str, maker: Maker) -> None:
    """Make sorted `entries` below `folder`, parents first, as files of this user; owners are only in the layer.

    A staged file has the entry's permission bits, and those that its owner needs to read it; never setuid or setgid:
    a copy on this machine shall not give anybody rights. Raises ScratchbuildError.
    """
    try:
        for entry in entries:
            path = folder + entry.path
            if entry.kind == "directory":
                files.make_directory(path, entry.mode & 0o777 | 0o700)
                maker.take(path)
            elif entry.kind == "symlink":
                files.make_symlink(entry.link, path)
                maker.take(path)
            elif entry.kind == "hardlink":
                files.make_hardlink(folder + entry.link, path)
                maker.take(path)
                maker.take(folder + entry.link)  # it has one name more than when it was copied
            elif entry.source:
                maker.copy(entry.source, path, entry.mode & 0o777 | 0o400)
            else:
                maker.write(path, entry.content, entry.mode & 0o777 | 0o400)
    except OSError as error:
        raise from_os_error(error, f"write {error.filename or folder}") from error


def remove_strangers(folder: str, entries: Sequence[Entry]) -> None:
    """Remove from the staged tree what is no entry. Raises OSError."""
    known = {folder + entry.path for entry in entries}
    for parent, directories, names in os.walk(folder):
        for name in [*directories, *names]:
            path = os.path.join(parent, name)
            if path not in known:
                files.remove(path)
        directories[:] = [name for name in directories if os.path.join(parent, name) in known]
