"""./doit: from a fresh clone to doit, whatever happens on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Run = Callable[..., subprocess.CompletedProcess[str]]

TOOLS = ("cat", "cmp", "cp", "dirname", "grep", "mkdir", "mv", "readlink", "rm", "rmdir", "sed", "touch")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A folder for PATH with the tools of the wrapper and no Python: what a test puts there is all there is."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        for place in ("/usr/bin", "/bin"):
            if os.path.exists(f"{place}/{tool}"):
                (folder / tool).symlink_to(f"{place}/{tool}")
                break
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def wait_for(file: Path) -> None:
    end = time.monotonic() + 30
    while not file.exists():
        assert time.monotonic() < end, file
        time.sleep(0.01)


def packages(python: Path) -> dict[str, str]:
    listed = subprocess.run(
        [python, "-m", "pip", "--disable-pip-version-check", "list", "--format=json"],
        capture_output=True,
        check=True,
        text=True,
    )
    return {package["name"].lower(): package["version"] for package in json.loads(listed.stdout)}


def test_the_first_start_makes_the_environment_from_the_pins_alone_and_says_so_in_one_line(
    clone: Path, run: Run
) -> None:
    done = run(clone, "list")
    version = ".".join(map(str, sys.version_info[:3]))
    assert done.stderr == f"doit: making {clone}/.venv with Python {version}: some seconds, once\n"
    assert done.returncode == 0
    assert "build" in done.stdout
    installed = packages(clone / ".venv/bin/python")
    lines = (clone / "requirements/runtime.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    assert {name: version for name, version in installed.items() if name not in {"pip", "setuptools"}} == pinned


def test_a_later_start_needs_no_program_but_the_environment_s_python(started: Path, run: Run) -> None:
    done = run(started, "list", PATH="/nowhere", PYTHON="/nowhere", PIP_FIND_LINKS="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert "build" in done.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["list"],
        ["list", "--all", "--status"],
        ["help"],
        ["help", "run"],
        ["help", "build"],
        ["info", "build"],
        ["nothing here"],
        ["list", "--nothing"],
        ["-f", "nothing.py", "list"],
    ],
    ids=" ".join,
)
def test_it_prints_what_the_environment_s_own_doit_prints(
    started: Path, run: Run, environment: dict[str, str], arguments: list[str]
) -> None:
    own = subprocess.run(
        [started / ".venv/bin/doit", *arguments],
        env=environment | {"DOIT_FILE": str(started / "dodo.py")},
        cwd=started,
        capture_output=True,
        check=False,
        text=True,
    )
    done = run(started, *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (own.returncode, own.stdout, own.stderr)


def test_plugins_of_doit_in_the_environment_are_found(started: Path, run: Run, tmp_path: Path) -> None:
    information = tmp_path / "greeting-1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: greeting\nVersion: 1\n", encoding="utf-8")
    (information / "entry_points.txt").write_text("[doit.COMMAND]\ngreet = greeting:Greet\n", encoding="utf-8")
    (tmp_path / "greeting.py").write_text(
        "from doit.cmd_base import Command\n"
        "class Greet(Command):\n"
        "    def execute(self, params, args):\n"
        "        print('good day')\n",
        encoding="utf-8",
    )
    assert run(started, "greet", PYTHONPATH=str(tmp_path)).stdout == "good day\n"


def test_it_works_from_any_folder_and_through_a_link(
    started: Path, run: Run, tmp_path: Path, environment: dict[str, str]
) -> None:
    here = run(started, "list").stdout
    (tmp_path / "json.py").write_text("raise SystemExit('the folder one stands in was searched')\n", encoding="utf-8")
    assert run(started, "list", cwd=tmp_path).stdout == here
    (tmp_path / "mine").symlink_to(started / "doit")
    for command in (["./mine"], ["sh", "./mine"], [f"../{tmp_path.name}/mine"]):
        done = subprocess.run(
            [*command, "list"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, here, "")


def test_a_list_with_another_time_but_the_same_content_makes_nothing_anew(used: Path, run: Run) -> None:
    for seconds in (1_000_000_000, 4_000_000_000):
        os.utime(used / "requirements/runtime.txt", (seconds, seconds))
        assert run(used, "list").stderr == ""
        assert run(used, "list", PATH="/nowhere").stderr == ""


def test_an_edited_list_makes_the_environment_anew_even_if_its_time_is_older(used: Path, run: Run) -> None:
    pins = used / "requirements/runtime.txt"
    pins.write_text(pins.read_text(encoding="utf-8") + "# edited\n", encoding="utf-8")
    os.utime(pins, (1_000_000_000, 1_000_000_000))
    (used / ".venv/leftover").touch()
    done = run(used, "list")
    assert done.returncode == 0
    assert done.stderr.startswith("doit: making ")
    assert not (used / ".venv/leftover").exists()
    assert run(used, "list").stderr == ""


def test_an_environment_whose_python_has_gone_is_made_anew(used: Path, run: Run) -> None:
    python = used / ".venv/bin/python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    done = run(used, "list")
    assert (done.returncode, done.stderr.count("\n")) == (0, 1)
    assert "making" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_first_start_leaves_nothing(
    clone: Path, begin: Callable[..., Any], number: signal.Signals
) -> None:
    start = begin(clone, "list")
    wait_for(clone / ".venv/pyvenv.cfg")
    start.send(number)
    done = start.end()
    assert done.returncode == 128 + number
    assert not (clone / ".venv").exists()
    assert done.stdout == ""
    assert "pip" not in done.stderr
    assert "Traceback" not in done.stderr


def test_a_first_start_that_was_killed_is_done_again(clone: Path, begin: Callable[..., Any], run: Run) -> None:
    start = begin(clone, "list")
    wait_for(clone / ".venv/pyvenv.cfg")
    start.send(signal.SIGKILL)
    start.end()
    assert (clone / ".venv").exists()
    done = run(clone, "list")
    assert done.returncode == 0
    assert "making" in done.stderr


def test_two_first_starts_at_once_both_end_well(clone: Path, begin: Callable[..., Any]) -> None:
    starts = [begin(clone, "list") for _ in range(2)]
    ends = [start.end() for start in starts]
    assert [end.returncode for end in ends] == [0, 0]
    assert ends[0].stdout == ends[1].stdout
    said = sorted("".join(end.stderr for end in ends).splitlines())
    assert said[0].startswith("doit: making ")
    assert said[1:] == ["doit: waiting for another start that makes .venv"]


def test_without_packages_it_says_what_pip_said_and_leaves_nothing(clone: Path, run: Run) -> None:
    done = run(clone, "list", PIP_NO_INDEX="", PIP_INDEX_URL="http://127.0.0.1:9/", PIP_FIND_LINKS="", PIP_RETRIES="0")
    assert done.returncode == 1
    assert done.stderr.split("\n", 1)[1] == (
        "doit: pip cannot install requirements/runtime.txt: No matching distribution found for doit==0.37.0 (packages "
        "come from PyPI: is there a network? or from where PIP_INDEX_URL or PIP_FIND_LINKS points)\n"
    )
    assert not (clone / ".venv").exists()


def test_python_too_old(clone: Path, run: Run, path: Path) -> None:
    script(path / "python3", 'echo "old 3.9.2 /usr/bin/python3.9"')
    done = run(clone, "list", PATH=str(path), PYTHON="")
    assert done.returncode == 1
    assert done.stderr == (
        "doit: Python 3.11 or newer is needed, but python3 is 3.9.2: install one (Debian, Ubuntu: apt-get install "
        "python3 python3-venv), or name one: PYTHON=/path/to/python3 ./doit\n"
    )


def test_no_python_at_all(clone: Path, run: Run, path: Path) -> None:
    done = run(clone, "list", PATH=str(path), PYTHON="")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no python3 is on PATH: install one" in done.stderr


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_python_without_the_module_that_makes_environments(clone: Path, run: Run, path: Path, module: str) -> None:
    blocked = f"import sys; sys.modules['{module}'] = None; exec(sys.argv[1])"
    script(path / "python3", f'exec "{sys.executable}" -I -c "{blocked}" "$3"')
    done = run(clone, "list", PATH=str(path), PYTHON="")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert (
        "lacks the module venv or ensurepip: install it (Debian, Ubuntu: apt-get install python3-venv;" in done.stderr
    )
    assert not (clone / ".venv").exists()


def test_a_whole_python_is_taken_where_the_first_one_is_too_old(clone: Path, run: Run, path: Path) -> None:
    script(path / "python3", 'echo "old 3.9.2 /usr/bin/python3.9"')
    (path / f"python3.{min(sys.version_info.minor, 13)}").symlink_to(sys.executable)
    done = run(clone, "list", PATH=str(path), PYTHON="")
    assert done.returncode == 0


def test_the_python_that_was_named_must_do(clone: Path, run: Run) -> None:
    done = run(clone, "list", PYTHON="/nowhere/python3")
    assert (done.returncode, done.stderr) == (
        1,
        "doit: PYTHON=/nowhere/python3 is no Python 3.11 or newer (it does not start): name another, or unset PYTHON\n",
    )


def test_a_folder_that_cannot_be_written(clone: Path, run: Run) -> None:
    done = run(clone, "list", SCRATCHBUILD_VENV="/proc/environment")
    assert (done.returncode, done.stderr) == (
        1,
        "doit: cannot write in /proc: make it writable, or name another folder: SCRATCHBUILD_VENV=DIR ./doit\n",
    )


def test_a_folder_that_is_not_there(clone: Path, run: Run) -> None:
    done = run(clone, "list", SCRATCHBUILD_VENV="/nowhere/environment")
    assert (done.returncode, done.stderr) == (1, "doit: there is no folder /nowhere to make environment in\n")


def test_a_folder_that_it_has_not_made_is_left_alone(clone: Path, run: Run) -> None:
    (clone / ".venv").mkdir()
    (clone / ".venv/pyvenv.cfg").touch()
    done = run(clone, "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert f"{clone}/.venv was not made by ./doit: activate it and type doit" in done.stderr
    assert os.listdir(clone / ".venv") == ["pyvenv.cfg"]


def test_doit_test_adds_its_pins_once_and_runs_the_tests_of_the_clone(used: Path, run: Run, tmp_path: Path) -> None:
    tests = used / "tests"
    tests.mkdir()
    (tests / "test_one.py").write_text(
        "import scratchbuild\ndef test_one(): pass\ndef test_two(): assert not scratchbuild.__doc__\n", encoding="utf-8"
    )
    done = run(used, "test", "-q", cwd=tmp_path)
    assert done.stderr == f"doit: adding requirements/test.txt to {used}/.venv, once\n"
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("1 failed, 1 passed")
    again = run(used, "test", "-q", "-k", "test_one and not two", cwd=tmp_path, PATH="/nowhere")
    assert (again.returncode, again.stderr) == (0, "")
    assert run(used, "list").stderr == ""
