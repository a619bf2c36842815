"""A copy of the repository that ./doit is started in, and a folder of wheels, so that no test needs a network."""

from __future__ import annotations

import email
import os
import shutil
import signal
import subprocess
import sys
import zipfile
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REPOSITORY = Path(__file__).parents[2]
PARTS = (
    "LICENSE",
    "README.md",
    "configs",
    "dodo.py",
    "doit",
    "pyproject.toml",
    "requirements",
    "scratchbuild",
    "tasks",
)


def pins(name: str) -> dict[str, str]:
    """Return requirements/NAME.txt as {normalised name: version}."""
    lines = (REPOSITORY / "requirements" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if not line.startswith("#"))
    return {package.lower().replace("_", "-"): version for package, version in pairs}


def repack(found: Distribution, folder: Path) -> None:
    """Make a wheel again from an installed package, without what installing has added."""
    metadata = email.message_from_string(found.read_text("WHEEL") or "")
    name = f"{found.name.replace('-', '_')}-{found.version}"
    added = {"INSTALLER", "REQUESTED", "RECORD", "direct_url.json"}
    files = [
        file
        for file in found.files or ()
        if ".." not in file.parts and "__pycache__" not in file.parts and file.name not in added
    ]
    tags = zip(*(tag.split("-") for tag in metadata.get_all("Tag", [])), strict=True)
    tag = "-".join(".".join(dict.fromkeys(kinds)) for kinds in tags)
    with zipfile.ZipFile(folder / f"{name}-{tag}.whl", "w") as wheel:
        for file in files:
            wheel.write(str(file.locate()), str(file))
        information = next(file.parts[0] for file in files if file.name == "WHEEL")
        wheel.writestr(f"{information}/RECORD", "".join(f"{file},,\n" for file in files))


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every pinned package of runtime.txt and test.txt."""
    folder = tmp_path_factory.mktemp("wheels")
    for name in (*pins("runtime"), *pins("test")):
        repack(distribution(name), folder)
    return folder


@pytest.fixture(scope="session")
def environment(wheels: Path) -> dict[str, str]:
    """What ./doit is started with: the Python that runs the tests, packages from the folder of wheels alone."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "COV", "DOIT_"))
    }
    kept.pop("SCRATCHBUILD_VENV", None)
    return kept | {
        "PYTHON": sys.executable,
        "PIP_CONFIG_FILE": "/dev/null",
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }


def copy(folder: Path) -> Path:
    """Copy what a clone holds, links as links."""
    folder.mkdir()
    for part in PARTS:
        source = REPOSITORY / part
        if source.is_dir():
            shutil.copytree(source, folder / part, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy2(source, folder / part)
    return folder


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A fresh clone, without .venv, in a folder whose name holds a space."""
    return copy(tmp_path / "a clone")


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory, environment: dict[str, str]) -> Path:
    """A clone after its first start. Not to be changed."""
    folder = copy(tmp_path_factory.mktemp("started") / "a clone")
    subprocess.run([folder / "doit", "list"], env=environment, check=True, capture_output=True)
    return folder


@pytest.fixture
def used(tmp_path: Path, started: Path) -> Path:
    """A clone after its first start, to be changed."""
    return shutil.copytree(started, tmp_path / "a clone", symlinks=True)


class Begun:
    """A start of ./doit that goes on in a process group of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the whole group, as a terminal does."""
        os.killpg(self.process.pid, number)

    def end(self) -> subprocess.CompletedProcess[str]:
        """Wait for its end."""
        out, err = self.process.communicate(timeout=60)
        return subprocess.CompletedProcess([], self.process.returncode, out, err)


@pytest.fixture
def begin(environment: dict[str, str]) -> Iterator[Callable[..., Begun]]:
    """Start a clone's ./doit with arguments, and changes to the environment by keyword; do not wait for it."""
    begun: list[Begun] = []

    def start(clone: Path, *arguments: str, cwd: Path | None = None, **changes: str) -> Begun:
        process = subprocess.Popen(
            [clone / "doit", *arguments],
            cwd=cwd or clone,
            env=environment | changes,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        begun.append(Begun(process))
        return begun[-1]

    yield start
    for one in begun:
        if one.process.poll() is None:
            one.send(signal.SIGKILL)
        one.process.communicate()


@pytest.fixture
def run(begin: Callable[..., Begun]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Start a clone's ./doit as `begin` does, and wait for its end."""
    return lambda *arguments, **changes: begin(*arguments, **changes).end()
