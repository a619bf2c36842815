"""The sandbox as an engine: what it holds, loading into it, running from it."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from scratchbuild import files
from scratchbuild.digest import sha256
from scratchbuild.engines import process
from scratchbuild.engines.client import not_started, too_loud, too_slow
from scratchbuild.engines.engine import Outcome
from scratchbuild.engines.sandbox import bubblewrap, container, launch, limits
from scratchbuild.engines.sandbox.container import NOT_EXECUTABLE, NOT_FOUND, NotStarted
from scratchbuild.engines.sandbox.copying import copy_tree
from scratchbuild.engines.sandbox.store import CONFIG, ROOTFS, Store, missing
from scratchbuild.engines.sandbox.unpack import unpack
from scratchbuild.errors import ScratchbuildError, from_os_error, raise_all
from scratchbuild.formats import documents, reading

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from scratchbuild.engines.process import Answer
    from scratchbuild.engines.sandbox.container import Start
    from scratchbuild.engines.sandbox.launch import Failure
    from scratchbuild.oci import ImageConfig

_MOUNT = "mount"


def connect(store: str, environment: Mapping[str, str]) -> Sandbox:
    """Return the sandbox that keeps its images in the folder `store`.

    Raises ScratchbuildError, saying what forbids it and what would allow it, if no container can be made here.
    """
    failure = launch.probe()
    if failure is None:
        return Sandbox(store, None)
    program = bubblewrap.find(environment)
    if program is not None and bubblewrap.probe(program) is None:
        return Sandbox(store, program)
    raise limits.explained(failure, has_bubblewrap=program is not None)


class Sandbox:
    """Images unpacked below the folder `store`, run in namespaces: by bubblewrap (a path), or, with None, by itself."""

    name = "sandbox"

    def __init__(self, store: str, bubblewrap_path: str | None) -> None:
        self._store = Store(store)
        self._bubblewrap = bubblewrap_path
        how = "bubblewrap" if bubblewrap_path else "namespaces as root" if os.geteuid() == 0 else "user namespaces"
        self.where = f"{self._store.folder} ({how})"
        self.passed_over: tuple[str, ...] = ()

    def image_id(self, tag: str) -> str | None:
        """Return the ID of the image under `tag`, None if there is none. Raises ScratchbuildError."""
        held = self._store.find(tag)
        return held.image_id if held else None

    def load(self, archive: str, tags: Sequence[str]) -> None:
        """Unpack `archive`; afterwards all of `tags`, all its own, mean its image. Raises ScratchbuildError."""
        with reading.opened(archive) as opened, self._store.fresh() as folder:
            if absent := [tag for tag in tags if tag not in opened.tags]:
                raise ScratchbuildError(
                    f"the archive has no image {absent[0]}", where=archive, mend=f"It has {', '.join(opened.tags)}."
                )
            unpack(opened, os.path.join(folder, ROOTFS))
            try:
                os.mkdir(os.path.join(folder, _MOUNT))
                files.write(os.path.join(folder, CONFIG), opened.config)
            except OSError as error:
                raise from_os_error(error, f"write to {folder}") from error
            self._store.put(tags, sha256(opened.config), folder)

    def command(self, tag: str, arguments: Sequence[str]) -> list[str]:
        """Return a command that does what `run` does, as a person would type it."""
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
        return [sys.executable, script, self._store.folder, tag, *arguments]

    def run(self, tag: str, arguments: Sequence[str], timeout: float) -> Outcome:
        """Run the image on a root file system that is thrown away afterwards. Raises ScratchbuildError."""
        with self._store.using(tag) as held:
            if held is None:
                raise missing(tag)
            try:
                answer = self._run(held.folder, arguments, timeout)
            except NotStarted as error:
                raise not_started(tag, error.reason, error.status) from None
            except process.TimedOut as error:
                raise too_slow(tag, timeout, error) from None
            except process.TooMuchOutput:
                raise too_loud(tag) from None
        return Outcome(*answer)

    def _run(self, folder: str, arguments: Sequence[str], timeout: float) -> Answer:
        start = container.start(_image(folder), os.path.join(folder, ROOTFS), arguments)
        if self._bubblewrap is not None:
            return self._run_by_bubblewrap(folder, start, timeout, self._bubblewrap)
        answer, failure = launch.run(folder, start, timeout, overlay=True)
        if failure and failure.step == "overlay":
            # Kernels before 5.11, and some file systems.
            with self._store.fresh() as copied:
                copy_tree(os.path.join(folder, ROOTFS), os.path.join(copied, ROOTFS))
                os.mkdir(os.path.join(copied, _MOUNT))
                answer, failure = launch.run(copied, start, timeout, overlay=False)
        if failure:
            raise _failed(failure, start)
        return answer

    def _run_by_bubblewrap(self, folder: str, start: Start, timeout: float, program: str) -> Answer:
        with self._store.fresh() as copied:
            rootfs = os.path.join(copied, ROOTFS)
            copy_tree(os.path.join(folder, ROOTFS), rootfs)
            answer = bubblewrap.run(program, rootfs, start, timeout)
        if complaint := bubblewrap.complaint(answer):
            reason, executing = complaint
            if executing:
                raise NotStarted(
                    f"{start.program}: {reason}", NOT_FOUND if "No such file" in reason else NOT_EXECUTABLE
                )
            raise ScratchbuildError(f"bubblewrap cannot make a container: {reason}")
        return answer


def _image(folder: str) -> ImageConfig:
    """Return the configuration of the image in `folder`."""
    path = os.path.join(folder, CONFIG)
    errors: list[ScratchbuildError] = []
    try:
        with open(path, "rb") as file:
            image = documents.parse_config(file.read(), errors)
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    raise_all(errors)
    return image


def _failed(failure: Failure, start: Start) -> Exception:
    """Return the error for a container that could not be made, or a program that could not be executed in it."""
    reason = os.strerror(failure.number).lower()
    if failure.step == "exec":
        if failure.number == errno.ENOENT:
            # The file is there: what is not is what the kernel needs to run it.
            return NotStarted(
                f"{start.program}: the loader or interpreter that it names is not in the image", NOT_FOUND
            )
        return NotStarted(f"{start.program}: {reason}", NOT_EXECUTABLE)
    if failure.step.startswith(("/", "directory ")):
        path = failure.step.removeprefix("directory ")
        return NotStarted(f"{path} cannot be a directory in the container: {reason}", NOT_FOUND)
    if failure.step == "user":
        return NotStarted(f"user {start.account.uid}:{start.account.gid}: {reason}", NOT_EXECUTABLE)
    return ScratchbuildError(f"the sandbox cannot make a container: {failure.step}: {reason}")
