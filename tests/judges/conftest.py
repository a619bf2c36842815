"""One image with everything that is hard to say in a tar archive, made by layer, oci and docker_archive alone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from scratchbuild import layer, oci
from scratchbuild.formats import docker_archive
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EPOCH = 1718668800
TAG = "scratchbuild-judged:v1"

# Says hello, then how it sees itself and every path that it is given: mode, owner, names, bytes, capability, text.
PROGRAM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
int main(int argc, char **argv) {
    char text[4096];
    printf("hello from %d in %s, GREETING=%s\n", (int)getuid(), getcwd(text, sizeof text), getenv("GREETING"));
    for (int i = 1; i < argc; i++) {
        struct stat s;
        if (lstat(argv[i], &s)) { perror(argv[i]); return 1; }
        long capability = lgetxattr(argv[i], "security.capability", text, sizeof text);
        long length = readlink(argv[i], text, sizeof text - 1);
        text[length < 0 ? 0 : length] = 0;
        printf("%s %o %u %u %lu %ld %ld %ld %s\n", argv[i], s.st_mode, s.st_uid, s.st_gid,
               S_ISDIR(s.st_mode) ? 0 : (unsigned long)s.st_nlink, S_ISREG(s.st_mode) ? (long)s.st_size : 0,
               (long)s.st_mtime, capability < 0 ? 0 : capability, text);
    }
    return 0;
}
"""


def entry(path: str, kind: Any, mode: int, **more: Any) -> Entry:
    """Return an entry."""
    return Entry(path, kind, mode, "a test's", **more)


LONG = "/long/" + "d" * 120 + "/" + "f" * 120
CAPABILITY = bytes.fromhex("0100000200200000") + bytes(12)
ENTRIES = [
    entry("/bin", "directory", 0o755),
    entry("/bin/probe", "file", 0o755),
    entry("/bin/a-second-name", "hardlink", 0o755, link="/bin/probe"),
    entry("/bin/capable", "file", 0o755, capability=CAPABILITY),
    entry("/bin/capable-too", "hardlink", 0o755, link="/bin/capable"),
    entry("/bin/setuid", "file", 0o4755),
    entry("/bin/sh", "symlink", 0o777, link="probe"),
    entry("/conf", "directory", 0o755),
    entry("/conf/empty", "file", 0o600),
    entry("/conf/名 前", "file", 0o640, uid=3_000_000, gid=7),
    entry("/long", "directory", 0o755),
    entry(os.path.dirname(LONG), "directory", 0o751),
    entry(LONG, "file", 0o444),
    entry("/srv", "directory", 0o2775, uid=1000, gid=1000),
    entry("/world", "directory", 0o1777),
]
CONTENT = {
    "/bin/capable": b"capable\n",
    "/bin/setuid": b"#!/bin/sh\n",
    "/conf/empty": b"",
    "/conf/名 前": b"x" * 513,
    LONG: b"y" * 70_000,
}
IMAGE = oci.ImageConfig(
    {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine),
    created=EPOCH,
    author="a test",
    entrypoint=("/bin/probe",),
    env=(("PATH", "/bin"), ("GREETING", "こんにちは = hello")),
    workdir="/srv",
    user="1234:5",
    labels=(("org.opencontainers.image.title", "judged"),),
    exposed_ports=("80/tcp",),
    volumes=("/data",),
    stop_signal="SIGINT",
    healthcheck=oci.Healthcheck(("CMD", "/bin/probe"), interval=10**9),
    history=(oci.History(EPOCH, "scratchbuild", comment="one layer"),),
)


class Judged(NamedTuple):
    """An archive on disk, its image's configuration, and what its program prints for all paths of the image."""

    path: str
    tag: str
    config: bytes
    paths: list[str]
    printed: str


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Judged:
    """Return the image, its program compiled here."""
    folder = tmp_path_factory.mktemp("judged")
    root = str(folder / "rootfs")
    for each in ENTRIES:
        if each.kind == "directory":
            os.makedirs(root + each.path, exist_ok=True)
        elif each.path in CONTENT:
            with open(root + each.path, "wb") as file:
                file.write(CONTENT[each.path])
    compiler = ["gcc", "-static", "-Os", "-s", "-x", "c", "-o", root + "/bin/probe", "-"]
    subprocess.run(compiler, input=PROGRAM, text=True, check=True)
    layer.write(str(folder / "layer.tar"), ENTRIES, root, mtime=EPOCH)
    diff_id = "sha256:" + hashlib.sha256((folder / "layer.tar").read_bytes()).hexdigest()
    config = oci.config(IMAGE._replace(diff_ids=(diff_id,)))
    (folder / "config.json").write_bytes(config)
    (folder / "manifest.json").write_bytes(oci.docker_manifest("config.json", [TAG], ["layer.tar"]))
    docker_archive.write(
        str(folder / "judged.tar"),
        layers=[str(folder / "layer.tar")],
        config=str(folder / "config.json"),
        manifest=str(folder / "manifest.json"),
        mtime=EPOCH,
    )
    paths = [each.path for each in ENTRIES]
    said = "hello from 1234 in /srv, GREETING=こんにちは = hello\n"
    return Judged(str(folder / "judged.tar"), TAG, config, paths, said + "".join(map(line(root), ENTRIES)))


def line(root: str) -> Callable[[Entry], str]:
    """Return what tells the program's line for an entry."""
    types = {"directory": 0o40000, "file": 0o100000, "symlink": 0o120000}

    def tell(each: Entry) -> str:
        file = next(other for other in ENTRIES if other.path == each.link) if each.kind == "hardlink" else each
        size = os.stat(root + file.path).st_size if file.kind == "file" else 0
        names = 1 + sum(other.kind == "hardlink" and other.link == file.path for other in ENTRIES)
        return (
            f"{each.path} {types[file.kind] | file.mode:o} {file.uid} {file.gid} "
            f"{0 if file.kind == 'directory' else names} {size} {EPOCH} {len(file.capability)} "
            f"{each.link if each.kind == 'symlink' else ''}\n"
        )

    return tell


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., str]:
    """Return what runs a command, found also beside this Python, and gives its output; it fails if the command does."""

    def run(program: str, *arguments: str, **environment: str) -> str:
        path = os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", os.defpath)
        found = shutil.which(program, path=path)
        assert found, f"{program} is not on this machine"
        ended = subprocess.run(
            [found, *arguments],
            env=os.environ | {"LC_ALL": "C.UTF-8", "TZ": "UTC"} | environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    return run
