"""The nearest right key for a wrong one. Imported only when there is a mistake: difflib costs a millisecond."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# What other tools call it, where the letters alone would not lead there.
_ELSEWHERE = {
    "arch": "architecture",
    "args": "cmd",
    "command": "cmd",
    "copy": "files",
    "date": "created",
    "dirs": "directories",
    "environment": "env",
    "expose": "exposed_ports",
    "from": "source",
    "group": "groups",
    "id": "uid",
    "links": "symlinks",
    "maintainer": "author",
    "name": "tags",
    "path": "source",
    "platform": "architecture",
    "ports": "exposed_ports",
    "src": "source",
    "startperiod": "start_period",
    "test": "command",
    "to": "target",
    "working_dir": "workdir",
    "working_directory": "workdir",
    "dest": "target",
    "destination": "target",
    "dst": "target",
}


def suggestion(key: str, known: Iterable[str]) -> str:
    """Return the sentence that leads from `key` to the `known` key meant, or lists them all."""
    names = sorted(known)
    near = nearest(key, names)
    return f'Did you mean "{near}"?' if near else f"Known here: {', '.join(names)}."


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the one of `known` that `word` was probably meant to be, or an empty string."""
    names = list(known)
    plain = word.lower().replace("-", "_").replace(" ", "_")
    elsewhere = _ELSEWHERE.get(plain, "")
    if elsewhere in names:
        return elsewhere
    by_letters = {name.replace("_", ""): name for name in names}
    found = difflib.get_close_matches(plain.replace("_", ""), by_letters, 1, 0.7)
    return by_letters[found[0]] if found else ""
