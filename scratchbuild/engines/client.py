"""Engines that are driven by a command of their own, docker's or podman's: the same words, different answers."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scratchbuild.digest import sha256
from scratchbuild.engines import process
from scratchbuild.engines.engine import Outcome
from scratchbuild.errors import ScratchbuildError
from scratchbuild.formats import reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

# How long the engine may take, in seconds: to answer a question, to end a container, to load beside the time for the
# archive's bytes, at a speed that slow disks reach too.
QUESTION_SECONDS = 30.0
_REMOVE_SECONDS = 10.0
_LOAD_SECONDS = 60.0
_LOAD_BYTES_A_SECOND = 4 << 20
# A run is timed by the engine's client: what starting and removing a container may take beside the program.
_START_SECONDS = 5.0

# What the clients' own exit statuses mean (docker-run(1), "EXIT STATUS").
ENGINE_FAILED = 125
OWN_STATUSES = (ENGINE_FAILED, 126, 127)

_RUN = ("run", "--rm", "--network", "none", "--pull=never")
# What is printed is read here: kept by the engine as well, it would cost twenty times the time, and room on the disk.
_UNLOGGED = ("--log-driver", "none")
_MOST_SHOWN_LINES = 8

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Manner:
    """How one engine's client differs: what it calls an image, and how it words what went wrong.

    `absent` are texts (lower case) by which it says that it has no such image. `complaint` returns the client's own
    reason why it could not run something, from exit status and standard error, or None if the program itself ended
    so. `unfit` are texts (lower case) by which it says that this machine or its set-up does not let it run anything.
    `mend` says what a person can do about such a message, or an empty text. `remove` are the commands, less the
    container's name, that end and remove a container at once.
    """

    reference: Callable[[str], str]
    absent: tuple[str, ...]
    complaint: Callable[[int, str], str | None]
    unfit: tuple[str, ...]
    mend: Callable[[str], str]
    remove: tuple[tuple[str, ...], ...] = (("rm", "--force"),)


class ClientEngine:
    """An engine behind the command `program`, called in `environment`."""

    def __init__(self, name: str, where: str, program: str, environment: Mapping[str, str], manner: Manner) -> None:
        self.name = name
        self.where = where
        self.passed_over: tuple[str, ...] = ()
        self._program = program
        self._environment = environment
        self._manner = manner

    def image_id(self, tag: str) -> str | None:
        """Return the ID of the image under `tag`, None if there is none. Raises ScratchbuildError."""
        found = self._inspect(tag)
        return found[0] if found else None

    def _inspect(self, tag: str) -> tuple[str, list[str]] | None:
        """Return the ID and the diff_ids of the image under `tag`."""
        wanted = "{{.Id}} {{json .RootFS.Layers}}"
        command = ("image", "inspect", "--format", wanted, self._manner.reference(tag))
        answer = self._ask(command, f"say whether it has {tag}", QUESTION_SECONDS)
        if answer.status:
            if _has(answer.message, self._manner.absent):
                return None
            raise self._refused(f"say whether it has {tag}", answer.message)
        try:
            identity, _, layers = answer.stdout.decode().strip().partition(" ")
            diff_ids = json.loads(layers) or []
        except ValueError as error:
            raise self._refused(f"say whether it has {tag}", answer.message) from error
        return identity if identity.startswith("sha256:") else f"sha256:{identity}", diff_ids

    def load(self, archive: str, tags: Sequence[str]) -> None:
        """Load `archive`; afterwards its image is there under all `tags`. Raises ScratchbuildError."""
        with reading.opened(archive) as opened:
            identity, diff_ids = sha256(opened.config), [layer.diff_id for layer in opened.layers]
            size = os.fstat(opened.descriptor).st_size
        doing = f"load {archive}"
        answer = self._ask(("load", "-i", archive), doing, _LOAD_SECONDS + size / _LOAD_BYTES_A_SECOND)
        said = (answer.stdout + b"\n" + answer.stderr).decode("utf-8", "replace")
        # Some engines end with status 0 although they say that they could not unpack the image.
        errors = [line for line in said.splitlines() if line.lower().startswith("error")]
        if answer.status or errors:
            raise self._refused(doing, "\n".join(errors) or answer.message)
        for tag in tags:
            found = self._inspect(tag)
            if found is None:
                raise self._refused(doing, f"it took the archive, and has no image {tag} now\n{said.strip()}")
            # Stores of containerd name an image by its manifest: then its layers tell whether it is the one.
            if found[0] != identity and found[1] != diff_ids:
                raise self._refused(doing, f"it took the archive, and has another image under {tag}: {found[0]}")

    def command(self, tag: str, arguments: Sequence[str]) -> list[str]:
        """Return the command that `run` runs, as a person would type it: without a name, its output logged."""
        return [self.name, *_RUN, self._manner.reference(tag), *arguments]

    def run(self, tag: str, arguments: Sequence[str], timeout: float) -> Outcome:
        """Run the image in a container that is removed afterwards, whatever happens. Raises ScratchbuildError."""
        container = f"scratchbuild-{os.getpid()}-{next(_numbers)}-{secrets.token_hex(4)}"
        command = (*_RUN, *_UNLOGGED, "--name", container, self._manner.reference(tag), *arguments)
        try:
            answer = process.call([self._program, *command], self._environment, timeout + _START_SECONDS)
        except BaseException as error:
            self._remove(container)
            if isinstance(error, process.TimedOut):
                raise too_slow(tag, timeout, error) from None
            if isinstance(error, process.TooMuchOutput):
                raise too_loud(tag) from None
            raise
        stderr = answer.stderr.decode("utf-8", "replace")
        if answer.status in OWN_STATUSES and (reason := self._manner.complaint(answer.status, stderr)) is not None:
            if _has(reason, self._manner.absent):
                raise ScratchbuildError(
                    f"{self.name} has no image {tag}: it was removed since it was loaded, or never was", mend=LOAD_AGAIN
                )
            if answer.status == ENGINE_FAILED or _has(reason, self._manner.unfit):
                self._remove(container)
                raise self._refused(f"run {tag}", reason)
            raise not_started(tag, reason, answer.status)
        return Outcome(answer.status, answer.stdout, answer.stderr, answer.seconds)

    def _remove(self, container: str) -> None:
        """Remove a container if it is still there; that it cannot be removed is nobody's second error."""
        for command in self._manner.remove:
            with contextlib.suppress(process.TimedOut, process.TooMuchOutput, ScratchbuildError):
                process.call([self._program, *command, container], self._environment, _REMOVE_SECONDS)

    def _ask(self, command: Sequence[str], doing: str, timeout: float) -> process.Answer:
        try:
            return process.call([self._program, *command], self._environment, timeout)
        except process.TimedOut:
            raise ScratchbuildError(
                f"{self.name} did not {doing} within {timeout:.0f} s",
                where=self.where,
                mend="Restart it, or choose another engine: engine=sandbox needs none.",
            ) from None
        except process.TooMuchOutput:
            raise self._refused(doing, "it printed without end") from None

    def _refused(self, doing: str, message: str) -> ScratchbuildError:
        reason = shortened(message) or "it gives no reason"
        return ScratchbuildError(
            f"{self.name} cannot {doing}: {reason}", where=self.where, mend=self._manner.mend(message)
        )


