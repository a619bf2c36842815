"""Lines for a terminal or a pipe: what ran and how long it took, what went wrong, and one line for each image."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NamedTuple, TextIO

from scratchbuild.errors import flatten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scratchbuild.errors import ScratchbuildError

_CODES = {"bold": "1", "dim": "2", "red": "31", "green": "32", "yellow": "33"}
_ERASE = "\r\x1b[K"
_DIGEST_CHARACTERS = 12


class Summary(NamedTuple):
    """One image at the end of a run: `size` in bytes, `seconds` since the run began."""

    tags: Sequence[str]
    image_id: str
    size: int
    layers: int
    rebuilt: Sequence[str]
    reused: Sequence[str]
    seconds: float


class Console:
    """Writes to a stream; on a terminal it shows what is running now, in a pipe there are only whole, plain lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._terminal = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._colour = self._terminal and not os.environ.get("NO_COLOR")
        self._running = False

    def running(self, stage: str, image: str) -> None:
        """Show that a stage has begun; on a terminal only, until the next line."""
        if self._terminal:
            self._stream.write(f"{_ERASE}{stage:<10} {image} ...")
            self._stream.flush()
            self._running = True

    def line(self, text: str = "") -> None:
        """Write a line, in the place of the one that shows what is running."""
        self._stream.write(f"{_ERASE if self._running else ''}{text}\n")
        self._stream.flush()
        self._running = False

    def ran(self, stage: str, image: str, seconds: float, reason: str) -> None:
        """Write that a stage ran, how long it took, and why."""
        head = f"{stage:<10} {image:<14} {duration(seconds):>8}"
        self.line(f"{head}  {self._style('dim', self._fitted(reason, len(head) + 2))}".rstrip())

    def fresh(self, stage: str, image: str) -> None:
        """Write that a stage had nothing to do."""
        self.line(self._style("dim", f"{stage:<10} {image:<14} {'fresh':>8}"))

    def summary(self, summary: Summary) -> None:
        """Write the line of one image; on a narrow terminal it counts the stages that ran instead of naming them."""
        layers = "1 layer" if summary.layers == 1 else f"{summary.layers} layers"
        short = summary.image_id.removeprefix("sha256:")[:_DIGEST_CHARACTERS]
        tags = " ".join(summary.tags)
        rebuilt, reused = summary.rebuilt, len(summary.reused)
        if not rebuilt:
            works = [f"nothing to rebuild, reused {reused}"]
        elif not reused:
            works = [f"built all {len(rebuilt)} stages"]
        else:
            works = [f"rebuilt {' '.join(rebuilt)}, reused {reused}", f"rebuilt {len(rebuilt)}, reused {reused}"]
        lines = [f"  {short}  {size(summary.size)}  {layers}  {work}  {summary.seconds:.2f} s" for work in works]
        fitting = [line for line in lines if len(tags) + len(line) <= self._columns()]
        self.line(self._style("bold", tags) + (fitting or lines[-1:])[0])

    def note(self, text: str) -> None:
        """Write something that a person should know and that is no error."""
        self.line(f"{self._style('yellow', 'note:')} {text}")

    def error(self, error: ScratchbuildError) -> None:
        """Write an error, or each of several."""
        for single in flatten([error]):
            self.line(f"{self._style('red', 'error:')} {single}")

    def _style(self, name: str, text: str) -> str:
        return f"\x1b[{_CODES[name]}m{text}\x1b[0m" if self._colour and text else text

    def _fitted(self, text: str, used: int) -> str:
        """Return a reason without its middle where it is too long for a terminal's line; a pipe gets all of it."""
        room = max(self._columns() - used, 10)
        if len(text) <= room:
            return text
        head = (room - 3) // 2
        return f"{text[:head]}...{text[head + 3 - room :]}"

    def _columns(self) -> int:
        """How long a line may be."""
        if not self._terminal:
            return sys.maxsize
        try:
            return os.get_terminal_size(self._stream.fileno()).columns
        except (OSError, ValueError):
            return 80


def say(text: str) -> None:
    """Write a line to a person on standard error, the process's own: doit keeps what an action writes to itself."""
    print(f"doit: {text}", file=sys.__stderr__, flush=True)  # this room is the one that prints


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: `4 ms`, `1.25 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.2f} s"


def size(count: int) -> str:
    """Return a size in bytes as a person reads it, in powers of 1000: `6.3 MB`."""
    amount = float(count)
    for unit in ("B", "kB", "MB"):
        if amount < 999.95:  # noqa: PLR2004  # would be rounded to 1000.0
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} GB"
