"""The benchmarks run: every case is measured, and what it measures really changes."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

RUN = Path(__file__).parents[2] / "benchmarks" / "run.py"


@pytest.mark.engine("ldd")
def test_every_case_is_measured_beside_what_it_is_compared_with(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, RUN, "--rounds", "1", "--megabytes", "4", "--python", sys.executable, "--folder", tmp_path],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    cases = done.stdout.split("\n\n")[1:-1]
    assert [case.split("\n")[0] for case in cases] == [
        "everything from nothing: bash and echo",
        "nothing to do",
        "bash and echo, echo changed",
        "bash and echo, a label changed",
        "bash, echo and 4 MB of files, echo changed",
    ]
    for case in cases:
        lines = case.split("\n")[1:]
        assert [bool(re.fullmatch(r"  .+ +[0-9.]+ ms +[0-9.]+ +[0-9.]+ ms", line)) for line in lines] == [True] * len(
            lines
        ), case
        assert " ms   1.00 " in lines[0]
        assert len(lines) == (3 if case.startswith("nothing") else 2)


def test_what_imports_cost_is_told_of_those_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(RUN.with_name("imports.py")))["main"](sys.executable, ["xxhash", "no.such.module"], rounds=1)
    first, second, third = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"doit\.doit_cmd +\d+\.\d ms", first)
    assert re.fullmatch(r"xxhash +-?\d+\.\d ms", second)
    assert third.split() == ["no.such.module", "not", "installed"]
