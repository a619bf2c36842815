"""Ctrl-C and SIGTERM: a run ends with their exit status, without a traceback, and with nothing half-made."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

# How long a thread may take to finish what it has in hand, in seconds; the next run clears away what it leaves.
_PATIENCE_SECONDS = 30.0
_LOOK_SECONDS = 0.002

# The signal that ended this run, or 0.
received = 0

_at_work: set[threading.Thread] = set()


class Interrupted(SystemExit):
    """Raised in a thread that is to end: no error, and said by nobody. doit hands it on with `status` as a text."""

    def __init__(self, status: int | str) -> None:
        super().__init__(int(status))


def quietly() -> None:
    """Let Ctrl-C end this process as SIGTERM does, at once and without a traceback; for all that makes nothing.

    Whoever has set a handler of their own keeps it.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        with contextlib.suppress(ValueError):  # not in the main thread
            signal.signal(signal.SIGINT, signal.SIG_DFL)


def tidily() -> None:
    """Let both signals end a run by an exception that puts away on its way what is half-made.

    Where it strikes in a callback, Python drops it and says so: then the stage in hand is finished first, in silence.
    """
    said = sys.unraisablehook

    def unsaid(unraisable: sys.UnraisableHookArgs) -> None:
        if not (received and issubclass(unraisable.exc_type, SystemExit)):
            said(unraisable)

    sys.unraisablehook = unsaid
    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup(1), and jobs in the background of a script
            signal.signal(number, _end)


def _end(number: int, _: object) -> NoReturn:
    global received  # noqa: PLW0603  # a process receives signals, nothing smaller does
    received = number
    raise SystemExit(128 + number)


@contextlib.contextmanager
def working() -> Iterator[None]:
    """Mark that this thread makes something. Raises Interrupted once the run is to end."""
    thread = threading.current_thread()
    _at_work.add(thread)
    try:
        if received:
            raise Interrupted(128 + received)
        yield
    finally:
        _at_work.discard(thread)


def end_threads() -> None:
    """Wait until the other threads have finished what they are making (`doit -n 4`); they begin nothing more.

    They are not interrupted: an exception that strikes a thread from outside may strike it in the middle of an import,
    and leave a lock behind that nobody lets go of.
    """
    end = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < end:
        if not any(thread.is_alive() for thread in _at_work - {threading.current_thread()}):
            return
        time.sleep(_LOOK_SECONDS)
