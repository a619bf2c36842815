"""The same inputs give the same bytes, whoever builds them, where, how and with which Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.graph.conftest import Workshop, copy_of_the_tool, environment, program, run, sha256

# Names whose order differs between locales and from the bytes': cases, punctuation, letters beyond ASCII.
NAMES = ("B", "a", "Z", "_", "a-b", "a.b", "ab", "aB", "ä", "z", "Ä", "é", "10", "9", "ﬁ", "\U0001d4b6")
DEFINITION = """
tags = ["same:v1"]
binaries = [{ source = "sources/hello", target = "/bin/hello" }]
files = [
  { source = "sources/tree", target = "/tree", owner = "7:8" },
  { source = "sources/tree/*", target = "/again/" },
  { target = "/said", content = "said" },
]
directories = [{ path = "/tmp", mode = "1777" }]
symlinks = { "/b" = "bin", "/a" = "tree/a" }
env = { B = "1", A = "2" }
labels = { z = "ä", a = "1" }
"""
# Of the layer and the archive of the definition above. They change with what is written, never with who writes it.
GOLDEN = {
    "layer.tar": "87cba778e13b8b4839cd35b4313311bc7fbe7da9339826075619519884e9bc25",
    "same.tar": "fbd9db332dc18eca11caf5e790854a3414830db8a38fc11ce5591fb4cb875f27",
}


@dataclass
class Way:
    """One way to build: everything that must not matter."""

    umask: int = 0o022
    env: dict[str, str] = field(default_factory=dict)
    order: int = 1
    arguments: tuple[str, ...] = ()
    user: int = 0
    python: str = sys.executable


def sources(folder: Path, order: int) -> None:
    """Make the sources in one order or the other."""
    tree = folder / "tree"
    (tree / "below").mkdir(parents=True)
    for name in NAMES[::order]:
        (tree / name).write_text(f"{name}\n", encoding="utf-8")
        (tree / name).chmod(0o644)
        (tree / "below" / name).symlink_to(f"../{name}")
    (tree / "very long name ".ljust(140, "x")).write_text("long")
    (tree / "very long name ".ljust(140, "x")).chmod(0o600)
    (folder / "hello").write_bytes(program())
    for path, mode in ((tree, 0o755), (tree / "below", 0o711), (folder / "hello", 0o755)):
        path.chmod(mode)


def built(folder: Path, way: Way, dodo: Path) -> dict[str, str]:
    """Build the definition in `folder` in one way, and return what layer and archive hash to."""
    configs = folder / "configs"
    configs.mkdir(parents=True)
    sources(configs / "sources", way.order)
    (configs / "same.toml").write_text(DEFINITION, encoding="utf-8")
    (folder / "cache").mkdir()
    if way.user:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, way.user, way.user, follow_symlinks=False)
    command = [way.python, "-m", "doit", *way.arguments, "build", f"configs={configs}", f"cache={folder / 'cache'}"]
    ended = subprocess.run(
        command,
        env=environment(DOIT_FILE=str(dodo), **way.env),
        cwd=folder,
        capture_output=True,
        text=True,
        umask=way.umask,
        user=way.user or None,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return {name: sha256(folder / "cache/same" / name) for name in GOLDEN}


WAYS = {
    "plain": Way(),
    "umask 000": Way(umask=0),
    "umask 077": Way(umask=0o077),
    "other order, time zone, locale and hash seed": Way(
        order=-1, env={"TZ": "Asia/Tokyo", "LC_ALL": "C", "PYTHONHASHSEED": "4711"}
    ),
    "a locale with UTF-8, two threads": Way(env={"LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "0"}, arguments=("-n", "2")),
    "optimised": Way(env={"PYTHONOPTIMIZE": "2", "TZ": "America/St_Johns"}),
}


@pytest.mark.parametrize("how", WAYS)
def test_the_bytes_are_the_golden_ones(how: str, tmp_path: Path, dodo: Path) -> None:
    folder = tmp_path / f"in {how}"
    assert built(folder, WAYS[how], dodo) == GOLDEN


@pytest.fixture
def open_folder() -> Path:
    """A folder that every user of this machine may read, with a copy of the tool in it."""
    folder = Path(tempfile.mkdtemp(prefix="scratchbuild-"))
    folder.chmod(0o755)
    return folder


def packages() -> str:
    """Return the folder where doit is installed."""
    import doit  # noqa: PLC0415  # only here

    return str(Path(doit.__file__).parents[1])


STAND_IN = '''"""Stands in for xxhash where it is not installed: what it hashes reaches no byte of an image."""
import hashlib


class xxh3_128:
    def __init__(self, data=b""):
        self._hash = hashlib.blake2b(bytes(data), digest_size=16)

    def update(self, data):
        self._hash.update(data)

    def digest(self):
        return self._hash.digest()

    def hexdigest(self):
        return self._hash.hexdigest()


def xxh3_128_hexdigest(data):
    return xxh3_128(data).hexdigest()
'''


def path_for(python: str, folder: Path) -> str:
    """Return the PYTHONPATH that gives another Python doit, and xxhash or what stands in for it."""
    shutil.copytree(Path(packages()) / "doit", folder / "packages/doit")
    shutil.copytree(Path(packages()) / "xxhash", folder / "packages/xxhash")
    path = str(folder / "packages")
    tried = subprocess.run(
        [python, "-c", "import xxhash, doit"], env={"PYTHONPATH": path}, capture_output=True, check=False
    )
    if tried.returncode:
        shutil.rmtree(folder / "packages/xxhash")
        (folder / "packages/xxhash.py").write_text(STAND_IN)
    return path


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_gives_the_same_bytes(version: str, tmp_path: Path, dodo: Path) -> None:
    python = other_python(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    way = Way(python=python, env={"PYTHONPATH": path_for(python, tmp_path)})
    assert built(tmp_path / "project", way, dodo) == GOLDEN


def other_python(version: str) -> str | None:
    """Return a Python of this version, if the machine has one."""
    candidates = [
        shutil.which(f"python{version}"),
        *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python")),
    ]
    for candidate in filter(None, candidates):
        tried = subprocess.run([candidate, "-c", "import ctypes, sys"], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_gives_the_same_bytes(open_folder: Path) -> None:
    try:
        nobody = 65534
        python = next(
            (name for name in (sys.executable, "/usr/bin/python3") if runs_as(nobody, name)),
            None,
        )
        if python is None:
            pytest.skip("no Python here that an ordinary user may start")
        dodo = copy_of_the_tool(open_folder / "tool")
        way = Way(user=nobody, python=python, env={"PYTHONPATH": path_for(python, open_folder), "HOME": "/nonexistent"})
        assert built(open_folder / "project", way, dodo) == GOLDEN
    finally:
        shutil.rmtree(open_folder)


def runs_as(user: int, python: str) -> bool:
    """Whether a user may start this Python, and it is new enough."""
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    try:
        return subprocess.run([python, "-c", check], user=user, capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def test_the_time_of_the_image_may_come_from_the_environment(tmp_path: Path, dodo: Path) -> None:
    shop = Workshop(tmp_path, dodo)
    shop.source("hello", program())
    shop.define("tiny", 'binaries = ["SRC/hello"]\n')
    shop.build()
    first = shop.digests()
    assert shop.build(env={"SOURCE_DATE_EPOCH": "1750000000"}).stages("tiny") == [
        "layer",
        "digest",
        "config",
        "archive",
    ]
    assert shop.digests() != first
    assert shop.build(env={"SOURCE_DATE_EPOCH": "1750000000"}).ran == []
    shop.build()
    assert shop.digests() == first


def test_a_build_does_not_depend_on_where_the_command_is_typed(tmp_path: Path, dodo: Path) -> None:
    way = Way()
    first = built(tmp_path / "one", way, dodo)
    command = [way.python, "-m", "doit", "build", "configs=one/configs", "cache=two"]
    ended = run(command, environment(DOIT_FILE=str(dodo)), tmp_path)
    assert ended.status == 0
    assert {name: sha256(tmp_path / "two/same" / name) for name in GOLDEN} == first
