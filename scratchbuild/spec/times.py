"""Moments and durations: `created`, SOURCE_DATE_EPOCH, and the times of a health check."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scratchbuild.spec.field import Field

VARIABLE = "SOURCE_DATE_EPOCH"
# 9999-12-31T23:59:59Z: RFC 3339 has no later year, and engines refuse an image that says one.
MOST_SECONDS = 253402300799
_MOST_DIGITS = 12
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# As Go's time.ParseDuration has them, in nanoseconds.
_UNITS = {
    "ns": 1,
    "us": 1_000,
    "\u00b5s": 1_000,  # micro sign
    "\u03bcs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
# Engines take no shorter one (moby, container.MinimumDuration), and count in 64 bits.
LEAST_DURATION = 1_000_000
MOST_DURATION = 2**63 - 1
_MOST_LETTERS = 40


def from_environment(environment: Mapping[str, str]) -> int:
    """Return SOURCE_DATE_EPOCH in seconds since 1970 (reproducible-builds.org's specification), 0 when it is unset.

    Raises ScratchbuildError when it is no plain number from 0 to the end of the year 9999.
    """
    text = environment.get(VARIABLE)
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and int(text) <= MOST_SECONDS):
        raise ScratchbuildError(
            f"{VARIABLE} is {quote(text)}: expected whole seconds since 1970, from 0 to {MOST_SECONDS}",
            where="environment",
            mend="Set it to a number such as 1718668800, unset it, or write created in the definition.",
        )
    return int(text)


def created(field: Field) -> int:
    """Return the moment in seconds since 1970, from a TOML date-time, an RFC 3339 string or a number.

    Raises ScratchbuildError for a moment without a time zone, with a part of a second, or out of 1970 to 9999.
    """
    value = field.value
    if isinstance(value, int) and not isinstance(value, bool):
        return field.integer(0, MOST_SECONDS)
    if isinstance(value, str):
        value = _rfc3339(field, field.text())
    if isinstance(value, date) and not isinstance(value, datetime):
        raise field.error(f"{value} has no time of day", f"Write {value}T00:00:00Z.")
    if isinstance(value, time) or not isinstance(value, datetime):
        raise field.wrong("a date and time")
    if value.tzinfo is None:
        raise field.error(
            f"{value.isoformat()} has no time zone, so it means another moment on each machine",
            f"Add Z for UTC: {value.isoformat()}Z.",
        )
    if value.microsecond:
        raise field.error(
            f"{value.isoformat()} has a part of a second, which a layer cannot hold", "Write whole seconds."
        )
    seconds = (value - _EPOCH) // timedelta(seconds=1)
    if not 0 <= seconds <= MOST_SECONDS:
        raise field.error(f"{value.isoformat()} is not from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z")
    return seconds


def _rfc3339(field: Field, text: str) -> datetime | date:
    """Return what a string says if TOML would read it as a date and time, which is RFC 3339 (section 5.6)."""
    import tomllib  # noqa: PLC0415 - loaded already, to read the document

    plain = text[:4].isdigit() and text.isprintable() and "#" not in text and text == text.strip()
    try:
        value = tomllib.loads(f"moment = {text}")["moment"] if plain else None
    except ValueError:
        value = None
    if not isinstance(value, date):
        raise field.error(f"{quote(text)} is not a date and time of RFC 3339", f"Write it like this: {field.example}")
    return value


def duration(field: Field) -> int:
    """Return a duration such as `1m30s` or `0.5s` in nanoseconds (Go's time.ParseDuration).

    Raises ScratchbuildError for any other form, and for one below a millisecond.
    """
    if isinstance(field.value, int | float) and not isinstance(field.value, bool):
        raise field.error(
            f"{field.value} has no unit" if abs(field.value) < MOST_DURATION else "a number has no unit",
            'Write it as a string with its unit, such as "30s" or "1m30s".',
        )
    text = field.text()
    nanoseconds = _nanoseconds(text) if len(text) <= _MOST_LETTERS else None
    if nanoseconds is None:
        raise field.error(
            f"{quote(text)} is not a duration", 'Write numbers with units (h, m, s, ms), such as "30s" or "1m30s".'
        )
    if not LEAST_DURATION <= nanoseconds <= MOST_DURATION:
        raise field.error(
            f"{quote(text)} is not from 1ms to 292 years", "Leave the key out for the engine's own default."
        )
    return nanoseconds


def _nanoseconds(text: str) -> int | None:
    total = 0
    rest = text
    while rest:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789."))]
        rest = rest[len(digits) :]
        letters = rest[: len(rest) - len(rest.lstrip("hmnsu\u00b5\u03bc"))]
        rest = rest[len(letters) :]
        whole, _, part = digits.partition(".")
        if letters not in _UNITS or not (whole or part) or "." in part:
            return None
        unit = _UNITS[letters]
        total += int(whole or "0") * unit + int(part or "0") * unit // 10 ** len(part)
    return total if text else None
