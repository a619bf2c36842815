"""What goes into the image's root file system: entries, each with its reason, and staging them on disk."""

from __future__ import annotations

from typing import Literal, NamedTuple

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
