"""doit's reporter: hands what doit tells of its tasks to the console."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, TextIO

from doit.exceptions import UnmetDependency
from doit.reporter import ConsoleReporter

from scratchbuild import digest, files
from scratchbuild.errors import ScratchbuildError, flatten
from scratchbuild.report.console import Console, Summary
from scratchbuild.tasks import _interrupt, _project, _stage, _users

if TYPE_CHECKING:
    from doit.exceptions import BaseFail
    from doit.task import Task

_BUILD_STAGES = _stage.STAGES[: _stage.STAGES.index("archive") + 1]
_SHOW_ALL = 2


class Reporter(ConsoleReporter):  # type: ignore[misc]  # doit has no types
    """Lines for our stages; a person's own tasks are told of in doit's way."""

    desc = "scratchbuild's lines: what ran, how long and why, and one line for each image"

    def __init__(self, outstream: TextIO, options: dict[str, Any]) -> None:
        super().__init__(outstream, options)
        self._console = Console(outstream)
        self._errors = Console(sys.stderr)
        self._start = time.monotonic()
        self._started: dict[str, float] = {}
        self._seen: list[str] = []
        self._told: set[tuple[str, str]] = set()

    def initialize(self, tasks: dict[str, Task], selected_tasks: list[str]) -> None:
        """Begin a run: join tasks by the files they mean, and let signals end it without a traceback."""
        join_by_path(tasks)
        _stage.selected.update(selected_tasks)
        _interrupt.tidily()

    def get_status(self, task: Task) -> None:
        """Note that doit is about to look at a task."""
        self._seen.append(task.name)

    def execute_task(self, task: Task) -> None:
        """Show that a task begins."""
        if not task.actions or task.name.startswith("_"):
            return
        if task.name in _stage.outcomes:
            stage, _, image = task.name.partition(":")
            if task.verbosity:
                self._console.running(stage, image)
        else:
            self._started[task.name] = time.monotonic()
            _users.records().forget(task.name)

    def add_success(self, task: Task) -> None:
        """Tell of a task that ended well."""
        outcome = _stage.outcomes.get(task.name)
        if outcome is None:
            _users.records().keep(task.name)
            if task.actions and not task.name.startswith("_"):
                seconds = time.monotonic() - self._started.get(task.name, time.monotonic())
                self._console.ran("task", task.title(), seconds, "")
            return
        if task.verbosity:
            self._console.ran(outcome.stage.name, outcome.stage.image.name, outcome.seconds, outcome.reason)
        for note in outcome.notes:
            self._console.note(f"{outcome.stage.image.name}: {note}")
        for text in outcome.shown:
            self._console.line(text)

    def skip_uptodate(self, task: Task) -> None:
        """Tell of a task that had nothing to do, if everything is to be told."""
        if task.verbosity == _SHOW_ALL and not task.name.startswith("_") and task.actions:
            stage, _, image = task.name.partition(":")
            self._console.fresh(stage, image)

    def add_failure(self, task: Task, fail: BaseFail) -> None:
        """Tell of a task that failed; not of those that only waited for it."""
        if isinstance(fail, UnmetDependency):
            return
        outcome = _stage.outcomes.get(task.name)
        if outcome is not None and outcome.error is not None:
            self._tell(outcome.error, outcome.stage.image)
            for text in outcome.shown:
                self._errors.line(text)
        elif task.name.startswith("_"):
            cache = _project.current().cache
            self._errors.line(f"error: {fail.message.replace(cache, _project.shown(cache))}")
        else:
            super().add_failure(task, fail)

    def _tell(self, error: ScratchbuildError, image: _project.Image) -> None:
        """Write an error with its paths as a person knows them; one that all images have, once."""
        for single in flatten([error]):
            what, where, mend = (_project.briefly(text, image) for text in (single.what, single.where, single.mend))
            if (what, where) not in self._told:
                self._told.add((what, where))
                self._errors.error(ScratchbuildError(what, where=where, mend=mend))

    def complete_run(self) -> None:
        """Write the images' lines, and what doit has to say of a person's own tasks."""
        super().complete_run()
        for image in _project.current().images:
            if f"archive:{image.name}" in self._seen and image.definition:
                self._summarise(image)
        if _interrupt.received:
            _interrupt.end_threads()
            if _project.current().lock.held:
                files.sweep(_project.current().cache)
            name = signal.Signals(_interrupt.received).name
            self._errors.line(f"interrupted ({name}): what was finished stays, the rest is made by the next run")

    def _summarise(self, image: _project.Image) -> None:
        outcomes = [_stage.outcomes[f"{name}:{image.name}"] for name in _BUILD_STAGES]
        if not all(outcome.fresh or (outcome.ran and not outcome.error) for outcome in outcomes):
            return
        try:
            with open(image.file("config.json"), "rb") as file:
                config = file.read()
            summary = Summary(
                tags=image.defined.tags,
                image_id=digest.sha256(config),
                size=os.stat(image.archive).st_size,
                layers=len(json.loads(config)["rootfs"]["diff_ids"]),
                rebuilt=[outcome.stage.name for outcome in outcomes if outcome.ran],
                reused=[outcome.stage.name for outcome in outcomes if not outcome.ran],
                seconds=time.monotonic() - self._start,
            )
        except (OSError, ValueError, KeyError):
            return  # somebody removed it meanwhile
        self._console.summary(summary)


def join_by_path(tasks: dict[str, Task]) -> None:
    """Let a task wait for the one that makes its file, however each of them spells the path.

    doit compares the texts of paths, so that `./hello`, `hello` and `/project/hello` were three files to it. What makes
    files for images waits for the lock too, or two builds at once would write the same file; an image begins when all
    that it packs is made.
    """
    makers = {os.path.abspath(target): task for task in tasks.values() for target in task.targets}
    for task in tasks.values():
        for path in task.file_dep:
            maker = makers.get(os.path.abspath(path))
            if maker is not None and maker.name != task.name and maker.name not in task.task_dep:
                task.task_dep.append(maker.name)
    todo = []
    for name, outcome in _stage.outcomes.items():
        others = [other for other in tasks[name].task_dep if other not in _stage.own]
        first = tasks[f"{_stage.STAGES[0]}:{outcome.stage.image.name}"]
        first.task_dep.extend(other for other in others if other not in first.task_dep)
        todo.extend(others)
    while todo:
        task = tasks[todo.pop()]
        if task.name not in _stage.own and "_cache" not in task.task_dep:
            todo.extend(task.task_dep)
            task.task_dep.append("_cache")
