"""Tasks of a person's own that make what an image packs: never stale, never lost, never run without need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import SETTLED_SECONDS, Run, environment, program, run, settle

if TYPE_CHECKING:
    from pathlib import Path

# Makes build/hello of hello.txt: a stand-in for a compiler that every machine has, slow if SLOW says so.
DODO = """
import os, sys, time
from scratchbuild.dodo import *

def make(source, target):
    os.makedirs("build", exist_ok=True)
    text = open(source).read()
    with open(target, "wb") as file:
        data = PROGRAM.replace(b"TEXT", text.encode()[:4])
        file.write(data[:40])
        file.flush()
        if os.environ.get("SLOW"):
            print("half way", file=sys.__stderr__, flush=True)
            time.sleep(float(os.environ["SLOW"]))
        file.write(data[40:])
    os.chmod(target, 0o755)

def task_prepare():
    return {"file_dep": ["hello.txt"], "targets": ["build/prepared.txt"], "clean": True,
            "actions": ["mkdir -p build", "cp hello.txt build/prepared.txt"]}

def task_compile():
    return {"file_dep": ["./build/prepared.txt"], "targets": ["build/hello"], "clean": True,
            "actions": [(make, ["build/prepared.txt", "build/hello"])]}

def task_unrelated():
    return {"file_dep": ["hello.txt"], "actions": ["true"]}
