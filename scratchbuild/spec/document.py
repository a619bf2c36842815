"""The text of a definition: read from its file, and read as TOML, with errors that show the line."""

from __future__ import annotations

import os
import stat
import tomllib
from typing import Any

from scratchbuild.errors import ScratchbuildError, from_os_error

# A definition is written by hand; a file beyond this is something else.
MOST_BYTES = 16 << 20
_BYTE_ORDER_MARK = "\ufeff"
# How much of a long line is shown on each side of the mistake.
_SHOWN = 60


def read_text(path: str) -> str:
    """Return the text of the regular file `path`. Raises ScratchbuildError when it cannot be read, or is not UTF-8."""
    try:
        # Without O_NONBLOCK a FIFO of that name would make the build wait.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            data = _read(descriptor, path)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise from_os_error(error, "read the definition", where=path) from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ScratchbuildError(
            f"the byte 0x{data[error.start]:02x} is not UTF-8",
            where=f"{path}: line {line}",
            mend="TOML is always UTF-8: save the file in that encoding.",
        ) from None


def _read(descriptor: int, path: str) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        from scratchbuild.files import kind_of  # noqa: PLC0415 - only for a mistake

        raise ScratchbuildError(f"it is {kind_of(status.st_mode)}, not a definition", where=path)
    data = b""
    while piece := os.read(descriptor, MOST_BYTES + 1 - len(data)):
        data += piece
        if len(data) > MOST_BYTES:
            raise ScratchbuildError(
                f"it is larger than {MOST_BYTES >> 20} MiB, so it is no definition",
                where=path,
                mend="Large content belongs in a file of its own, named by source.",
            )
    return data


def toml(text: str, path: str) -> dict[str, Any]:
    """Return the document that `text` is. Raises ScratchbuildError with line and column when it is not TOML."""
    plain = text.removeprefix(_BYTE_ORDER_MARK)
    try:
        return tomllib.loads(plain)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(str(error), plain, path) from None
    except ValueError:
        # Python's own limit on the digits of an integer.
        raise ScratchbuildError(
            "an integer has too many digits", where=path, mend="TOML's integers have 64 bits."
        ) from None
    except RecursionError:
        raise ScratchbuildError(
            "arrays or tables are nested too deeply", where=path, mend="No key of a definition needs more than three."
        ) from None


def _not_toml(message: str, text: str, path: str) -> ScratchbuildError:
    """Return the error for the reader's `message`, which ends in `(at line 3, column 7)` or `(at end of document)`."""
    what, _, place = message.rpartition(" (at ")
    lines = text.replace("\r\n", "\n").split("\n")
    words = place.removesuffix(")").replace(",", "").split()
    if words[:1] == ["line"]:
        line, column = int(words[1]), int(words[3])
    else:
        line = max([1, *(number for number, content in enumerate(lines, 1) if content.strip())])
        column = len(lines[line - 1]) + 1
    first = max(0, column - 1 - _SHOWN)
    shown = "".join(letter if letter.isprintable() else " " for letter in lines[line - 1][first : column + _SHOWN])
    return ScratchbuildError(
        f"{what[:1].lower()}{what[1:]}\n    {shown}\n    {' ' * (column - 1 - first)}^",
        where=f"{path}: line {line}, column {column}",
        mend=_mend(what, ended=words[:1] != ["line"]),
    )


def _mend(what: str, *, ended: bool) -> str:
    if "overwrite" in what or "twice" in what:
        return "The key is there already: write it once."
    if "Invalid statement" in what or "Expected '='" in what:
        return 'A line is key = value, as in tags = ["hello:v1"].'
    if ended:
        return "The text ends too early: a value is missing, or a quote or a bracket is not closed."
    return 'Strings are written in quotes: "hello:v1".' if "Invalid value" in what else ""
