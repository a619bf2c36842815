"""Podman with settings and storage of the tests' own: what is loaded is what runs."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from scratchbuild.engines import find
from scratchbuild.engines.podman import reference
from scratchbuild.errors import ScratchbuildError
from tests.engines.conftest import REPOSITORY, as_ordinary_user, item, shell_archive

if TYPE_CHECKING:
    from pathlib import Path

    from scratchbuild.engines import Engine

pytestmark = [pytest.mark.engine("podman"), pytest.mark.engine("busybox")]

TAG = f"scratchbuild-engines-{os.getpid()}:v1"


@pytest.fixture
def engine(podman_environment: dict[str, str]) -> Engine:
    """The engine under test."""
    return find("podman", store="/nonexistent", environment=podman_environment)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Where an archive is."""
    return str(tmp_path / "image.tar")


def _podman(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(["podman", *command], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.strip()


def test_it_says_where_it_keeps_images(engine: Engine) -> None:
    assert engine.name == "podman"
    assert engine.where.endswith("/graph (rootful)" if os.geteuid() == 0 else "(rootless)")


def test_it_knows_what_it_holds_also_when_that_changes_behind_its_back(
    engine: Engine, podman_environment: dict[str, str], archive: str
) -> None:
    tag = f"group/held-{os.getpid()}:v1"
    identity = shell_archive(archive, tags=(tag,))
    assert engine.image_id(tag) is None
    engine.load(archive, [tag])
    assert engine.image_id(tag) == identity
    _podman(podman_environment, "rmi", reference(tag))
    assert engine.image_id(tag) is None


def test_output_and_exit_status_are_the_programs_own(
    engine: Engine, podman_environment: dict[str, str], archive: str
) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    outcome = engine.run(TAG, ["echo hello; echo trouble >&2; exit 7"], 30)
    assert outcome[:3] == (7, b"hello\n", b"trouble\n")
    for status in (125, 126, 127):
        outcome = engine.run(TAG, [f"echo my error >&2; exit {status}"], 30)
        assert (outcome.status, outcome.stderr) == (status, b"my error\n")
    assert _podman(podman_environment, "ps", "--all", "--quiet") == ""


def test_the_command_that_is_shown_does_the_same(
    engine: Engine, podman_environment: dict[str, str], archive: str
) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    command = shlex.join(engine.command(TAG, ["echo shown; exit 3"]))
    done = subprocess.run(["sh", "-c", command], env=podman_environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"shown\n")


@pytest.mark.parametrize(("entrypoint", "status"), [("/nosuch", 127), ("nosuch", 127), ("/bin", 126), ("/plain", 126)])
def test_a_program_that_cannot_be_started_is_an_error_with_the_reason(
    engine: Engine, archive: str, entrypoint: str, status: int
) -> None:
    shell_archive(archive, [item("plain", b"#!/bin/sh\n")], tags=(TAG,), Entrypoint=[entrypoint])
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError, match=f"{TAG} does not start: .*exit status {status}"):
        engine.run(TAG, [], 30)


def test_an_unknown_user_is_an_error(engine: Engine, archive: str) -> None:
    shell_archive(archive, tags=(TAG,), User="app")
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError, match="unable to find user app"):
        engine.run(TAG, ["echo"], 30)


def test_an_image_that_is_not_there_is_an_error_and_no_registry_is_asked(engine: Engine) -> None:
    with pytest.raises(ScratchbuildError, match="podman has no image nosuch:v1") as caught:
        engine.run("nosuch:v1", ["echo"], 30)
    assert caught.value.mend == "Load it again: doit load"


def test_a_program_that_never_ends_is_stopped_and_its_container_removed(
    engine: Engine, podman_environment: dict[str, str], archive: str
) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    started = time.monotonic()
    with pytest.raises(ScratchbuildError, match=r"did not end within 0\.5 s"):
        engine.run(TAG, ["trap '' TERM; echo begun; busybox sleep 600"], 0.5)
    assert time.monotonic() - started < 30
    assert _podman(podman_environment, "ps", "--all", "--quiet") == ""


def test_a_broken_archive_is_refused(engine: Engine, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    with open(archive, "r+b") as file:
        file.truncate(100_000)
    with pytest.raises(ScratchbuildError, match="damaged"):
        engine.load(archive, [TAG])


def test_limits_that_this_machine_does_not_allow_are_an_error_that_names_the_setting(
    podman_environment: dict[str, str], archive: str, tmp_path: Path
) -> None:
    settings = tmp_path / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=9999999999:9999999999"]\n')
    shell_archive(archive, tags=(TAG,))
    engine = find("podman", store="", environment=podman_environment | {"CONTAINERS_CONF": str(settings)})
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError, match=f"podman cannot run {TAG}") as caught:
        engine.run(TAG, ["echo"], 30)
    assert "default_ulimits" in caught.value.mend


def test_settings_that_podman_cannot_read_are_an_error(podman_environment: dict[str, str], tmp_path: Path) -> None:
    settings = tmp_path / "containers.conf"
    settings.write_text("[broken")
    with pytest.raises(ScratchbuildError, match=r"podman info fails: .*containers\.conf"):
        find("podman", store="", environment=podman_environment | {"CONTAINERS_CONF": str(settings)})


@pytest.mark.engine("runc", "unshare", "setpriv")
def test_an_ordinary_user_has_a_podman_of_their_own(open_folder: str) -> None:
    shell_archive(f"{open_folder}/image.tar", tags=(TAG,))
    # A user without numbers in /etc/subuid has one number in the container, and all files are that one's.
    texts = {
        "containers.conf": '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        '[engine]\nruntime = "runc"\ncgroup_manager = "cgroupfs"\n',
        "storage.conf": f'[storage]\ndriver = "vfs"\nrootless_storage_path = "{open_folder}/graph"\n'
        f'runroot = "{open_folder}/storage"\n[storage.options.vfs]\nignore_chown_errors = "true"\n',
        "drive.py": f"""
import os
from scratchbuild.engines import find
os.makedirs("{open_folder}/run", mode=0o700)
engine = find("podman", store="", environment=os.environ)
engine.load("{open_folder}/image.tar", ["{TAG}"])
print(engine.where, engine.run("{TAG}", ["echo hello"], 30).stdout)
""",
    }
    for name, text in texts.items():
        with open(f"{open_folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": open_folder,
        "PYTHONPATH": REPOSITORY,
        "XDG_RUNTIME_DIR": f"{open_folder}/run",
        "CONTAINERS_CONF": f"{open_folder}/containers.conf",
        "CONTAINERS_STORAGE_CONF": f"{open_folder}/storage.conf",
    }
    command = as_ordinary_user([sys.executable, "-B", f"{open_folder}/drive.py"], open_folder)
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, cwd=open_folder, timeout=120
        )
    finally:
        # What keeps the user's namespaces for the next podman.
        with contextlib.suppress(OSError), open(f"{open_folder}/run/libpod/tmp/pause.pid", encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)
    assert done.stdout == f"{open_folder}/graph (rootless) b'hello\\n'\n", done


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("basic:v1", "localhost/basic:v1"),
        ("group/basic:v1", "localhost/group/basic:v1"),
        ("localhost/basic:v1", "localhost/basic:v1"),
        ("registry.example/basic:v1", "registry.example/basic:v1"),
        ("machine:5000/basic:v1", "machine:5000/basic:v1"),
    ],
)
def test_short_names_are_on_localhost(tag: str, name: str) -> None:
    assert reference(tag) == name