"""
OWN = ["prepare", "compile"]
BELOW = ["binaries", "libraries", "layer", "digest", "config", "archive"]


class Project:
    """A project of one's own: dodo.py, a source, a definition."""

    def __init__(self, folder: Path, tool: Path) -> None:
        self.folder = folder
        (folder / "configs").mkdir(parents=True)
        (folder / "configs/hello.toml").write_text(
            'tags = ["hello:v1"]\nbinaries = [{ source = "../build/hello", target = "/hello" }]\n'
        )
        (folder / "dodo.py").write_text(f"PROGRAM = {program('TEXT')!r}\n{DODO}")
        self.env = environment(PYTHONPATH=str(tool), PYTHONDONTWRITEBYTECODE="1")
        self.write("one.")

    def write(self, text: str) -> None:
        """Write the source."""
        (self.folder / "hello.txt").write_text(text)

    def doit(self, *arguments: str, **changed: str) -> Run:
        """Run `doit`."""
        return run([sys.executable, "-m", "doit", *arguments], self.env | changed, self.folder)

    def start(self, **changed: str) -> subprocess.Popen[bytes]:
        """Start `doit build` in a process group of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "doit", "build"],
            cwd=self.folder,
            env=self.env | changed,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def build(self, *arguments: str) -> list[str]:
        """Build, and return what ran."""
        ended = self.doit(*arguments, "build")
        assert (ended.status, ended.err) == (0, "")
        return [name.removesuffix(":hello") for name in ended.ran]

    @property
    def packed(self) -> bytes:
        """The program in the image."""
        return (self.folder / "rootfs_cache/hello/rootfs/hello").read_bytes()


@pytest.fixture
def project(tmp_path: Path, dodo: Path) -> Project:
    """A project, built."""
    made = Project(tmp_path / "project", dodo.parent)
    settle()
    assert made.build() == [*OWN, "rootfs", "binaries", "libraries", "layer", "digest", "config", "manifest", "archive"]
    settle()
    return made


def test_only_an_edited_source_is_compiled_again(project: Project) -> None:
    assert project.build() == []
    (project.folder / "hello.txt").touch()
    assert project.build() == []
    project.write("two.")
    assert project.build() == [*OWN, *BELOW]
    assert b"two." in project.packed
    assert project.build() == []


def test_an_edit_of_the_same_size_and_time_is_compiled(project: Project) -> None:
    status = (project.folder / "hello.txt").stat()
    project.write("two.")
    os.utime(project.folder / "hello.txt", ns=(status.st_atime_ns, status.st_mtime_ns))
    assert project.build() == [*OWN, *BELOW]


def test_a_compiler_that_makes_the_same_program_ends_there(project: Project) -> None:
    project.write("one. and what the program does not show")
    assert project.build() == OWN
    assert project.build() == []


def test_clean_removes_what_tasks_with_clean_made_and_they_run_again(project: Project) -> None:
    assert project.doit("clean").status == 0
    assert not (project.folder / "build/hello").exists()
    assert project.doit("clean", "--clean-all").status == 0
    assert not (project.folder / "build/prepared.txt").exists()
    assert project.build()[:2] == OWN
    assert project.doit("forget", "compile").status == 0
    assert project.build() == ["compile"]
    for arguments in (("forget", "--all"), ("forget",), ("reset-dep",)):
        ended = project.doit(*arguments)
        assert "Traceback" not in ended.out + ended.err, arguments


def test_nothing_of_doits_own_is_left_beside_dodo(project: Project) -> None:
    names = {path.name for path in project.folder.iterdir()}
    assert names == {"dodo.py", "configs", "rootfs_cache", "build", "hello.txt"}


def kill_half_way(project: Project) -> None:
    process = project.start(SLOW="20")
    assert process.stderr is not None
    assert b"half way" in process.stderr.readline()
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def test_killed_half_way_the_half_made_target_is_not_trusted(project: Project) -> None:
    project.write("two.")
    kill_half_way(project)
    assert (project.folder / "build/hello").stat().st_size == 40
    assert project.build() == ["compile", *BELOW]
    assert b"two." in project.packed


def test_killed_half_way_and_changed_back_the_half_made_target_is_not_trusted(project: Project) -> None:
    project.write("two.")
    kill_half_way(project)
    project.write("one.")
    assert project.build() == OWN
    assert b"one." in project.packed
    assert project.build() == []


def test_killed_after_a_task_its_record_is_kept(project: Project) -> None:
    project.write("two.")
    kill_half_way(project)
    assert "prepare" not in project.build()


def test_damaged_records_run_the_tasks_again(project: Project) -> None:
    path = project.folder / "rootfs_cache/.tasks.json"
    for damage in (b"", b"{", b"[]", b'{"compile": 5}', b'{"compile": {"checker:": 5}}', b"[" * 100_000, b"\xff"):
        path.write_bytes(damage)
        ran = project.build()
        assert set(ran) <= set(OWN), damage[:20]
        assert "compile" in ran
    assert project.build() == []


def test_two_builds_at_once_compile_once_and_not_into_each_others_file(project: Project) -> None:
    project.write("two.")
    first = project.start(SLOW="0.5")
    assert first.stderr is not None
    assert b"half way" in first.stderr.readline()
    second = project.start(SLOW="0.5")
    out, err = first.communicate(timeout=30)
    also, said = second.communicate(timeout=30)
    assert (first.returncode, second.returncode) == (0, 0), err + said
    assert b"compile" in out
    assert b"compile" not in also
    assert b"waiting for another build" in said
    assert b"two." in project.packed


def test_a_failing_compiler_fails_the_build_and_leaves_the_last_image(project: Project) -> None:
    before = project.packed
    (project.folder / "hello.txt").unlink()
    (project.folder / "hello.txt").mkdir()
    ended = project.doit("build")
    assert ended.status
    assert "cp" in ended.err + ended.out
    assert project.packed == before
    (project.folder / "hello.txt").rmdir()
    project.write("one.")
    assert set(project.build()) <= set(OWN)
    assert project.packed == before


def test_threads_compile_and_pack_in_order(project: Project) -> None:
    project.write("two.")
    assert project.build("-n", "4") == [*OWN, *BELOW]
    assert b"two." in project.packed
    assert project.build("-n", "4") == []


def test_interrupted_while_compiling_the_next_build_compiles(project: Project) -> None:
    project.write("two.")
    process = project.start(SLOW="20")
    assert process.stderr is not None
    assert b"half way" in process.stderr.readline()
    time.sleep(SETTLED_SECONDS)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert b"Traceback" not in err
    assert project.build() == ["compile", *BELOW]
    assert b"two." in project.packed
