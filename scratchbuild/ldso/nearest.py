"""Names that are near to one that is not there: did you mean."""

from __future__ import annotations

import difflib
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
    stem, mark, _ = wanted.partition(".so")
    versions = sorted(name for name in paths if mark and name.startswith(stem + mark))
    close = difflib.get_close_matches(wanted, paths, n=3, cutoff=0.75)
    return [paths[name] for name in dict.fromkeys([*versions, *close]) if name != wanted][:3]
