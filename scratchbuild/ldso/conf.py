"""ld.so.conf: the directories that ldconfig(8) puts into the cache. The loader itself never reads it."""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.root import Root

CONF: Final = "/etc/ld.so.conf"
# ldconfig itself would follow a file that includes itself for ever.
_MOST_INCLUDES: Final = 16
_MOST_BYTES: Final = 1 << 20


def directories(root: Root, path: str = CONF) -> list[str]:
    """Return the directories that a configuration file and what it includes list, in order, each once.

    A file that is not there lists none. Raises ScratchbuildError for one that cannot be read.
    """
    return list(dict.fromkeys(_directories(root, path, 0)))


def _directories(root: Root, path: str, depth: int) -> Iterator[str]:
    if depth > _MOST_INCLUDES or not root.resolve(path).is_file:
        return
    with root.opened(path) as file:
        text = os.fsdecode(file.at(0, min(file.size, _MOST_BYTES)))
    for raw in text.split("\n"):
        words = raw.partition("#")[0].split()
        if not words:
            continue
        # A lone "include" or "hwcap" is a directory's name, as ldconfig has it; hwcap lines mean nothing since 2.33.
        if words[0] == "include" and len(words) > 1:
            for pattern in words[1:]:
                for found in matching(root, posixpath.join(posixpath.dirname(path), pattern)):
                    yield from _directories(root, found, depth + 1)
        elif words[0] != "hwcap" or len(words) == 1:
            # `/usr/lib=libc5` once told the kind of the libraries.
            yield raw.partition("#")[0].strip().partition("=")[0].rstrip("/") or "/"


def matching(root: Root, pattern: str) -> list[str]:
    """Return the paths that a glob(7) pattern matches inside the root, sorted; the pattern itself if it is plain."""
    from fnmatch import fnmatchcase  # noqa: PLC0415 -- only for an error's hints

    found = ["/"]
    for part in [part for part in pattern.split("/") if part]:
        if any(mark in part for mark in "*?["):
            found = [
                posixpath.join(folder, name)
                for folder in found
                for name in root.names(folder)
                if fnmatchcase(name, part) and (part.startswith(".") or not name.startswith("."))
            ]
        else:
            found = [posixpath.join(folder, part) for folder in found]
    return found