LOAD_AGAIN = "Load it again: doit load"


def too_slow(tag: str, timeout: float, stopped: process.TimedOut) -> ScratchbuildError:
    """Return the error for a program that did not end within `timeout` seconds, with what it printed last."""
    printed = shortened((stopped.stdout + stopped.stderr).decode("utf-8", "replace"))
    return ScratchbuildError(
        f"{tag} did not end within {timeout:g} s and was stopped; it printed {printed or 'nothing'}",
        mend="Give it more time ([verify] timeout = SECONDS), or arguments with which it ends.",
    )


def too_loud(tag: str) -> ScratchbuildError:
    """Return the error for a program that prints without end."""
    return ScratchbuildError(
        f"{tag} printed more than {process.MOST_OUTPUT_BYTES >> 20} MiB and was stopped",
        mend="Give it arguments with which it prints less.",
    )


def not_started(tag: str, reason: str, status: int) -> ScratchbuildError:
    """Return the error for an image whose program could not be started; `status` is what docker run would give."""
    return ScratchbuildError(
        f"{tag} does not start: {reason} (exit status {status})",
        mend="Its entrypoint must be an executable file of the image, and so must the loader or interpreter it names.",
    )


def _has(message: str, texts: tuple[str, ...]) -> bool:
    return any(text in message.lower() for text in texts)


def shortened(message: str) -> str:
    """Return the last lines of a message, without blank ones."""
    lines = [line.rstrip() for line in message.splitlines() if line.strip()]
    left_out = ["..."] if len(lines) > _MOST_SHOWN_LINES else []
    return "\n".join(left_out + lines[-_MOST_SHOWN_LINES:])
