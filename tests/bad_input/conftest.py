"""A project with one good image, built by the real `doit`; tests break it, see what is said, and mend it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

REPOSITORY = Path(__file__).parents[2]
GOOD = 'tags = ["hello:v1"]\nbinaries = ["../src/hello"]\n'
# Root without the two capabilities that let it read and write everything (capabilities(7)).
_DROPPED = "-dac_override,-dac_read_search"
AS_ORDINARY_USER = ("setpriv", f"--inh-caps={_DROPPED}", f"--bounding-set={_DROPPED}") if os.geteuid() == 0 else ()

HELLO = r"""
void _start(void)
{
    static const char text[] = "hello\n";
    long result;
    __asm__ volatile("syscall" : "=a"(result) : "0"(1L), "D"(1L), "S"(text), "d"(6L) : "rcx", "r11", "memory");
    __asm__ volatile("syscall" : : "a"(60L), "D"(0L));
}
"""


def environment(**changed: str) -> dict[str, str]:
    """Return this process's environment without what would decide anything here, and with `changed`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOIT_", "PYTHON"))}
    for name in ("SOURCE_DATE_EPOCH", "NO_COLOR", "LD_LIBRARY_PATH", "DOCKER_HOST", "DOCKER_CONTEXT"):
        kept.pop(name, None)
    return kept | changed


@dataclass
class Run:
    """How one `doit` ended."""

    status: int
    out: str
    err: str


@dataclass
class Project:
    """A project of a person's own: dodo.py, `configs`, `src`, and `cache`, in which `hello` was built well."""

    folder: Path
    tool: Path
    good: str = ""
    env: dict[str, str] = field(default_factory=environment)

    @property
    def src(self) -> Path:
        """The folder of what is packed."""
        return self.folder / "src"

    @property
    def configs(self) -> Path:
        """The folder of definitions."""
        return self.folder / "configs"

    @property
    def cache(self) -> Path:
        """The folder that everything is built in."""
        return self.folder / "cache"

    @property
    def archive(self) -> Path:
        """The archive of the image `hello`."""
        return self.cache / "hello" / "hello.tar"

    def define(self, text: str, name: str = "hello") -> Path:
        """Write a definition; one that says no tags gets `NAME:v1`."""
        path = self.configs / f"{name}.toml"
        path.write_text(text if "tags" in text else f'tags = ["{name}:v1"]\n{text}', encoding="utf-8")
        return path

    def source(self, name: str, data: bytes | str = "", mode: int = 0o755) -> Path:
        """Make a file below `src`."""
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        return path

    def doit(
        self,
        *arguments: str,
        cache: str = "cache",
        before: Sequence[str] = (),
        env: dict[str, str] | None = None,
        configs: str = "configs",
    ) -> Run:
        """Run `doit` to its end; `before` is what starts it."""
        ended = subprocess.run(
            [*before, sys.executable, "-m", "doit", *arguments, f"configs={configs}", f"cache={cache}"],
            env=self.env | {"PYTHONPATH": str(self.tool)} | (env or {}),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="surrogateescape",
            timeout=60,
            check=False,
        )
        return Run(ended.returncode, ended.stdout, ended.stderr)

    def refuses(
        self,
        definition: str | None,
        message: str,
        *,
        before: Sequence[str] = (),
        env: dict[str, str] | None = None,
    ) -> Run:
        """Build a broken project: exactly `message` is said, nothing is half-made, the last good image stays.

        `definition` None leaves the definition: something else is broken then.
        """
        if definition is not None:
            self.define(definition)
        run = self.doit("build", before=before, env=env)
        assert errors(run.err) == errors(message)
        assert run.status == 2, run.out
        assert "hello:v1  " not in run.out, "no line of a finished image"
        self.assert_last_good()
        return run

    def assert_last_good(self) -> None:
        """Assert that the last good archive is in place, and that nothing half-made lies about."""
        assert sha256(self.archive) == self.good
        assert partials(self.folder) == []

    def assert_mended(self) -> None:
        """Assert that the good definition gives the bytes of a clean build."""
        self.define(GOOD)
        run = self.doit("build")
        assert (run.status, run.err) == (0, "")
        assert sha256(self.archive) == self.good
        assert sorted(path.name for path in (self.cache / "hello" / "rootfs").rglob("*")) == ["bin", "hello"]


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def errors(text: str) -> list[str]:
    """Return the errors of some images in a fixed order: doit takes images as they come."""
    return sorted(f"\n{text.rstrip()}".split("\nerror: "))


def partials(folder: Path) -> list[Path]:
    """Return what a killed writer would have left behind."""
    return [path for path in folder.rglob("*") if path.name.endswith(".partial")]


@pytest.fixture(scope="session")
def tool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a copy of the program, so that nobody edits it during a test."""
    folder = tmp_path_factory.mktemp("tool")
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tasks", "scratchbuild"):
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True, ignore=ignored)
    shutil.copy2(REPOSITORY / "dodo.py", folder)
    return folder


@pytest.fixture(scope="session")
def hello(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A static program for x86-64 that prints hello."""
    folder = tmp_path_factory.mktemp("hello")
    (folder / "hello.c").write_text(HELLO, encoding="utf-8")
    flags = ["-Os", "-static", "-nostdlib", "-s", "-Wl,-z,noseparate-code", "-Wl,--build-id=none"]
    subprocess.run(["gcc", *flags, "hello.c", "-o", "hello"], cwd=folder, check=True)
    return (folder / "hello").read_bytes()


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory, tool: Path, hello: bytes) -> str:
    """The digest of the good image's archive, from a clean build in a folder of its own."""
    project = _made(Project(tmp_path_factory.mktemp("clean"), tool), hello)
    run = project.doit("build")
    assert (run.status, run.err) == (0, "")
    return sha256(project.archive)


def _made(project: Project, hello: bytes) -> Project:
    (project.folder / "dodo.py").write_text("from scratchbuild.dodo import *\n", encoding="utf-8")
    for folder in (project.configs, project.src):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
    project.source("hello", hello)
    project.define(GOOD)
    return project


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, tool: Path, hello: bytes, clean: str) -> Project:
    """The good project, built; one for all tests of a module."""
    project = _made(Project(tmp_path_factory.mktemp("project"), tool, clean), hello)
    project.assert_mended()
    return project


@pytest.fixture
def project(built: Project, hello: bytes) -> Iterator[Project]:
    """The good project, in which a test may break what it likes; it is mended, and built again, afterwards."""
    yield _made(built, hello)
    _made(built, hello).assert_mended()


@pytest.fixture(name="errors")
def told() -> Callable[[str], list[str]]:
    """What returns the errors of a text in a fixed order."""
    return errors


@pytest.fixture
def ordinary_user() -> tuple[str, ...]:
    """What starts a program as somebody whom permissions bind."""
    return AS_ORDINARY_USER


@pytest.fixture
def fresh(tmp_path: Path, tool: Path, hello: bytes, clean: str) -> Project:
    """A good project of one test's own, not built yet."""
    return _made(Project(tmp_path, tool, clean), hello)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount small file systems with the options given; skipped where that is not allowed."""
    mounted: list[Path] = []

    def mount(options: str) -> Path:
        folder = tmp_path / f"disk{len(mounted)}"
        folder.mkdir()
        ended = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder], capture_output=True, text=True, check=False
        )
        if ended.returncode:
            pytest.skip(f"cannot mount a small disk here: {ended.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)
