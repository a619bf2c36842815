"""Where a file of this machine goes in the image: canonical paths, and links kept the way a person expects them.

A path that the definition gives as a target is taken as written. A path that is the machine's own is kept together
with the links on its way (`/bin -> usr/bin`, `libc.so.6 -> libc-2.31.so`, alternatives), unless the definition makes
one of them a real directory. Because that depends on nothing but the definition and the machine, the order of entries
does not matter, and no two entries of an image can disagree about what a directory is.
"""

from __future__ import annotations

import posixpath
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.root import MOST_LINKS, Root, normal
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from scratchbuild.spec import Definition

DIRECTORY_MODE = 0o755
LINK_MODE = 0o777


class Placed(NamedTuple):
    """Where a path of this machine ends: in the image, on this machine, and the links that lead there."""

    path: str
    source: str
    links: tuple[Entry, ...]


def parents(path: str) -> list[str]:
    """Return the directories above an absolute normal path, the top one left out: `/a/b/c` gives `/a`, `/a/b`."""
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: count + 1]) for count in range(len(parts))]


def implied(paths: list[str]) -> list[Entry]:
    """Return the parent directories of `paths`, once each, as nobody asked for them by name: mode 0755, root's."""
    found = {parent: path for path in reversed(paths) for parent in parents(path)}
    return [Entry(parent, "directory", DIRECTORY_MODE, f"holds {path}", implied=True) for parent, path in found.items()]


class Places:
    """The image's links and real directories as the definition alone decides them, over one root."""

    def __init__(self, definition: Definition, root: Root) -> None:
        self.root = root
        self._definition = definition
        self._links = {link.path: link.text for link in definition.symlinks}
        ends = self._ends()
        asked = [directory.path for directory in definition.directories]
        targets = [
            *asked,
            *self._links,
            *(binary.target for binary in definition.binaries if binary.target),
            *(file.target for file in definition.files if file.target),
        ]
        if definition.layout != "host":
            targets.append(definition.layout + "/")
        self._real = {self.canonical(path) for path in asked}
        for path in targets:
            canonical = self.canonical(path, last=path.endswith("/"))
            self._real.update(parents(canonical + "/" if path.endswith("/") else canonical))
        # A folder that the definition's own link points to is a folder, also where this machine has a link back.
        self._real.update(end for end in ends if root.resolve(end).is_directory)

    def _ends(self) -> list[str]:
        """Return where each link of the definition leads. Raises ScratchbuildError, for all loops at once."""
        ends: list[str] = []
        errors: list[ScratchbuildError] = []
        for path in self._links:
            try:
                ends.append(self.canonical(path))
            except ScratchbuildError as error:
                errors.append(error)
        raise_all(errors)
        return ends

    def canonical(self, path: str, *, last: bool = True) -> str:
        """Return an image path with the definition's own links followed, the last component's only if `last`.

        Raises ScratchbuildError for a loop.
        """
        todo = [part for part in path.split("/") if part][::-1]
        done: list[str] = []
        followed = 0
        while todo:
            part = todo.pop()
            if part == "..":
                del done[-1:]
                continue
            here = "/" + "/".join([*done, part])
            text = self._links.get(here)
            if text is None or not (todo or last):
                done.append(part)
                continue
            followed += 1
            if followed > MOST_LINKS:
                raise self._loop(path, here)
            if text.startswith("/"):
                done = []
            todo.extend(part for part in reversed(text.split("/")) if part not in {"", "."})
        return "/" + "/".join(done)

    def _loop(self, path: str, link: str) -> ScratchbuildError:
        """Return the error for a path of the image that leads to `link`, which leads back to itself."""
        key = next(given.key for given in self._definition.symlinks if given.path == link)
        return ScratchbuildError(
            f"{path} never ends: the links form a loop at {link} -> {self._links[link]}",
            where=f"{self._definition.path}: {key}",
            mend="Let one of them point to a real path.",
        )

    def mirrored(self, path: str, reason: str) -> Placed:
        """Return where this machine's `path` goes in the image when it keeps its name, with the links on the way.

        Relative links stay as they are, absolute ones are made relative. Raises ScratchbuildError for a loop.
        """
        todo = [part for part in path.split("/") if part][::-1]
        image: list[str] = []
        host: list[str] = []
        links: list[Entry] = []
        followed = 0
        while todo:
            part = todo.pop()
            if part == ".":
                continue
            if part == "..":
                del image[-1:]
                del host[-1:]
                continue
            here = "/" + "/".join([*image, part])
            there = "/" + "/".join([*host, part])
            status = self.root.lstat(there)
            is_link = status is not None and stat.S_ISLNK(status.st_mode)
            if here in self._links and (todo or not is_link):
                image = self.canonical(here).split("/")[1:]
                host = self.root.resolve(there).path.split("/")[1:]
            elif not is_link:
                image.append(part)
                host.append(part)
            elif here in self._real:
                image.append(part)
                host = self.root.resolve(there).path.split("/")[1:]
            else:
                followed += 1
                if followed > MOST_LINKS:
                    message = f"{path} never ends: the links form a loop at {there}"
                    raise ScratchbuildError(message, mend="Repair the link, or name the file itself.")
                text = self.root.text(there)
                said = relative(text, here)
                check_link(said, here, there)
                links.append(Entry(here, "symlink", LINK_MODE, reason, link=said))
                if text.startswith("/"):
                    image, host = [], []
                todo.extend(part for part in reversed(text.split("/")) if part)
        return Placed("/" + "/".join(image), "/" + "/".join(host), tuple(links))


def relative(text: str, path: str) -> str:
    """Return a link's `text` as a relative one, for a link at `path`; one with `..` further on in it stays absolute.

    Leading `..` that would climb above the root are left out: the kernel passes over them (path_resolution(7)).
    """
    absolute = text.startswith("/")
    parts = [part for part in text.split("/") if part not in {"", "."}]
    leading = next((number for number, part in enumerate(parts) if part != ".."), len(parts))
    room = 0 if absolute else path.count("/") - 1
    if leading > room:
        parts = parts[leading - room :]
        text = ("/" if absolute else "") + "/".join(parts) or "."
    if not absolute or ".." in parts:
        return text
    return posixpath.relpath(normal(text), posixpath.dirname(path))


def check_link(text: str, path: str, source: str) -> None:
    """Raise ScratchbuildError where the text of a link at `path` climbs above the root: engines refuse such a layer."""
    depth = 0 if text.startswith("/") else path.count("/") - 1
    for part in text.split("/"):
        depth += (part not in {"", ".", ".."}) - (part == "..")
        if depth < 0:
            raise ScratchbuildError(
                f"the link {source} -> {text} climbs out of the image from {path}",
                mend="Make it anew with fewer .., or leave it out.",
            )
