"""Which engine is taken, and what a person is told of those that cannot be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scratchbuild.engines import find
from scratchbuild.errors import ScratchbuildError
from tests.engines.conftest import REPOSITORY, as_ordinary_user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, str]:
    """An environment in which nobody has said anything of engines."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "CONTAINER_HOST"):
        monkeypatch.delenv(name, raising=False)
    return dict(os.environ) | {"HOME": str(tmp_path)}


@pytest.fixture
def silent(tmp_path: Path) -> Iterator[str]:
    """A socket that takes every connection and never answers."""
    path = str(tmp_path / "silent.sock")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(64)
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    held.append(server.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept)
        thread.start()
        yield f"unix://{path}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in held:
            connection.close()


def failure(choice: str | None, environment: dict[str, str], store: str = "/nonexistent/store") -> ScratchbuildError:
    """Return the error that looking for an engine ends with."""
    with pytest.raises(ScratchbuildError) as caught:
        find(choice, store=store, environment=environment)
    return caught.value


@pytest.mark.parametrize(
    ("choice", "near"), [("doker", "docker"), ("Podman", "podman"), ("sanbox", "sandbox"), ("", ""), ("kubernetes", "")]
)
def test_an_unknown_engine_is_an_error_with_the_nearest_name(plain: dict[str, str], choice: str, near: str) -> None:
    error = failure(choice, plain)
    assert f"there is no engine {choice!r}" in error.what
    assert ("Did you mean" in error.mend) == bool(near)
    assert near in error.mend
    assert "docker, podman, sandbox" in error.mend


@pytest.mark.engine("docker")
@pytest.mark.parametrize("choice", ["docker", None])
def test_an_address_where_nobody_listens_is_named_with_who_said_it(plain: dict[str, str], choice: str | None) -> None:
    error = failure(choice, plain | {"DOCKER_HOST": "unix:///tmp/nosuch"})
    assert error.what == "docker at unix:///tmp/nosuch (DOCKER_HOST): no daemon answers there"
    assert "systemctl start docker" in error.mend
    assert "correct DOCKER_HOST" in error.mend
    assert ("engine=sandbox" in error.mend) == (choice is None)


@pytest.mark.engine("docker")
@pytest.mark.parametrize("choice", ["docker", None])
def test_a_context_that_is_not_there_is_named(plain: dict[str, str], choice: str | None) -> None:
    error = failure(choice, plain | {"DOCKER_CONTEXT": "nosuch"})
    assert error.what == "docker at context nosuch (DOCKER_CONTEXT): the client knows no such context"
    assert "docker context ls" in error.mend
    assert "unset DOCKER_CONTEXT" in error.mend


@pytest.mark.engine("docker")
def test_the_context_of_dockers_own_settings_is_named_with_their_file(plain: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"currentContext": "lost"}))
    error = failure("docker", plain)
    assert f"context lost ({tmp_path}/.docker/config.json)" in error.what
    assert "docker context use default" in error.mend


@pytest.mark.engine("docker")
def test_an_address_goes_before_a_context_and_an_empty_one_is_none(plain: dict[str, str]) -> None:
    both = plain | {"DOCKER_HOST": "unix:///tmp/nosuch", "DOCKER_CONTEXT": "nosuch"}
    assert "unix:///tmp/nosuch (DOCKER_HOST)" in failure("docker", both).what
    empty = plain | {"DOCKER_HOST": "", "DOCKER_CONTEXT": "nosuch"}
    assert "context nosuch (DOCKER_CONTEXT)" in failure("docker", empty).what


@pytest.mark.engine("docker")
@pytest.mark.parametrize("choice", ["docker", None])
def test_a_daemon_that_never_answers_is_given_up_in_seconds(
    plain: dict[str, str], silent: str, choice: str | None
) -> None:
    started = time.monotonic()
    error = failure(choice, plain | {"DOCKER_HOST": silent})
    assert time.monotonic() - started < 10
    assert error.what == f"docker at {silent} (DOCKER_HOST): its daemon does not answer within 5 s"
    assert "Restart it" in error.mend


@pytest.mark.engine("docker")
def test_nonsense_for_an_address_is_an_error(plain: dict[str, str]) -> None:
    error = failure("docker", plain | {"DOCKER_HOST": "fish://market"})
    assert "docker at fish://market (DOCKER_HOST): " in error.what


def test_a_missing_client_is_named_with_the_line_that_installs_it(
    plain: dict[str, str], without_tool: Callable[..., str]
) -> None:
    path = without_tool()
    error = failure("docker", plain | {"PATH": path})
    assert (
        "docker at unix:///var/run/docker.sock (default): its client, the command docker, is not on PATH" in error.what
    )
    assert "apt-get install docker.io" in error.mend
    error = failure("podman", plain | {"PATH": path})
    assert "podman: the command podman is not on PATH" in error.what
    assert "apt-get install podman" in error.mend


