"""What on this machine forbids namespaces, and how to allow them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from scratchbuild.engines.sandbox.launch import Failure

# A setting, its value that forbids user namespaces to ordinary users, and the one that allows them.
_SETTINGS = (
    ("kernel.unprivileged_userns_clone", "0", "1"),
    ("user.max_user_namespaces", "0", "15000"),
    ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
)


def explained(failure: Failure, *, has_bubblewrap: bool) -> ScratchbuildError:
    """Return the error for a machine on which no container could be made, because of `failure`."""
    what = f"this user may not make containers ({failure.step}: {os.strerror(failure.number).lower()})"
    for name, forbids, allows in _SETTINGS:
        if _setting(name) == forbids:
            return ScratchbuildError(
                f"{what}: the setting {name} is {forbids}", mend=f"As root: sysctl -w {name}={allows}"
            )
    inside = "If this is a container itself, start it with --privileged, or with rights to make namespaces."
    install = "" if has_bubblewrap else " Bubblewrap may help: apt-get install bubblewrap"
    return ScratchbuildError(what, mend=inside + install)


def _setting(name: str) -> str:
    try:
        with open("/proc/sys/" + name.replace(".", "/"), encoding="ascii") as file:
            return file.read().strip()
    except (OSError, ValueError):
        return ""
