"""What the rest of the project asks of an engine, whichever it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Outcome(NamedTuple):
    """How a program in a container ended: its exit status (128 + N for signal N), its output, its time in seconds."""

    status: int
    stdout: bytes
    stderr: bytes
    seconds: float


class Engine(Protocol):
    """An engine that answered when it was found.

    `name` is `docker`, `podman` or `sandbox`; `where` its address and where that came from:
    `unix:///var/run/docker.sock (default)`, `unix:///run/user/1000/docker.sock (DOCKER_HOST)`. `passed_over` says of
    each engine that was tried before it why it is not the one: `docker: ...`.

    Every method raises ScratchbuildError when the engine refuses, does not answer in time, or answers nonsense.
    """

    name: str
    where: str
    passed_over: tuple[str, ...]

    def image_id(self, tag: str) -> str | None:
        """Return the ID of the image that the engine holds under `tag` now, None if it holds none."""

    def load(self, archive: str, tags: Sequence[str]) -> None:
        """Load the docker-archive at the path `archive`; afterwards the engine holds its image under all of `tags`."""

    def command(self, tag: str, arguments: Sequence[str]) -> list[str]:
        """Return the command that `run` runs, as a person would type it."""

    def run(self, tag: str, arguments: Sequence[str], timeout: float) -> Outcome:
        """Run the image's entrypoint with `arguments` in a container of its own, without network.

        Nothing it writes reaches the image. Raises ScratchbuildError also if it could not be started, or did not end
        within `timeout` seconds: it is stopped then, and its container removed.
        """
