"""Starting `inside.py`: telling it what to do, and reading what went wrong."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild.engines import process
from scratchbuild.engines.sandbox.container import HOSTNAME
from scratchbuild.errors import from_os_error

if TYPE_CHECKING:
    from scratchbuild.engines.process import Answer
    from scratchbuild.engines.sandbox.container import Start

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "inside.py")
_PROBE_SECONDS = 10.0


class Failure(NamedTuple):
    """What `inside.py` could not do (`namespaces`, `mounts`, `overlay`, `exec`, ...), and the error number."""

    step: str
    number: int


def probe() -> Failure | None:
    """Return why no container can be made by this process, None if one can. Raises ScratchbuildError."""
    _, failure = _call(_plan() | {"probe": True, "folder": "/tmp"}, _PROBE_SECONDS)  # noqa: S108 - a place to mount on
    return failure


def run(folder: str, start: Start, timeout: float, *, overlay: bool) -> tuple[Answer, Failure | None]:
    """Run `start` on the root file system in `folder`; return how it ended, or what could not be done.

    With `overlay` what it writes goes to memory, else to `folder` itself. Raises TimedOut, TooMuchOutput,
    ScratchbuildError.
    """
    return _call(
        _plan()
        | {
            "folder": folder,
            "overlay": overlay,
            "program": start.program,
            "arguments": start.arguments,
            "environment": start.environment,
            "directory": start.directory,
            "directories": start.directories,
            "uid": start.account.uid,
            "gid": start.account.gid,
            "groups": start.account.groups,
        },
        timeout,
    )


def _plan() -> dict[str, Any]:
    return {
        "parent": os.getpid(),
        "new_user": os.geteuid() != 0,
        "probe": False,
        "rootfs": "rootfs",
        "hostname": HOSTNAME,
    }


def _call(plan: dict[str, Any], timeout: float) -> tuple[Answer, Failure | None]:
    with contextlib.ExitStack() as stack:
        try:
            wanted = os.memfd_create("container", 0)
            stack.callback(os.close, wanted)
            readable, writable = os.pipe()
            stack.callback(os.close, readable)
            with os.fdopen(os.dup(wanted), "wb") as file:
                file.write(json.dumps(plan).encode())
            os.lseek(wanted, 0, os.SEEK_SET)
        except OSError as error:
            raise from_os_error(error, "prepare a container") from error
        # Isolated, and without what else is installed: only the standard library is needed.
        command = [sys.executable, "-I", "-S", "-B", _SCRIPT, str(wanted), str(writable)]
        try:
            answer = process.call(command, {"LC_ALL": "C.UTF-8"}, timeout, (wanted, writable))
        finally:
            os.close(writable)
        with os.fdopen(os.dup(readable), "rb") as file:
            said = file.read()
    return answer, Failure(*json.loads(said)) if said else None