@pytest.mark.engine("docker", "unshare", "setpriv")
def test_a_socket_of_roots_is_closed_to_an_ordinary_user_who_is_told_so(
    docker_host: str, open_folder: str, plain: dict[str, str]
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can run a daemon that is closed to others")
    # The way to the socket is open, so that the socket itself is what is closed.
    code = (
        "import os\nfrom scratchbuild.engines import find\n"
        "try: find('docker', store='', environment=os.environ)\nexcept Exception as error: print(error)"
    )
    environment = plain | {"DOCKER_HOST": docker_host, "PYTHONPATH": REPOSITORY, "HOME": open_folder}
    path = docker_host.removeprefix("unix://")
    before = os.stat(path).st_mode
    os.chmod(path, 0o600)
    try:
        done = subprocess.run(
            as_ordinary_user([sys.executable, "-B", "-c", code], open_folder),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            cwd=open_folder,
        )
    finally:
        os.chmod(path, before & 0o777)
    assert f"docker at {docker_host} (DOCKER_HOST): this user may not talk to its daemon" in done.stdout, done
    assert "usermod -aG docker" in done.stdout


@pytest.mark.engine("docker")
def test_docker_is_taken_when_it_answers(plain: dict[str, str], docker_host: str) -> None:
    engine = find(None, store="/nonexistent", environment=plain | {"DOCKER_HOST": docker_host})
    assert (engine.name, engine.passed_over) == ("docker", ())


@pytest.mark.engine("podman")
def test_podman_is_taken_when_docker_is_not_there(
    podman_environment: dict[str, str], without_tool: Callable[..., str], plain: dict[str, str]
) -> None:
    path = without_tool(
        *[name for name in ("podman", "runc", "crun", "conmon", "newuidmap", "newgidmap") if _has(name)]
    )
    settings = {name: podman_environment[name] for name in ("CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF")}
    engine = find(None, store="/nonexistent", environment=plain | settings | {"PATH": path})
    assert engine.name == "podman"
    assert len(engine.passed_over) == 1
    assert engine.passed_over[0].startswith("docker at unix:///var/run/docker.sock (default): its client")


@pytest.mark.engine("podman")
def test_a_podman_that_cannot_start_a_container_is_passed_over(
    podman_environment: dict[str, str], without_tool: Callable[..., str], plain: dict[str, str], tmp_path: Path
) -> None:
    # More open files than any kernel allows.
    settings = tmp_path / "containers.conf"
    settings.write_text('[containers]\ndefault_ulimits = ["nofile=9999999999:9999999999"]\n')
    path = without_tool(
        *[name for name in ("podman", "runc", "crun", "conmon", "newuidmap", "newgidmap") if _has(name)]
    )
    storage = {"CONTAINERS_STORAGE_CONF": podman_environment["CONTAINERS_STORAGE_CONF"]}
    environment = plain | storage | {"CONTAINERS_CONF": str(settings), "PATH": path}
    engine = find(None, store=str(tmp_path / "store"), environment=environment)
    assert engine.name == "sandbox"
    assert engine.passed_over[1].startswith("podman at ")
    assert "cannot start a container" in engine.passed_over[1]


def test_without_any_engine_the_sandbox_is_taken_and_says_why(
    plain: dict[str, str], without_tool: Callable[..., str], tmp_path: Path
) -> None:
    engine = find(None, store=str(tmp_path / "store"), environment=plain | {"PATH": without_tool()})
    assert engine.name == "sandbox"
    assert engine.where.startswith(f"{tmp_path}/store (")
    assert [line.split(" ")[0].rstrip(":") for line in engine.passed_over] == ["docker", "podman"]
    assert not (tmp_path / "store").exists()


@pytest.mark.engine("unshare")
def test_where_nothing_works_every_engine_is_listed_with_what_would_mend_it(
    plain: dict[str, str], without_tool: Callable[..., str], open_folder: str
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can forbid namespaces here")
    # In a user namespace of its own, where no further ones may be made.
    code = (
        "import os\nfrom scratchbuild.engines import find\n"
        f"environment = {{'PATH': {without_tool()!r}}}\n"
        "try: find(None, store='/nonexistent', environment=environment)\nexcept Exception as error: print(error)"
    )
    script = 'for name in user mnt pid net ipc uts; do echo 0 >/proc/sys/user/max_${name}_namespaces; done; exec "$@"'
    inner = ["unshare", "--user", "--map-root-user", "sh", "-c", script, "sh", sys.executable, "-B", "-c", code]
    done = subprocess.run(
        inner, env=plain | {"PYTHONPATH": REPOSITORY}, capture_output=True, text=True, check=False, cwd=open_folder
    )
    lines = done.stdout.splitlines()
    assert lines[0] == "no engine can be used", done
    assert [line.strip().split(" ")[0].rstrip(":") for line in lines[1::2]] == ["docker", "podman", "sandbox"]
    assert "apt-get install docker.io" in done.stdout
    assert "apt-get install podman" in done.stdout
    assert "sysctl -w user.max_user_namespaces=" in done.stdout


def _has(name: str) -> bool:
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ["PATH"].split(":"))
