"""Containers by bubblewrap (bwrap(1)), for machines where only it may make them."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

from scratchbuild.engines import process
from scratchbuild.engines.sandbox.container import HOSTNAME

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scratchbuild.engines.process import Answer
    from scratchbuild.engines.sandbox.container import Start

_PROBE_SECONDS = 10.0
_ISOLATED = (
    "--unshare-user",
    "--unshare-ipc",
    "--unshare-pid",
    "--unshare-net",
    "--unshare-uts",
    "--unshare-cgroup-try",
    "--die-with-parent",
    "--new-session",
)
_READ_ONLY = ("/proc/sys", "/proc/sysrq-trigger", "/proc/irq", "/proc/bus", "/proc/fs")

_EXEC_FAILED = re.compile(r"^bwrap: execvp .*: (.*)$", re.MULTILINE)
_OWN_FAILURE = re.compile(r"^bwrap: (.*)$", re.MULTILINE)


def find(environment: Mapping[str, str]) -> str | None:
    """Return the path of bwrap, None if it is not installed."""
    return shutil.which("bwrap", path=environment.get("PATH", os.defpath))


def probe(program: str) -> str | None:
    """Return why bubblewrap can make no container here, None if it can. Raises ScratchbuildError."""
    command = [
        program,
        *_ISOLATED,
        "--ro-bind",
        "/",
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--",
        program,
        "--version",
    ]
    try:
        answer = process.call(command, {}, _PROBE_SECONDS)
    except (process.TimedOut, process.TooMuchOutput):
        return f"it does not answer within {_PROBE_SECONDS:g} s"
    return None if answer.status == 0 else answer.message


def run(program: str, rootfs: str, start: Start, timeout: float) -> Answer:
    """Run `start` on the root file system `rootfs`, where its writes go. Raises TimedOut, TooMuchOutput."""
    # It looks for the program as this project does: in the new root, directory and PATH.
    return process.call([*_command(program, rootfs, start), "--", *start.arguments], {}, timeout)


def _command(program: str, rootfs: str, start: Start) -> list[str]:
    variables = [text for name, value in start.environment.items() for text in ("--setenv", name, value)]
    return [
        program,
        *_ISOLATED,
        "--as-pid-1",
        *("--hostname", HOSTNAME),
        *("--uid", str(start.account.uid), "--gid", str(start.account.gid)),
        *("--bind", rootfs, "/"),
        *("--proc", "/proc", "--dev", "/dev"),
        # Run by root, the container's root owns the machine's settings in /proc.
        *[text for path in _READ_ONLY for text in ("--ro-bind-try", path, path)],
        *[text for path in start.directories for text in ("--dir", path)],
        *("--chdir", start.directory),
        "--clearenv",
        *variables,
    ]


def complaint(answer: Answer) -> tuple[str, bool] | None:
    """Return what bubblewrap itself could not do, and whether that was executing the program; None if nothing."""
    if answer.status != 1:
        return None
    stderr = answer.stderr.decode("utf-8", "replace")
    if match := _EXEC_FAILED.search(stderr):
        return match[1], True
    if match := _OWN_FAILURE.search(stderr):
        return match[1], False
    return None
