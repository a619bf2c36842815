"""Podman, rootful or rootless, as the user's containers.conf and storage.conf set it up."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from typing import TYPE_CHECKING

from scratchbuild.engines import process
from scratchbuild.engines.client import ENGINE_FAILED, ClientEngine, Manner, shortened
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

# The first call after a machine's start sets up storage, so it may take longer than a daemon's answer.
ANSWER_SECONDS = 15.0

_ERROR = re.compile(r"^Error: (.*)", re.MULTILINE)
_ABOUT_CONTAINERS = ("OCI", "crun: ", "runc: ", "no matching entries in")
_NOTHING = "/nothing"
_NOT_FOUND = 127


def connect(environment: Mapping[str, str], *, prove: bool) -> ClientEngine:
    """Return podman as it is set up for this user; with `prove`, only after it has started a container.

    Raises ScratchbuildError, saying what to do, if it is not installed or does not work.
    """
    environment = {**environment, "LC_ALL": "C"}
    program = shutil.which("podman", path=environment.get("PATH", os.defpath))
    if program is None:
        raise ScratchbuildError("the command podman is not on PATH", mend="Install it: apt-get install podman")
    answer = _call([program, "info", "--format", "{{.Store.GraphRoot}} {{.Host.Security.Rootless}}"], environment)
    if answer.status:
        raise ScratchbuildError(f"podman info fails: {shortened(answer.message)}", mend=_mend(answer.message))
    folder, _, rootless = answer.stdout.decode("utf-8", "replace").strip().rpartition(" ")
    where = f"{folder} ({'rootless' if rootless == 'true' else 'rootful'})"
    remote = next((name for name in ("CONTAINER_HOST", "CONTAINER_CONNECTION") if environment.get(name)), None)
    if remote:
        where = f"{environment[remote]} ({remote})"
    if prove and not remote:
        _prove(program, environment, where)
    return ClientEngine("podman", where, program, environment, _MANNER)


def _call(command: list[str], environment: Mapping[str, str]) -> process.Answer:
    try:
        return process.call(command, environment, ANSWER_SECONDS)
    except process.TimedOut:
        raise ScratchbuildError(f"it does not answer within {ANSWER_SECONDS:g} s: {' '.join(command)}") from None
    except process.TooMuchOutput:
        raise ScratchbuildError(f"{command[0]} prints without end") from None


def _prove(program: str, environment: Mapping[str, str], where: str) -> None:
    """See whether it gets as far as looking for a program in an empty root: all but that program is in place then."""
    with tempfile.TemporaryDirectory(prefix="scratchbuild-") as empty:
        answer = _call([program, "run", "--rm", "--network", "none", "--rootfs", empty, _NOTHING], environment)
    if answer.status != _NOT_FOUND:
        raise ScratchbuildError(
            f"it cannot start a container: {shortened(answer.message)}", where=where, mend=_mend(answer.message)
        )


def reference(tag: str) -> str:
    """Return what podman calls the image that an archive calls `tag`: short names are on localhost."""
    host, slash, _ = tag.partition("/")
    is_host = slash and ("." in host or ":" in host or host == "localhost")
    return tag if is_host else f"localhost/{tag}"


def complaint(status: int, stderr: str) -> str | None:
    """Return why `podman run` could not run an image, or None if what it printed came from the program."""
    found: list[str] = _ERROR.findall(stderr)
    if not found:
        return None
    # With 126 and 127 a program may end itself, having said that something was an error.
    is_own = status == ENGINE_FAILED or any(text in found[-1] for text in _ABOUT_CONTAINERS)
    return found[-1].removesuffix(": OCI permission denied") if is_own else None


def _mend(message: str) -> str:
    text = message.lower()
    if "rlimit" in text:
        return (
            "Podman asks for higher limits than this machine allows. In containers.conf: "
            '[containers] default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]'
        )
    if "hybrid mode" in text:
        return 'crun does not know these cgroups. Install runc, and in containers.conf: [engine] runtime = "runc"'
    if "newuidmap" in text or "subuid" in text or "subgid" in text:
        return "Install it (apt-get install uidmap), and give the user numbers in /etc/subuid and /etc/subgid."
    if "permission denied" in text or "operation not permitted" in text:
        return "Run it as a user who may use it, or choose another engine: engine=sandbox needs none."
    if "no matching entries in" in text:
        return "Add the user or group to the image (users, groups), or write its number."
    return ""


_MANNER = Manner(
    reference=reference,
    absent=("image not known", "no such image", "unable to find image"),
    complaint=complaint,
    unfit=("cgroup", "rlimit", "newuidmap", "no matching entries in", "no space left"),
    mend=_mend,
    # Alone, `rm` asks the program to end, and waits ten seconds for it.
    remove=(("kill",), ("rm", "--force")),
)
