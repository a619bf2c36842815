"""Dynamic string tokens: $ORIGIN, $LIB and $PLATFORM (ld.so(8), "Dynamic string tokens")."""

from __future__ import annotations

import re
from typing import Final

# A name that goes on (`$ORIGINAL`) is no token; in braces only the exact name is (is_dst of glibc's dl-load.c).
_TOKEN: Final = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)(?![A-Za-z0-9_]))")


def expand(text: str, values: dict[str, str]) -> str | None:
    """Return `text` with its tokens replaced from `values` (`{"ORIGIN": "/opt/bin", ...}`).

    Anything else that begins with a dollar stays as it is. None where a token has no value, or an empty one: the
    loader then drops the whole path.
    """
    if "$" not in text:
        return text
    pieces = _TOKEN.split(text)
    result = [pieces[0]]
    for braced, bare, rest in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        value = values.get(braced or bare)
        if not value:
            return None
        result += [value, rest]
    return "".join(result)


def after_origin(text: str) -> str | None:
    """Return what follows $ORIGIN where `text` begins with it (`/../lib` of `$ORIGIN/../lib`), else None."""
    match = _TOKEN.match(text)
    if match is None or "ORIGIN" not in match.groups():
        return None
    return text[match.end() :]
