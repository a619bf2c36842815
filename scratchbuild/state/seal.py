"""A seal: the record that a stage ended well, beside what it made. No seal, an unreadable one or a broken one: stale.

Before a stage touches its targets, its seal is replaced by the mere list of what may be there, and that by the new seal
after the last target is in place: whatever kills the stage in between leaves no seal, and the stage runs again and
clears away what it does not make this time.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild import files
from scratchbuild.state.imprint import Imprint, Imprints

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scratchbuild.state.record import Record

_VERSION = 1
_UNFINISHED = 0


class Seal(NamedTuple):
    """What a stage used (`uses`: definition keys, tool code, place), read and made, and how long it took (seconds)."""

    uses: Mapping[str, str]
    read: Mapping[str, Imprint]
    made: Mapping[str, Imprint]
    seconds: float = 0.0


class Verdict(NamedTuple):
    """Whether a stage is fresh; if not, why, in a line for a person."""

    fresh: bool
    reason: str = ""


def begin(path: str, made: Iterable[str]) -> list[str]:
    """Put the list of what may be there in the place of the seal at `path`, and return it.

    That is what the last run made, what runs that did not end may have made, and `made`, what this one will.
    Raises OSError.
    """
    paths = sorted({*listed(path), *made})
    files.write(path, json.dumps({"version": _UNFINISHED, "made": paths}, separators=(",", ":")).encode())
    return paths


def unfinished(path: str) -> bool:
    """Return whether the last run of the stage whose seal is at `path` was cut short, whatever did it."""
    try:
        return bool(_document(path)["version"] == _UNFINISHED)
    except (OSError, ValueError, TypeError, KeyError):
        return False


def listed(path: str) -> list[str]:
    """Return the paths that the seal at `path` lists as made, or those that an unfinished run may have made."""
    try:
        return [str(made) for made in _document(path)["made"]]
    except (OSError, ValueError, TypeError, KeyError):
        return []


def _document(path: str) -> Any:
    """Return what the file at `path` says. Raises OSError; ValueError if it is no JSON."""
    with open(path, "rb") as file:
        try:
            return json.load(file)
        except RecursionError:
            raise ValueError(f"{path} is no seal") from None


def load(path: str) -> Seal | None:
    """Return the seal in the file `path`, or None where there is none that can be read."""
    try:
        document = _document(path)
        if document["version"] != _VERSION:
            return None
        return Seal(
            dict(document["uses"]),
            _imprints(document["read"]),
            _imprints(document["made"]),
            float(document["seconds"]),
        )
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _imprints(document: dict[str, list[str | int]]) -> dict[str, Imprint]:
    return {
        path: Imprint(str(text), tuple(key) if key else None)  # type: ignore[arg-type]  # six integers, or no match
        for path, (text, *key) in document.items()
    }


def save(path: str, seal: Seal) -> None:
    """Write the seal, in one step. Raises OSError."""
    document = {
        "version": _VERSION,
        "uses": seal.uses,
        "read": {name: [text, *(key or ())] for name, (text, key) in seal.read.items()},
        "made": {name: [text, *(key or ())] for name, (text, key) in seal.made.items()},
        "seconds": round(seal.seconds, 6),
    }
    files.write(path, json.dumps(document, separators=(",", ":")).encode())


def of(record: Record, uses: Mapping[str, str], seconds: float) -> Seal:
    """Return the seal of a run that ended well. What a stage made itself is not something that it depends on."""
    read = {path: imprint for path, imprint in record.reads.items() if path not in record.makes}
    return Seal(uses, read, dict(record.makes), seconds)


def check(path: str, uses: Mapping[str, str], imprints: Imprints) -> Verdict:
    """Compare the seal at `path` with the world; the first difference makes the stage stale.

    Equal files whose stat keys changed (touched, or copied back) are noted in the seal, so that they are hashed once
    and not on every run.
    """
    seal = load(path)
    if seal is None:
        return Verdict(fresh=False, reason=_why_none(path))
    if seal.uses != uses:
        names = sorted(name for name in {*seal.uses, *uses} if seal.uses.get(name) != uses.get(name))
        return Verdict(fresh=False, reason=", ".join(names) + " changed")
    refreshed = False
    renewed: list[dict[str, Imprint]] = []
    for whose, group in (("", seal.read), ("made: ", seal.made)):
        current: dict[str, Imprint] = {}
        for name, known in group.items():
            imprint = imprints.of(name, known)
            if imprint.text != known.text:
                return Verdict(fresh=False, reason=whose + difference(name, known.text, imprint.text))
            refreshed |= imprint.key != known.key
            current[name] = imprint
        renewed.append(current)
    if refreshed:
        try:
            save(path, seal._replace(read=renewed[0], made=renewed[1]))
        except OSError:
            # A cache that cannot be written is no reason to be stale; the files are hashed again next time.
            return Verdict(fresh=True)
    return Verdict(fresh=True)


def _why_none(path: str) -> str:
    """Return in words why there is no seal at `path` that can be read."""
    if unfinished(path):
        return "its last run did not finish"
    return "a damaged record" if os.path.lexists(path) else "not made yet"


def difference(path: str, before: str, after: str) -> str:
    """Return in words how `path` changed from one imprint text to another."""
    old, new = before.split(" "), after.split(" ")
    if old[0] != new[0]:
        words = {"absent": "absent", "names": "a directory", "link": "a link", "special": "special"}
        return f"{path} was {words.get(old[0], 'a ' + old[0])}, is {words.get(new[0], 'a ' + new[0])}"
    if old[0] == "link":
        return f"{path} pointed to {before[5:]}, points to {after[5:]}"
    if old[0] == "file":
        if old[2:4] == new[2:4] and old[1] != new[1]:
            return f"{path} had mode {old[1]}, has {new[1]}"
        if old[1:4] == new[1:4]:
            return f"{path} has other hard links or capabilities"
        return f"{path} changed"
    return f"{path} has other names in it"
