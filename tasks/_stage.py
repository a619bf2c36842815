"""A stage of an image as a doit task. The only place where a task dictionary of a stage is made.

doit orders the stages by their files; a stage's seal decides whether it runs (docs/architecture.md, "Seals").
"""

from __future__ import annotations

import contextlib
import inspect
import os
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from doit.exceptions import TaskFailed

from scratchbuild import files
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.state import seal
from scratchbuild.state.record import Record
from scratchbuild.tasks import _code, _interrupt, _project

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from scratchbuild.tasks._project import Image

STAGES = (
    "rootfs",
    "binaries",
    "libraries",
    "layer",
    "digest",
    "config",
    "manifest",
    "archive",
    "load",
    "verify",
)
SEALS = ".seals"
# Beside the seals: the path of the definition that the image was built from.
DEFINITION = "definition"
# What an image's folder holds, besides the files that carry the image's or the layer's name.
NAMES = ("rootfs.json", "binaries.json", "libraries.json", "config.json", "manifest.json", "load.json")


class Stage(NamedTuple):
    """One stage of one image.

    `reads` and `makes` are doit's file_dep and targets; `uses` what else decides what is made, by the name that a
    person knows it under (definition keys); `make` does the work, and tells the record what it reads and makes.
    `still` is asked, when the seal holds, whether what was made is still there where no file tells.
    """

    image: Image
    name: str
    make: Callable[[Image, Record], None]
    reads: Sequence[str] = ()
    makes: Sequence[str] = ()
    uses: Mapping[str, object] = {}
    still: Callable[[Image], str] | None = None
    always: bool = False

    @property
    def label(self) -> str:
        """The name of doit's task."""
        return f"{self.name}:{self.image.name}"

    @property
    def seal(self) -> str:
        """The file that holds the stage's seal."""
        return self.image.file(f"{SEALS}/{self.name}.json")


class Outcome:
    """What became of a stage in this run, for the reporter."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.reason = ""
        self.seconds = 0.0
        self.ran = False
        self.fresh = False
        self.error: ScratchbuildError | None = None
        self.notes: list[str] = []
        self.shown: list[str] = []


# Every stage's outcome, by its doit name.
outcomes: dict[str, Outcome] = {}


# The names of all tasks of ours: doit itself remembers nothing of them.
own: set[str] = {"_cache", "build"}

# The tasks that this run was asked for, by their doit names.
selected: set[str] = set()


def each(stage_of: Callable[[Image], Stage]) -> Iterator[dict[str, Any]]:
    """Yield doit's dictionaries for one stage of every image."""
    for image in _project.current().images:
        yield _task(stage_of, image)
    if not _project.current().images:
        yield {"name": None, "doc": "there is no image definition yet", "task_dep": ["_cache"]}  # which says so


def _task(stage_of: Callable[[Image], Stage], image: Image) -> dict[str, Any]:
    stage = stage_of(image) if image.definition else _broken(stage_of, image)
    outcome = outcomes[stage.label] = Outcome(stage)
    own.update({stage.name, stage.label, f"build:{image.name}"})
    return {
        "name": image.name,
        "doc": " ".join(image.definition.tags) if image.definition else "its definition is wrong",
        "actions": [Action(outcome)],
        "file_dep": [*dict.fromkeys(spelled(path) for path in stage.reads)],
        "targets": [spelled(path) for path in stage.makes],
        "task_dep": [_before(stage)],
        "uptodate": [Freshness(outcome)],
        "clean": True,
        "io": {"capture": False},
    }


def _before(stage: Stage) -> str:
    """Return the task that a stage waits for whatever its files are: the one before it.

    The order of the recipe is kept also where no file asks for it, and an image whose definition is wrong has one
    failing task, for which all others wait.
    """
    number = STAGES.index(stage.name)
    return f"{STAGES[number - 1]}:{stage.image.name}" if number else "_cache"


def _broken(stage_of: Callable[[Image], Stage], image: Image) -> Stage:
    """Return the stage of an image whose definition cannot be read: it fails and says so."""
    name = stage_of.__module__.rpartition(".")[2]

    def make(_: Image, __: Record) -> None:
        """Make nothing: `run` raises the definition's error first."""

    return Stage(image, name, make, reads=[image.path], always=True)


def spelled(path: str) -> str:
    """Return the path as doit's files are usually written: relative to dodo.py's folder if it is below it.

    doit ties tasks by the exact text of their files: a compile task's target `build/hello` meets its reader this way.
    """
    here = os.getcwd() + "/"
    return path.removeprefix(here) if path.startswith(here) else path


