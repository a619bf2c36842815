"""Which engine: the one the user chose, or the first that works."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from scratchbuild.engines.engine import Engine

NAMES = ("docker", "podman", "sandbox")


def find(choice: str | None, *, store: str, environment: Mapping[str, str]) -> Engine:
    """Return the engine called `choice`, or None: the first of NAMES that works, told why those before it do not.

    `store` is the folder (made when needed) where the sandbox keeps its images; `environment` that of this process.
    An engine that the environment names (DOCKER_HOST, DOCKER_CONTEXT) is never silently replaced by another.

    Raises ScratchbuildError for an unknown choice, and if the engine, or none of them, can be used: for each why not,
    and what to do.
    """
    if choice is not None:
        return _chosen(choice, store, environment)
    failed: list[tuple[str, ScratchbuildError]] = []
    for name in NAMES:
        try:
            engine = _connect(name, store, environment, prove=True)
        except ScratchbuildError as error:
            failed.append((name, error))
            if name == "docker" and _docker_is_named(environment):
                raise _unusable(name, error, named=True) from error
        else:
            engine.passed_over = tuple(_line(name, error) for name, error in failed)
            return engine
    tried = "\n".join(f"  {_line(name, error)}\n    {error.mend}".rstrip() for name, error in failed)
    raise ScratchbuildError(f"no engine can be used\n{tried}")


def _chosen(choice: str, store: str, environment: Mapping[str, str]) -> Engine:
    if choice not in NAMES:
        near = difflib.get_close_matches(choice, NAMES, n=1, cutoff=0.5)
        raise ScratchbuildError(
            f"there is no engine {choice!r}",
            mend=(f"Did you mean {near[0]}? " if near else "") + f"Engines are {', '.join(NAMES)}.",
        )
    try:
        return _connect(choice, store, environment, prove=False)
    except ScratchbuildError as error:
        raise _unusable(choice, error, named=False) from error


def _connect(name: str, store: str, environment: Mapping[str, str], *, prove: bool) -> Engine:
    """Return an engine that answers; `prove` has it show that it can start a container, where that is doubtful."""
    if name == "docker":
        from scratchbuild.engines import docker  # noqa: PLC0415 - each engine is imported when it is tried

        return docker.connect(environment)
    if name == "podman":
        from scratchbuild.engines import podman  # noqa: PLC0415

        return podman.connect(environment, prove=prove)
    from scratchbuild.engines import sandbox  # noqa: PLC0415

    return sandbox.connect(store, environment)


def _docker_is_named(environment: Mapping[str, str]) -> bool:
    from scratchbuild.engines import docker  # noqa: PLC0415

    return docker.named(environment)


def _line(name: str, error: ScratchbuildError) -> str:
    at = f" at {error.where}" if error.where else ""
    return f"{name}{at}: {error.what}"


def _unusable(name: str, error: ScratchbuildError, *, named: bool) -> ScratchbuildError:
    another = "Or choose another engine: engine=podman, engine=sandbox." if named else ""
    return ScratchbuildError(_line(name, error), mend="\n  ".join(filter(None, (error.mend, another))))
