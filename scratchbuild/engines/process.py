"""Programs that are waited for, with a limit to their time and to what they print; none outlives the wait."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import IO, TYPE_CHECKING, NamedTuple, cast

from scratchbuild.errors import from_os_error

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

# What a program may print to one stream: more is no message, and must not fill the memory.
MOST_OUTPUT_BYTES = 64 << 20

_PIECE_BYTES = 64 << 10
# How long a program that was told to end may take, and its last output after its end.
_GRACE_SECONDS = 2.0
_REST_SECONDS = 0.5


class Answer(NamedTuple):
    """How a program ended: exit status (128 + N for signal N), what it printed, seconds from start to end."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float

    @property
    def message(self) -> str:
        """What it printed to standard error, or else to standard output, as text without blank ends."""
        return (self.stderr.strip() or self.stdout.strip()).decode("utf-8", "replace")


class TimedOut(Exception):  # an outcome, which callers word for people
    """The program had not ended in time, and was stopped; what it had printed until then."""

    def __init__(self, stdout: bytes, stderr: bytes) -> None:
        super().__init__("timed out")
        self.stdout = stdout
        self.stderr = stderr


class TooMuchOutput(Exception):  # likewise
    """The program printed more than MOST_OUTPUT_BYTES, and was stopped."""


def call(
    command: Sequence[str],
    environment: Mapping[str, str],
    timeout: float,
    descriptors: Sequence[int] = (),
) -> Answer:
    """Run `command` (its first item an absolute path) and return how it ended. It reads nothing: its input is empty.

    It inherits `descriptors` and is stopped, its whole process group with it, when `timeout` seconds are over, when
    it prints too much, and when anything is raised here meanwhile (Ctrl-C). Raises TimedOut, TooMuchOutput, and
    ScratchbuildError if it cannot be started.
    """
    started = time.monotonic()
    try:
        process = subprocess.Popen(  # noqa: S603
            list(command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=tuple(descriptors),
            start_new_session=True,
        )
    except OSError as error:
        raise from_os_error(error, f"start {command[0]}") from error
    with _ended(process):
        output = _output(process, started + timeout)
        status = process.wait()
    return Answer(status if status >= 0 else 128 - status, *output, time.monotonic() - started)


@contextlib.contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Leave nothing of `process` behind, however this is left: no process, no pipe."""
    try:
        yield
    finally:
        if process.poll() is None:
            _signal(process, signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_GRACE_SECONDS)
        if process.returncode is None:
            _signal(process, signal.SIGKILL)
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    # The session's leader has not been waited for, so its number is still its own.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _output(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bytes]:
    """Return what `process` prints until it has ended."""
    assert process.stdout is not None  # noqa: S101 - both are pipes
    assert process.stderr is not None  # noqa: S101
    pieces: dict[IO[bytes], bytearray] = {process.stdout: bytearray(), process.stderr: bytearray()}

    def so_far() -> tuple[bytes, bytes]:
        stdout, stderr = pieces.values()
        return bytes(stdout), bytes(stderr)

    with selectors.DefaultSelector() as selector:
        for stream in pieces:
            selector.register(stream, selectors.EVENT_READ)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimedOut(*so_far())
            ready = selector.select(min(left, _REST_SECONDS))
            # A process that it left behind may hold the pipes open: after its end only what is there is read.
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                piece = os.read(key.fd, _PIECE_BYTES)
                if not piece:
                    selector.unregister(key.fileobj)
                got = pieces[cast("IO[bytes]", key.fileobj)]
                got += piece
                if len(got) > MOST_OUTPUT_BYTES:
                    raise TooMuchOutput
    try:
        process.wait(max(deadline - time.monotonic(), 0.0))
    except subprocess.TimeoutExpired:
        raise TimedOut(*so_far()) from None
    return so_far()
