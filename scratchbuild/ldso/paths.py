"""Lists of directories: DT_RPATH, DT_RUNPATH and LD_LIBRARY_PATH, split and expanded (fillin_rpath of dl-load.c)."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.ldso import tokens
from scratchbuild.ldso.loaded import Loaded, Place

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.ldso.loader import Loader


def values(owner: Loaded | None, loader: Loader) -> dict[str, str]:
    """Return what the tokens stand for in a path of `owner`; an empty value is none."""
    return {"ORIGIN": owner.origin if owner else "", "LIB": loader.library, "PLATFORM": loader.platform}


def places(
    elements: Iterable[str],
    label: str,
    owner: Loaded | None,
    loader: Loader,
    *,
    replace: bool = True,
) -> tuple[Place, ...]:
    """Return the places that the elements of one list name, each directory once; `label` is the list's name.

    Tokens are those of `owner`, and stay as they are unless `replace`.
    """
    found: dict[str, Place] = {}
    known = values(owner, loader)
    suffix = f" of {owner.path}" if owner and label != "LD_LIBRARY_PATH" else ""
    for element in elements:
        rule = f"{label} {element}{suffix}" if element else f'{label} ""{suffix}'
        directory = tokens.expand(element, known) if replace else element
        if directory is None:
            found.setdefault(rule, Place("", rule, problem="a token in it has no value here: the loader drops it"))
        elif not directory.startswith("/"):
            problem = "relative to the directory that the program is started in"
            found.setdefault(rule, Place("", rule, problem=problem))
        else:
            directory = directory.rstrip("/") or "/"
            behind = tokens.after_origin(element) if owner else None
            if owner and behind is not None:
                place = Place(directory, rule, owner.real, tokens.expand(behind, known) or "")
            else:
                place = Place(directory, rule)
            found.setdefault(directory, place)
    return tuple(found.values())


def joined(place: Place, name: str) -> str:
    """Return the path of `name` in a place."""
    return posixpath.join(place.directory, name)
