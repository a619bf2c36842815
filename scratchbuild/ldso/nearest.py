"""Names that are near to one that is not there: did you mean."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.root import Root


def names(root: Root, wanted: str, directories: Iterable[str]) -> list[str]:
    """Return up to three paths in `directories` whose names are nearest to `wanted`, another version of it first."""
    paths: dict[str, str] = {}
    for directory in directories:
        try:
            found = root.names(directory)
        except ScratchbuildError:
            continue
        for name in found:
            paths.setdefault(name, posixpath.join(directory, name))
    from difflib import get_close_matches  # noqa: PLC0415 -- only for an error

    stems: dict[str, list[str]] = {}
    for name in sorted(paths):
        stems.setdefault(_stem(name), []).append(name)
    close = get_close_matches(_stem(wanted), stems, n=3, cutoff=0.7)
    return [paths[name] for stem in close for name in stems[stem] if name != wanted][:3]


def _stem(name: str) -> str:
    """Return what tells a library's name from others': `tinfo` of `libtinfo.so.6`."""
    return name.removeprefix("lib").partition(".so")[0]
