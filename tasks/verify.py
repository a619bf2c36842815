"""Step 10, `docker run --rm basic:v1 -c "echo hello"`: the image runs, and says what its definition expects.

Reads what `load` did and the definition's `[verify]`. It runs each time that it is asked to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.tasks import _engine, _project, _stage

if TYPE_CHECKING:
    from scratchbuild.engines import Outcome
    from scratchbuild.spec.definition import Verify
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> _stage.Stage:
    """Return the stage for one image."""
    return _stage.Stage(image, "verify", make, reads=[image.file("load.json")], always=True)


def make(image: Image, record: Record) -> None:
    """Run the image, show what it printed, and compare."""
    import shlex

    if not runs(image):
        record.note("holds mere data (entrypoint = []): there is nothing to run")
        return
    expected = image.defined.verify
    engine = _engine.of(image)
    tag = image.defined.tags[0]
    outcome = engine.run(tag, expected.arguments, expected.timeout)
    stage = _stage.outcomes[f"verify:{image.name}"]
    stage.reason = (
        "in the sandbox: " + shlex.join([tag, *expected.arguments])
        if engine.name == "sandbox"
        else shlex.join(engine.command(tag, expected.arguments))
    )
    stage.shown.extend(printed(outcome.stdout) + printed(outcome.stderr))
    check(outcome, expected, f"{_project.shown(image.path)}: verify")


def runs(image: Image) -> bool:
    """Return whether the image has a program; one of mere data says `entrypoint = []`."""
    definition = image.defined
    return definition.entrypoint is None or bool(definition.entrypoint or definition.cmd)


def printed(output: bytes) -> list[str]:
    """Return a program's output as lines for a person; what is no UTF-8 is replaced."""
    return output.decode("utf-8", "replace").splitlines()


def check(outcome: Outcome, expected: Verify, where: str) -> None:
    """Compare what a run did with what is expected of it. Raises ScratchbuildError, with the difference."""
    if outcome.status != expected.status:
        raise ScratchbuildError(
            f"the exit status is {outcome.status}, expected {expected.status}",
            where=f"{where}.status",
            mend="What the program printed follows." if outcome.stdout or outcome.stderr else "It printed nothing.",
        )
    if expected.stdout is None or outcome.stdout == expected.stdout.encode():
        return
    import difflib

    wanted, got = expected.stdout.splitlines(keepends=True), outcome.stdout.decode("utf-8", "replace")
    lines = difflib.unified_diff(wanted, got.splitlines(keepends=True), "expected", "printed", n=2)
    shown = "".join(line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines)
    raise ScratchbuildError(
        "the output is not the expected one\n" + "".join(f"  {line}\n" for line in shown.splitlines()).rstrip("\n"),
        where=f"{where}.stdout",
        mend="Mend the program, or the expectation.",
    )
