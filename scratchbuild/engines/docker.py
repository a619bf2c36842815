"""Docker, by the user's own client: it honours contexts, sockets and remote hosts as the user has set them up."""

from __future__ import annotations

import json
import os
import re
import shutil
from typing import TYPE_CHECKING

from scratchbuild.engines import process
from scratchbuild.engines.client import ClientEngine, Manner, shortened
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

# How long a daemon may take to say that it is there, in seconds.
ANSWER_SECONDS = 5.0

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"

_HOST = "DOCKER_HOST"
_CONTEXT = "DOCKER_CONTEXT"

# What surrounds the reason in what `docker run` prints.
_COMPLAINT = re.compile(r"^docker: (.*)", re.MULTILINE)
_BEFORE_REASON = re.compile(r"^(?:Error response from daemon: |Error: )?(?:.*?unable to start container process: )?")


def named(environment: Mapping[str, str]) -> bool:
    """Return whether the user named a Docker engine in the environment."""
    return bool(environment.get(_HOST) or environment.get(_CONTEXT))


def connect(environment: Mapping[str, str]) -> ClientEngine:
    """Return the Docker engine that the user's client talks to.

    Raises ScratchbuildError, saying what to do, if there is no client, or no daemon that answers in time.
    """
    # The client takes an empty variable for an address.
    environment = {name: value for name, value in environment.items() if value or name not in {_HOST, _CONTEXT}}
    environment["LC_ALL"] = "C"
    where = address(environment)
    program = shutil.which("docker", path=environment.get("PATH", os.defpath))
    if program is None:
        raise ScratchbuildError(
            "its client, the command docker, is not on PATH", where=where, mend="Install it: apt-get install docker.io"
        )
    command = [program, "version", "--format", "{{.Server.Version}}"]
    try:
        answer = process.call(command, environment, ANSWER_SECONDS)
    except process.TimedOut:
        raise ScratchbuildError(
            f"its daemon does not answer within {ANSWER_SECONDS:g} s",
            where=where,
            mend="Restart it: systemctl restart docker",
        ) from None
    except process.TooMuchOutput:
        raise ScratchbuildError(f"{program} prints without end", where=where) from None
    if answer.status or not answer.stdout.strip():
        raise _no_answer(answer.message, where, environment)
    return ClientEngine("docker", where, program, environment, _MANNER)


def address(environment: Mapping[str, str]) -> str:
    """Return where the client will look for the daemon, and who says so, in the client's own order of precedence."""
    if host := environment.get(_HOST):
        return f"{host} ({_HOST})"
    if context := environment.get(_CONTEXT):
        return f"context {context} ({_CONTEXT})"
    home = environment.get("HOME", "")
    folder = environment.get("DOCKER_CONFIG") or f"{home}/.docker"
    path = f"{folder}/config.json"
    try:
        with open(path, encoding="utf-8") as file:
            context = json.load(file).get("currentContext")
    except (OSError, ValueError, AttributeError):
        context = None
    if isinstance(context, str) and context not in {"", "default"}:
        return f"context {context} ({path})"
    return f"{DEFAULT_ADDRESS} (default)"


def _no_answer(message: str, where: str, environment: Mapping[str, str]) -> ScratchbuildError:
    """Return the error for a client that could not reach its daemon, and said `message`."""
    lines = [line for line in message.splitlines() if not line.startswith("WARNING:")]
    text = "\n".join(lines).lower()
    if "permission denied" in text:
        return ScratchbuildError(
            "this user may not talk to its daemon",
            where=where,
            mend="Join the group that owns the socket (usermod -aG docker USER, then log in again), or run as root.",
        )
    # Docker 20.10 says "does not exist", later ones "not found".
    if "context" in text and ("not found" in text or "does not exist" in text):
        unset = f"unset {_CONTEXT}" if environment.get(_CONTEXT) else "docker context use default"
        return ScratchbuildError(
            "the client knows no such context",
            where=where,
            mend=f"See docker context ls for those there are, or go back to the default one: {unset}",
        )
    if any(sign in text for sign in ("cannot connect", "failed to connect", "is the docker daemon running")):
        elsewhere = f"correct {_HOST}" if environment.get(_HOST) else f"set {_HOST} to where it listens"
        return ScratchbuildError(
            "no daemon answers there", where=where, mend=f"Start it (systemctl start docker), or {elsewhere}."
        )
    return ScratchbuildError(f"its client cannot reach the daemon: {shortened(text)}", where=where)


def complaint(_status: int, stderr: str) -> str | None:
    """Return why `docker run` could not run an image, or None if what it printed came from the program."""
    match = _COMPLAINT.search(stderr)
    if match is None:
        return _lost(stderr)
    return _BEFORE_REASON.sub("", match[1]).removesuffix(".").removesuffix(": unknown")


def _lost(stderr: str) -> str | None:
    """Return what the client says when its daemon went away while the program ran."""
    lost = "error waiting for container:"
    return next((line for line in stderr.splitlines() if lost in line), None)


def _mend(message: str) -> str:
    if any(sign in message.lower() for sign in ("cannot connect", "failed to connect", "eof", "connection re")):
        return "The daemon went away: start it again (systemctl start docker), then run the same command."
    if "no matching entries in" in message:
        return "Add the user or group to the image (users, groups), or write its number."
    if "no space left" in message.lower():
        return "Make room where the engine keeps its images: docker system df shows what takes it."
    return ""


_MANNER = Manner(
    reference=lambda tag: tag,
    absent=("no such image", "unable to find image"),
    complaint=complaint,
    unfit=("cgroup", "rlimit", "no space left"),
    mend=_mend,
)
