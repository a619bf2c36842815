"""What is installed elsewhere than in a clone: the wheel, the sdist, an editable install."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def build(folder: Path, kind: str) -> Path:
    """Build a package of a source folder, as `python -m build --no-isolation` does. Return its path."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", "out"],
        cwd=folder,
        check=True,
        capture_output=True,
        env={name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"},
    )
    (made,) = (folder / "out").glob("*.whl" if kind == "wheel" else "*.tar.gz")
    return made


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The interpreter of a fresh environment."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "environment"], check=True)
    return tmp_path / "environment/bin/python"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project of one's own: two lines and a definition."""
    folder = tmp_path / "project"
    (folder / "configs").mkdir(parents=True)
    (folder / "dodo.py").write_text('"""My images."""\nfrom scratchbuild.dodo import *\n', encoding="utf-8")
    (folder / "configs/mine.toml").write_text('tags = ["mine:v1"]\nbinaries = ["/bin/true"]\n', encoding="utf-8")
    return folder


def doit(python: Path, project: Path, *arguments: str) -> str:
    done = subprocess.run(
        [python.parent / "doit", *arguments], cwd=project, capture_output=True, check=False, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_holds_every_module_as_a_real_file(clone: Path) -> None:
    wheel = zipfile.ZipFile(build(clone, "wheel"))
    with wheel:
        held = {name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name}
        kinds = {member.external_attr >> 28 for member in wheel.infolist()}
    expected = {
        str(file.relative_to(clone)): file.read_bytes()
        for folder in (clone / "scratchbuild", clone / "scratchbuild/tasks")
        for file in (*folder.rglob("*.py"), *folder.rglob("py.typed"))
    }
    assert "scratchbuild/tasks/layer.py" in expected
    assert "scratchbuild/dodo.py" in expected
    assert held == expected
    assert 0o12 not in kinds  # symbolic links


def test_the_sdist_builds_the_same_wheel_and_starts_as_a_clone_does(
    clone: Path, tmp_path: Path, environment: dict[str, str]
) -> None:
    with tarfile.open(build(clone, "sdist")) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("scratchbuild-*")
    assert build(source, "wheel").read_bytes() == build(clone, "wheel").read_bytes()
    listed = subprocess.run([source / "doit", "list"], env=environment, capture_output=True, check=True, text=True)
    assert "build" in listed.stdout
    assert sorted(os.listdir(source / "tasks")) == sorted(
        name for name in os.listdir(clone / "tasks") if name != "__pycache__"
    )


def test_a_project_of_two_lines_builds_with_the_wheel(
    clone: Path, python: Path, project: Path, environment: dict[str, str]
) -> None:
    subprocess.run([python, "-m", "pip", "install", "-q", build(clone, "wheel")], env=environment, check=True)
    assert "build" in doit(python, project, "list")
    doit(python, project, "build")
    assert (project / "rootfs_cache/mine/mine.tar").is_file()


def test_an_editable_install_runs_the_clone(
    clone: Path, python: Path, project: Path, environment: dict[str, str]
) -> None:
    install = [str(python), "-m", "pip", "install", "-q"]
    subprocess.run([*install, "hatchling", "editables"], env=environment, check=True)
    subprocess.run([*install, "--no-build-isolation", "-e", str(clone)], env=environment, check=True)
    (clone / "dodo.py").write_text(
        (clone / "dodo.py").read_text(encoding="utf-8") + "\ntask_edited = task_build\n", encoding="utf-8"
    )
    assert "edited" in doit(python, project, "list")