class Freshness:
    """doit's `uptodate`: whether the stage's seal holds. `doit info` shows its text as the reason."""

    # Without one, doit has inspect work it out for every stage of every run.
    __signature__ = inspect.Signature()

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __call__(self) -> bool:
        """Return whether the stage need not run."""
        stage = self._outcome.stage
        if stage.always:
            return False
        try:
            verdict = seal.check(stage.seal, used(stage), _project.current().imprints)
        except OSError as error:
            # A path that cannot even be looked at: making it will tell why.
            verdict = seal.Verdict(fresh=False, reason=f"{error.filename}: {(error.strerror or '').lower()}")
        reason = verdict.reason
        if verdict.fresh and stage.still:
            reason = stage.still(stage.image)
        self._outcome.reason = reason.replace(stage.image.folder + "/", "").replace(os.getcwd() + "/", "")
        self._outcome.fresh = not reason
        return not reason

    def __repr__(self) -> str:
        return self._outcome.reason or "fresh"


class Action:
    """doit's action: makes a stage's targets, and seals them."""

    __signature__ = inspect.Signature()

    def __init__(self, outcome: Outcome) -> None:
        self._outcome = outcome

    def __call__(self) -> TaskFailed | None:
        """Run the stage; return the failure that doit is told of, or None."""
        outcome = self._outcome
        outcome.ran = True
        start = time.monotonic()
        try:
            with _interrupt.working():
                run(outcome)
        except ScratchbuildError as error:
            outcome.error = error.at(_project.shown(outcome.stage.image.path))
        except MemoryError:
            outcome.error = ScratchbuildError("there is not enough memory", where=outcome.stage.label)
        except OSError as error:
            stage = outcome.stage
            folder = f" in {os.path.dirname(error.filename)}" if isinstance(error.filename, str) else ""
            outcome.error = from_os_error(error, f"make {stage.label}{folder}", where=_project.shown(stage.image.path))
        finally:
            outcome.seconds = time.monotonic() - start
        return TaskFailed(str(outcome.error)) if outcome.error else None

    def __repr__(self) -> str:
        return f"make {self._outcome.stage.label}"


def run(outcome: Outcome) -> None:
    """Make a stage's targets and its seal; without the seal nobody trusts what is there."""
    stage = outcome.stage
    if stage.image.error:
        raise stage.image.error  # before anything is touched: mended, the image is as it was
    project = _project.current()
    take_lock()
    start = time.monotonic()
    os.makedirs(os.path.dirname(stage.seal), exist_ok=True)
    if seal.unfinished(stage.seal):
        files.sweep(stage.image.folder)
    before = seal.begin(stage.seal, stage.makes)
    origin = os.path.join(os.path.dirname(stage.seal), DEFINITION)
    if not os.path.exists(origin):
        files.write(origin, os.fsencode(stage.image.path))
    record = Record(project.imprints)
    try:
        stage.make(stage.image, record)
    finally:
        outcome.notes = record.notes
    remove_stale(stage.image, [path for path in before if path not in record.makes])
    seal.save(stage.seal, seal.of(record, used(stage), time.monotonic() - start))


def remove_stale(image: Image, paths: Sequence[str]) -> None:
    """Remove what a stage made before and no longer makes; folders only once they are empty.

    What another stage of the image makes now, by its seal, stays.
    """
    seals = [seal.load(image.file(f"{SEALS}/{name}.json")) for name in STAGES] if paths else []
    kept = {path for other in seals if other for path in other.made}
    for path in sorted(paths, reverse=True):
        if path in kept or not is_below(path, image.folder):
            continue
        if os.path.isdir(path) and not os.path.islink(path):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        else:
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                os.unlink(path)


def is_below(path: str, folder: str) -> bool:
    """Return whether `path` is below `folder`, and not through a link that is now where a folder was before.

    What such a link leads to, be it outside, is not ours.
    """
    parent = os.path.dirname(path)
    if not path.startswith(folder + "/"):
        return False
    return os.path.realpath(parent) == os.path.realpath(folder) + parent[len(folder) :]


def take_lock() -> None:
    """Wait until no other build works in the cache."""
    project = _project.current()

    def waiting() -> None:
        from scratchbuild.report import console

        console.say(f"waiting for another build in {_project.shown(project.cache)} to end")

    project.lock.take(waiting)


def used(stage: Stage) -> dict[str, str]:
    """Return what the stage uses besides files, as its seal keeps it."""
    keys = {name: repr(value) for name, value in stage.uses.items()}
    return {"the folder": stage.image.folder, "scratchbuild's own code": _code.fingerprint(stage.name), **keys}
