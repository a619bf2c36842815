"""Archives made by hand, and the sandbox as driven by root, by an ordinary user, and through bubblewrap."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import xxhash

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

TAG = "engine-test:v1"
NOBODY = 65534
REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DRIVER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "drive.py")

Item = tuple[tarfile.TarInfo, bytes]


def item(name: str, data: bytes = b"", mode: int = 0o644, kind: bytes = tarfile.REGTYPE, **more: Any) -> Item:
    """Return a member of a layer."""
    info = tarfile.TarInfo(name)
    info.mode, info.type, info.size = mode, kind, len(data)
    for key, value in more.items():
        setattr(info, key, value)
    return info, data


def directory(name: str, mode: int = 0o755, **more: Any) -> Item:
    """Return a directory."""
    return item(name, mode=mode, kind=tarfile.DIRTYPE, **more)


def symlink(name: str, text: str) -> Item:
    """Return a symbolic link."""
    return item(name, mode=0o777, kind=tarfile.SYMTYPE, linkname=text)


def packed(items: list[Item]) -> bytes:
    """Return a tar archive of `items`."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in items:
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def make_archive(path: str | Path, *layers: list[Item], tags: tuple[str, ...] = (TAG,), **config: Any) -> str:
    """Write a docker-archive whose config's `config` is given by keyword; return its image ID."""
    tars = [packed(layer) for layer in layers]
    document = {
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(data).hexdigest() for data in tars]},
    }
    text = json.dumps(document).encode()
    names = [f"layer-{number}.tar" for number in range(len(tars))]
    manifest = json.dumps([{"Config": "config.json", "RepoTags": list(tags), "Layers": names}]).encode()
    members = [item("manifest.json", manifest), item("config.json", text)]
    members += [item(name, data) for name, data in zip(names, tars, strict=True)]
    with open(path, "wb") as file:
        file.write(packed(members))
    os.chmod(path, 0o644)
    return "sha256:" + hashlib.sha256(text).hexdigest()


def base_layer() -> list[Item]:
    """Return a layer with a shell and its commands: a static busybox."""
    found = shutil.which("busybox")
    assert found is not None
    with open(found, "rb") as file:
        return [directory("bin"), item("bin/busybox", file.read(), 0o755), symlink("bin/sh", "busybox")]


SHELL = {"Entrypoint": ["/bin/sh", "-c"], "Env": ["PATH=/bin"], "WorkingDir": "/"}


def shell_archive(path: str | Path, *layers: list[Item], **config: Any) -> str:
    """Write an archive whose entrypoint takes a line of shell, with busybox and what else `layers` have."""
    return make_archive(path, base_layer(), *layers, **(SHELL | config))


@pytest.fixture
def open_folder() -> Iterator[str]:
    """A folder that every user can use."""
    folder = tempfile.mkdtemp(prefix="engines-", dir="/tmp")
    os.chmod(folder, 0o1777)  # noqa: S103 - that is its purpose
    yield folder
    for parent, names, _ in os.walk(folder):
        for name in names:
            if not os.path.islink(path := os.path.join(parent, name)):
                os.chmod(path, stat.S_IRWXU)
    shutil.rmtree(folder)


def as_ordinary_user(command: list[str], folder: str) -> list[str]:
    """Return the command by which root runs `command` as an ordinary user, who sees this Python and this project.

    Where they lie in a folder of root's own, it is replaced for that command alone by one that holds nothing else.
    """
    if os.geteuid() != 0:
        return command
    needed = {
        sys.prefix,
        sys.base_prefix,
        REPOSITORY,
        os.path.dirname(os.path.dirname(os.path.abspath(xxhash.__file__))),
    }
    hidden = {path: closed for path in sorted(needed) if (closed := _closed_parent(path))}
    lines = ["set -e"]
    for number, path in enumerate(hidden):
        kept = os.path.join(folder, f"kept-{number}")
        lines += [f"mkdir -p {shlex.quote(kept)}", f"mount --bind {shlex.quote(path)} {shlex.quote(kept)}"]
    lines += [f"mount -t tmpfs -o mode=0755 tmpfs {shlex.quote(closed)}" for closed in sorted(set(hidden.values()))]
    for number, path in enumerate(hidden):
        kept = os.path.join(folder, f"kept-{number}")
        lines += [f"mkdir -p {shlex.quote(path)}", f"mount --move {shlex.quote(kept)} {shlex.quote(path)}"]
    user = ["setpriv", "--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups", *command]
    lines.append("exec " + shlex.join(user))
    return ["unshare", "--mount", "--propagation", "private", "sh", "-c", "\n".join(lines)]


