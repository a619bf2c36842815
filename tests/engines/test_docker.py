"""Docker, a real daemon: what is loaded is what runs, and every failure is told for what it is."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

import pytest

from scratchbuild.engines import find
from scratchbuild.errors import ScratchbuildError
from tests.engines.conftest import REPOSITORY, directory, item, make_archive, shell_archive, symlink

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from scratchbuild.engines import Engine

pytestmark = [pytest.mark.engine("docker"), pytest.mark.engine("busybox")]

# A name of this process's, as several run tests on one daemon.
TAG = f"scratchbuild-engines-{os.getpid()}:v1"


class Docker:
    """The client, as a person uses it beside the project."""

    def __init__(self, address: str) -> None:
        self.environment = dict(os.environ) | {"DOCKER_HOST": address}

    def __call__(self, *command: str) -> str:
        """Return what a command prints, whether it works or not."""
        done = subprocess.run(["docker", *command], env=self.environment, capture_output=True, text=True, check=False)
        return done.stdout.strip()

    def containers(self) -> list[str]:
        """Return the containers of these tests, running or not."""
        said = self("ps", "--all", "--no-trunc", "--format", "{{.Names}} {{.Image}}")
        return [line for line in said.splitlines() if TAG in line]


@pytest.fixture
def docker(docker_host: str) -> Iterator[Docker]:
    """The client, talking to the tests' daemon; images of these tests are removed afterwards."""
    client = Docker(docker_host)
    yield client
    client("rmi", "--force", TAG, TAG + "-2")


@pytest.fixture
def engine(docker: Docker) -> Engine:
    """The engine under test."""
    return find("docker", store="/nonexistent", environment=docker.environment)


@pytest.fixture
def archive(tmp_path: Path) -> str:
    """Where an archive is."""
    return str(tmp_path / "image.tar")


def test_it_says_where_its_daemon_is_and_who_said_so(engine: Engine, docker_host: str) -> None:
    assert (engine.name, engine.where) == ("docker", f"{docker_host} (DOCKER_HOST)")


def test_it_knows_what_it_holds_also_when_that_changes_behind_its_back(
    engine: Engine, docker: Docker, archive: str
) -> None:
    identity = shell_archive(archive, tags=(TAG,))
    assert engine.image_id(TAG) is None
    engine.load(archive, [TAG])
    assert engine.image_id(TAG) == identity
    docker("rmi", TAG)
    assert engine.image_id(TAG) is None


def test_a_new_image_takes_over_all_its_tags(engine: Engine, archive: str) -> None:
    tags = (TAG, TAG + "-2")
    shell_archive(archive, tags=tags)
    engine.load(archive, tags)
    identity = shell_archive(archive, [item("more", b"1")], tags=tags)
    engine.load(archive, tags)
    assert [engine.image_id(tag) for tag in tags] == [identity, identity]


