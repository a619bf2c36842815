"""The image's entries as the tree that a container sees: paths are looked up in it, links followed inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.root import MOST_LINKS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.rootfs import Entry


class Tree:
    """Entries by their paths."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries = {entry.path: entry for entry in entries}

    def has_name(self, name: str) -> bool:
        """Return whether some file or link of the image has this name, wherever it is."""
        return any(path.endswith("/" + name) and entry.kind != "directory" for path, entry in self._entries.items())

    def find(self, path: str) -> Entry | None:
        """Return what the absolute `path` leads to, or None when it is not in the image.

        Raises ScratchbuildError for a link that dangles, leads in a loop, or has a file for a directory.
        """
        todo = [part for part in path.split("/") if part not in {"", "."}][::-1]
        done: list[str] = []
        followed: list[Entry] = []
        beyond = 0  # how many parts of what is to do were there before the last link was followed
        entry: Entry | None = None
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            entry = self._entries.get("/" + "/".join([*done, part]))
            if entry is None:
                if followed and len(todo) >= beyond:
                    missing = "/" + "/".join([*done, part, *todo[::-1]])
                    link = followed[-1]
                    raise ScratchbuildError(
                        f"{path} is a dangling link: {link.path} -> {link.link}, and the image has no {missing}",
                        mend=f"Add {missing} to the image, or let the link point to what is there.",
                    )
                return None
            if entry.kind != "symlink":
                done.append(part)
                continue
            followed.append(entry)
            if len(followed) > MOST_LINKS:
                raise ScratchbuildError(
                    f"{path} never ends: the links form a loop at {entry.path} -> {entry.link}",
                    mend="Let one of them point to a real path.",
                )
            beyond = len(todo)
            if entry.link.startswith("/"):
                done = []
            todo.extend(part for part in reversed(entry.link.split("/")) if part not in {"", "."})
        final = self._entries.get("/" + "/".join(done))
        if final is not None and final.kind == "hardlink":
            return self._entries[final.link]
        return final