def _closed_parent(path: str) -> str:
    """Return the topmost folder above `path` that is closed to others, or an empty text."""
    parts = path.split("/")
    for end in range(2, len(parts) + 1):
        parent = "/".join(parts[:end])
        if os.stat(parent).st_mode & 0o005 != 0o005:
            return parent
    return ""


class Said(NamedTuple):
    """What an engine answered: how a program ended, or the error a person is shown."""

    status: int
    stdout: str
    stderr: str
    error: str


class Box:
    """A sandbox in a folder of its own, driven by another process as some user."""

    def __init__(self, folder: str, who: str, how: str) -> None:
        self.folder = folder
        self.who = who
        self.how = how
        self.store = os.path.join(folder, "store")
        self.archive = os.path.join(folder, "image.tar")
        # Shell that is run before, as root and in a mount namespace of its own.
        self.first = ""

    def command(self, *request: Any) -> list[str]:
        """Return the command that has the sandbox do something."""
        command = [sys.executable, "-B", DRIVER, self.how, self.store, json.dumps(request)]
        command = as_ordinary_user(command, self.folder) if self.who == "ordinary" else command
        if self.first:
            script = f"set -e\n{self.first}\nexec {shlex.join(command)}"
            return ["unshare", "--mount", "--propagation", "private", "sh", "-c", script]
        return command

    def ask(self, *request: Any) -> Any:
        """Have the sandbox do something; return the answer, an error as a text."""
        environment = os.environ | {"PYTHONPATH": REPOSITORY, "HOME": self.folder}
        done = subprocess.run(
            self.command(*request), capture_output=True, text=True, check=False, env=environment, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def load(self, tags: tuple[str, ...] = (TAG,)) -> str:
        """Load the archive; return the error a person is shown."""
        return str(self.ask("load", self.archive, tags))

    def run(self, *arguments: str, tag: str = TAG, timeout: float = 20.0) -> Said:
        """Run an image."""
        return Said(*self.ask("run", tag, arguments, timeout))

    def image_id(self, tag: str = TAG) -> str | None:
        """Return what the sandbox holds."""
        answer: str | None = self.ask("image_id", tag)
        return answer

    def rootfs(self) -> str:
        """Return the only image's root file system."""
        images = os.path.join(self.store, "images")
        (name,) = os.listdir(images)
        return os.path.join(images, name, "rootfs")


WAYS = [
    pytest.param("root", "namespaces", id="root"),
    pytest.param("ordinary", "namespaces", id="ordinary-user"),
    pytest.param("root", "bubblewrap", id="root-bubblewrap", marks=pytest.mark.engine("bwrap")),
    pytest.param("ordinary", "bubblewrap", id="ordinary-user-bubblewrap", marks=pytest.mark.engine("bwrap")),
]


@pytest.fixture
def box(who: str, how: str, open_folder: str) -> Box:
    """A sandbox as `who` drives it, by `how`."""
    if who == "root" and os.geteuid() != 0:
        pytest.skip("these tests are not run by root")
    return Box(open_folder, who, how)


every_way = pytest.mark.parametrize(("who", "how"), WAYS)
without_bubblewrap = pytest.mark.parametrize(("who", "how"), WAYS[:2])


def tree(folder: str) -> dict[str, tuple[int, str]]:
    """Return every path below `folder` with its mode and its bytes, link or nothing."""
    found = {}
    for parent, names, file_names in os.walk(folder):
        for name in names + file_names:
            path = os.path.join(parent, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISLNK(mode):
                content = "-> " + os.readlink(path)
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    content = hashlib.sha256(file.read()).hexdigest()
            else:
                content = ""
            found[path.removeprefix(folder)] = (mode, content)
    return found


@pytest.fixture
def without_tool(tmp_path: Path) -> Callable[..., str]:
    """What makes a PATH with only the tools of the given names."""

    def path(*names: str) -> str:
        folder = tmp_path / "path"
        folder.mkdir(exist_ok=True)
        for name in names:
            found = shutil.which(name)
            assert found is not None
            (folder / name).symlink_to(found)
        return str(folder)

    return path