def test_output_and_exit_status_are_the_programs_own(engine: Engine, docker: Docker, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    outcome = engine.run(TAG, ["echo hello; echo trouble >&2; exit 7"], 30)
    assert outcome[:3] == (7, b"hello\n", b"trouble\n")
    assert 0 < outcome.seconds < 30
    assert docker.containers() == []


@pytest.mark.parametrize("status", [125, 126, 127])
def test_the_programs_own_status_is_not_taken_for_dockers(engine: Engine, archive: str, status: int) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    outcome = engine.run(TAG, [f"echo Error: mine >&2; exit {status}"], 30)
    assert (outcome.status, outcome.stderr) == (status, b"Error: mine\n")


def test_there_is_no_network(engine: Engine, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    assert engine.run(TAG, ["busybox grep -c : /proc/net/dev; busybox ip route"], 30).stdout == b"1\n"


def test_the_command_that_is_shown_does_the_same(engine: Engine, docker: Docker, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    command = engine.command(TAG, ["echo shown; exit 3"])
    assert command[:2] == ["docker", "run"]
    done = subprocess.run(["sh", "-c", shlex.join(command)], env=docker.environment, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (3, b"shown\n")


@pytest.mark.parametrize(
    ("entrypoint", "reason", "status"),
    [
        ("/nosuch", "no such file or directory", 127),
        ("nosuch", "executable file not found in $PATH", 127),
        ("/bin", "", 126),
        ("/plain", "permission denied", 126),
        ("/dangling", "no such file or directory", 127),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_with_the_reason(
    engine: Engine, archive: str, entrypoint: str, reason: str, status: int
) -> None:
    more = [item("plain", b"#!/bin/sh\n"), symlink("dangling", "/nowhere")]
    shell_archive(archive, more, tags=(TAG,), Entrypoint=[entrypoint])
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError) as caught:
        engine.run(TAG, [], 30)
    assert f"{TAG} does not start: " in caught.value.what
    assert reason in caught.value.what
    assert f"(exit status {status})" in caught.value.what
    assert "unknown" not in caught.value.what


def test_an_unknown_user_is_an_error(engine: Engine, docker: Docker, archive: str) -> None:
    shell_archive(archive, tags=(TAG,), User="app")
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError, match="unable to find user app") as caught:
        engine.run(TAG, ["echo"], 30)
    assert "users" in caught.value.mend
    assert docker.containers() == []


def test_an_image_removed_meanwhile_is_an_error_and_no_registry_is_asked(engine: Engine, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    with pytest.raises(ScratchbuildError, match=f"docker has no image {TAG}") as caught:
        engine.run(TAG, ["echo"], 30)
    assert caught.value.mend == "Load it again: doit load"


def test_a_program_that_never_ends_is_stopped_and_its_container_removed(
    engine: Engine, docker: Docker, archive: str
) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    started = time.monotonic()
    with pytest.raises(ScratchbuildError, match=r"did not end within 0\.5 s and was stopped; it printed begun"):
        engine.run(TAG, ["trap '' TERM; echo begun; busybox sleep 600"], 0.5)
    assert time.monotonic() - started < 25
    assert docker.containers() == []


def test_endless_output_is_stopped_before_it_fills_the_memory(engine: Engine, docker: Docker, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    with pytest.raises(ScratchbuildError, match="printed more than 64 MiB and was stopped"):
        engine.run(TAG, ["exec busybox yes"], 120)
    assert docker.containers() == []


def test_ctrl_c_removes_the_container(engine: Engine, docker: Docker, archive: str) -> None:
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    code = (
        "import os; from scratchbuild.engines import find; "
        f"find('docker', store='', environment=os.environ).run({TAG!r}, ['busybox sleep 600'], 600)"
    )
    environment = docker.environment | {"PYTHONPATH": REPOSITORY}
    with subprocess.Popen([sys.executable, "-c", code], env=environment, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 20
        while not docker.containers():
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        process.wait(20)
    assert docker.containers() == []


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "empty file"), (b"junk" * 999, "not a docker-archive"), (None, "damaged")]
)
def test_a_broken_archive_is_refused_and_the_old_image_stays(
    engine: Engine, archive: str, content: bytes | None, reason: str
) -> None:
    identity = shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    if content is None:
        with open(archive, "rb") as file:
            content = file.read()[:-300000]
    with open(archive, "wb") as file:
        file.write(content)
    with pytest.raises(ScratchbuildError, match=reason):
        engine.load(archive, [TAG])
    assert engine.image_id(TAG) == identity


def test_an_archive_that_only_docker_sees_is_broken_is_its_refusal(engine: Engine, archive: str) -> None:
    make_archive(archive, [item("a", b"original"), directory("d")], tags=(TAG,))
    with open(archive, "rb") as file:
        data = file.read()
    with open(archive, "wb") as file:
        file.write(data.replace(b"original", b"modified"))
    with pytest.raises(ScratchbuildError, match="docker cannot load") as caught:
        engine.load(archive, [TAG])
    assert engine.where == caught.value.where
    assert engine.image_id(TAG) is None


def test_an_archive_without_the_tag_is_an_error(engine: Engine, archive: str) -> None:
    shell_archive(archive, tags=(TAG + "-2",))
    with pytest.raises(ScratchbuildError, match=f"no image {TAG}"):
        engine.load(archive, [TAG])


def test_a_missing_archive_is_an_error(engine: Engine) -> None:
    with pytest.raises(ScratchbuildError, match="no such file"):
        engine.load("/nowhere/image.tar", [TAG])


class Bridge:
    """A socket before the daemon's: through it the daemon can go away, or fall silent, without harm to the real one."""

    def __init__(self, folder: Path, address: str) -> None:
        self.address = f"unix://{folder}/bridge.sock"
        self._daemon = address.removeprefix("unix://")
        self._open = threading.Event()
        self._open.set()
        self._sockets: list[socket.socket] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(self.address.removeprefix("unix://"))
        self._server.listen(16)
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def _serve(self) -> None:
        while True:
            try:
                client = self._server.accept()[0]
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            daemon.connect(self._daemon)
            self._sockets += [client, daemon]
            for source, target in ((client, daemon), (daemon, client)):
                self._threads.append(threading.Thread(target=self._carry, args=(source, target)))
                self._threads[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                self._open.wait()
                target.sendall(piece)
            target.shutdown(socket.SHUT_WR)

    def fall_silent(self) -> None:
        """Take connections and answer nothing."""
        self._open.clear()

    def go_away(self) -> None:
        """Break all connections and take no new ones."""
        self._open.set()
        for each in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for each in (self._server, *self._sockets):
            each.close()


@pytest.fixture
def bridge(docker: Docker, docker_host: str, tmp_path: Path) -> Iterator[Bridge]:
    """A way to the daemon that can be broken; containers that it leaves are removed by the daemon's own."""
    if not docker_host.startswith("unix://"):
        pytest.skip("the tests' daemon does not listen on a socket of this machine")
    made = Bridge(tmp_path, docker_host)
    yield made
    made.go_away()
    for line in docker.containers():
        docker("rm", "--force", line.partition(" ")[0])


def test_a_daemon_that_goes_away_meanwhile_is_an_error(docker: Docker, archive: str, bridge: Bridge) -> None:
    engine = find("docker", store="", environment=docker.environment | {"DOCKER_HOST": bridge.address})
    shell_archive(archive, tags=(TAG,))
    engine.load(archive, [TAG])
    timer = threading.Timer(2.0, bridge.go_away)
    timer.start()
    with pytest.raises(ScratchbuildError, match=f"docker cannot run {TAG}") as caught:
        engine.run(TAG, ["busybox sleep 15"], 30)
    timer.join()
    assert bridge.address in caught.value.where
    for ask in (partial(engine.image_id, TAG), partial(engine.load, archive, [TAG])):
        with pytest.raises(ScratchbuildError, match="docker cannot") as caught:
            ask()
        assert "The daemon went away: start it again" in caught.value.mend
        assert bridge.address in caught.value.where


def test_a_daemon_that_falls_silent_is_an_error_within_its_time(
    docker: Docker, archive: str, bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    environment = docker.environment | {"DOCKER_HOST": bridge.address}
    engine = find("docker", store="", environment=environment)
    shell_archive(archive, tags=(TAG,))
    bridge.fall_silent()
    monkeypatch.setattr("scratchbuild.engines.client.QUESTION_SECONDS", 1.0)
    monkeypatch.setattr("scratchbuild.engines.client._LOAD_SECONDS", 1.0)
    started = time.monotonic()
    for ask in (partial(engine.image_id, TAG), partial(engine.load, archive, [TAG])):
        with pytest.raises(ScratchbuildError, match=r"docker did not .* within"):
            ask()
    with pytest.raises(ScratchbuildError, match="does not answer within 5 s"):
        find("docker", store="", environment=environment)
    assert time.monotonic() - started < 20
