"""A script's `#!` line, as execve(2) reads it."""

from __future__ import annotations

import os
from typing import Final

from scratchbuild.errors import ScratchbuildError

# What execve(2) looks at to find "#!" and the interpreter's name (BINPRM_BUF_SIZE since Linux 5.1).
INTERPRETER_LINE_BYTES: Final = 256


def interpreter_line(first_bytes: bytes) -> tuple[str, str | None] | None:
    """Return the interpreter and the one argument of a script's `#!` line; None for a file without `#!`.

    `first_bytes` must have the file's first 256 bytes (fewer only where it ends). Raises ScratchbuildError where the
    kernel finds no interpreter in them.
    """
    buffer = first_bytes[:INTERPRETER_LINE_BYTES].ljust(INTERPRETER_LINE_BYTES, b"\0")
    if buffer[:2] != b"#!":
        return None
    line, newline, _ = buffer[2:].partition(b"\n")
    if not newline:
        # The name must at least be seen to end, lest half a path be run; an argument may be cut off.
        if not _ends(line.lstrip(b" \t")):
            raise ScratchbuildError(
                f"its #! line has no end within {INTERPRETER_LINE_BYTES} bytes: {os.fsdecode(line[:60])}...",
                mend="The kernel does not read further: name an interpreter with a shorter path.",
            )
        line = line[:-1]
    line = line.strip(b" \t")
    end = min(_ends(line), default=len(line))
    if end == 0:
        raise ScratchbuildError("its #! line names no interpreter")
    argument = line[end:].lstrip(b" \t").partition(b"\0")[0]
    return os.fsdecode(line[:end]), os.fsdecode(argument) or None


def _ends(line: bytes) -> list[int]:
    """Return where a name at the start of `line` may end: the first of each of blank, tab and NUL."""
    return [place for place in map(line.find, (b" ", b"\t", b"\0")) if place >= 0]
