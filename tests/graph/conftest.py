"""A workshop: definitions, sources and a cache of one test's own, built by the real `doit` in a process of its own."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

REPOSITORY = Path(__file__).parents[2]
BUILT = ("rootfs", "binaries", "libraries", "layer", "digest", "config", "manifest", "archive")
# A stage's line: its name, the image, how long it took, and why it ran.
_LINE = re.compile(r"(\w+) +(\S+) +(?:\d+ ms|[0-9.]+ s)(?:  (.*))?")
# Imprints of younger files are not believed without a look inside (state/imprint.py, RACY_NANOSECONDS).
SETTLED_SECONDS = 0.06


def environment(**changed: str) -> dict[str, str]:
    """Return this process's environment without what would decide anything here, and with `changed`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOIT_", "PYTHON"))}
    for name in ("SOURCE_DATE_EPOCH", "NO_COLOR", "LD_LIBRARY_PATH", "DOCKER_HOST", "DOCKER_CONTEXT"):
        kept.pop(name, None)
    return kept | changed


def program(text: str = "hello\n", status: int = 0) -> bytes:
    """Return a static program for x86-64 Linux, byte by byte: it prints `text` and ends with `status`."""
    data = text.encode()
    code = struct.pack("<BIBI", 0xB8, 1, 0xBF, 1)  # mov eax, write; mov edi, stdout
    code += b"\x48\x8d\x35" + struct.pack("<i", 19) + b"\xba" + struct.pack("<I", len(data))  # lea rsi, data; mov edx
    code += b"\x0f\x05" + struct.pack("<BIBI", 0xB8, 60, 0xBF, status) + b"\x0f\x05"  # syscall; exit(status)
    code += data
    base, headers = 0x400000, 64 + 56
    size = headers + len(code)
    head = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 62, 1, base + headers, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, base, base, size, size, 0x1000) + code


def sha256(path: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def settle() -> None:
    """Wait until what was written is older than the clock's tick."""
    time.sleep(SETTLED_SECONDS)


@dataclass
class Run:
    """How one `doit` ended."""

    status: int
    out: str
    err: str
    ran: list[str] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.out.splitlines():
            match = _LINE.fullmatch(line)
            if match and match[1] in {*BUILT, "load", "verify", "task"}:
                name = f"{match[1]}:{match[2]}" if match[1] != "task" else match[2]
                self.ran.append(name)
                self.reasons[name] = match[3] or ""

    def stages(self, image: str) -> list[str]:
        """Return the stages that ran for an image, in order."""
        return [name.partition(":")[0] for name in self.ran if name.endswith(f":{image}")]


@dataclass
class Workshop:
    """One test's folder: `configs`, `cache` and `src`, and the dodo.py that works on them."""

    folder: Path
    dodo: Path
    python: str = sys.executable
    launcher: Path | None = None
    env: dict[str, str] = field(default_factory=environment)

    def __post_init__(self) -> None:
        for name in ("configs", "src"):
            (self.folder / name).mkdir(exist_ok=True)

    @property
    def configs(self) -> Path:
        """The folder of definitions."""
        return self.folder / "configs"

    @property
    def cache(self) -> Path:
        """The folder that everything is built in."""
        return self.folder / "cache"

    @property
    def src(self) -> Path:
        """The folder of what is packed."""
        return self.folder / "src"

    def source(self, name: str, data: bytes | str = "", mode: int = 0o755) -> Path:
        """Make a source."""
        path = self.src / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        path.chmod(mode)
        return path

    def define(self, name: str, text: str, tag: str = "") -> Path:
        """Write a definition; `tags` is added, and SRC in it is the folder of sources."""
        path = self.configs / f"{name}.toml"
        head = f'tags = ["{tag or name + ":v1"}"]\n'
        path.write_text(head + text.replace("SRC", str(self.src)), encoding="utf-8")
        return path

    def image(self, name: str) -> Path:
        """Return the folder that an image is built in."""
        return self.cache / name

    def archive(self, name: str) -> Path:
        """Return an image's archive."""
        return self.image(name) / f"{name}.tar"

    def command(self, *arguments: str) -> list[str]:
        """Return the command of one run."""
        doit = ["-P", str(self.launcher)] if self.launcher else ["-m", "doit"]
        return [self.python, *doit, *arguments, f"configs={self.configs}", f"cache={self.cache}"]

    def start(self, *arguments: str, stdout: int | IO[bytes] = subprocess.PIPE) -> subprocess.Popen[bytes]:
        """Start one run in a process group of its own, and do not wait for it."""
        # Such a run may be interrupted, and then coverage waits for a lock of its own that nobody gives back.
        kept = {name: value for name, value in self.env.items() if not name.startswith("COVERAGE_")}
        return subprocess.Popen(
            self.command(*arguments),
            env=kept | {"DOIT_FILE": str(self.dodo)},
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            start_new_session=True,
        )

    def doit(self, *arguments: str, env: Mapping[str, str] | None = None, cwd: Path | None = None) -> Run:
        """Run `doit` to its end."""
        return run(
            self.command(*arguments), self.env | {"DOIT_FILE": str(self.dodo)} | dict(env or {}), cwd or self.folder
        )

    def build(self, *arguments: str, env: Mapping[str, str] | None = None) -> Run:
        """Run `doit build`, which must end well."""
        ended = self.doit(*arguments, "build", env=env)
        assert ended.status == 0, ended.out + ended.err
        return ended

    def clean_build(self) -> dict[str, str]:
        """Build the same definitions in an empty cache, and return the digest of every archive and layer."""
        other = self.folder / "other cache"
        shutil.rmtree(other, ignore_errors=True)
        command = [*self.command("build")[:-1], f"cache={other}"]
        ended = run(command, self.env | {"DOIT_FILE": str(self.dodo)}, self.folder)
        assert ended.status == 0, ended.out + ended.err
        found = digests(other)
        shutil.rmtree(other)
        return found

    def digests(self) -> dict[str, str]:
        """Return the digest of every archive and layer in the cache."""
        return digests(self.cache)


def run(command: list[str], env: Mapping[str, str], cwd: Path) -> Run:
    """Run a command to its end."""
    ended = subprocess.run(
        command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False
    )
    return Run(ended.returncode, ended.stdout, ended.stderr)


def digests(cache: Path) -> dict[str, str]:
    """Return the digest of every archive and layer in a cache, by its path there."""
    return {str(path.relative_to(cache)): sha256(path) for path in sorted(cache.glob("*/*.tar"))}


def copy_of_the_tool(folder: Path) -> Path:
    """Copy what a build needs of a clone, so that nobody edits it during a test; return its dodo.py."""
    folder.mkdir()
    shutil.copy2(REPOSITORY / "dodo.py", folder)
    for name in ("tasks", "scratchbuild"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / name, folder / name, symlinks=True, ignore=ignored)
    return folder / "dodo.py"


@pytest.fixture(scope="session")
def dodo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The dodo.py of a copy of the repository."""
    return copy_of_the_tool(tmp_path_factory.mktemp("tool") / "scratchbuild")


@pytest.fixture
def shop(tmp_path: Path, dodo: Path) -> Workshop:
    """An empty workshop."""
    return Workshop(tmp_path, dodo)


@pytest.fixture
def tiny(shop: Workshop) -> Workshop:
    """A workshop with one built image: a static program, a text file, a label and an environment."""
    shop.source("hello", program())
    shop.source("note.txt", "a note\n", 0o644)
    shop.define(
        "tiny",
        """
        binaries = [{ source = "SRC/hello", target = "/bin/hello" }]
        files = [{ source = "SRC/note.txt", target = "/etc/note" }, { target = "/etc/said", content = "said\\n" }]
        directories = [{ path = "/tmp", mode = "1777" }]
        symlinks = { "/hello" = "bin/hello" }
        env = { WHO = "world" }
        labels = { a = "1" }
        """,
    )
    settle()
    assert shop.build().stages("tiny") == list(BUILT)
    settle()
    return shop


@pytest.fixture(scope="session")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program that needs libf.so, and two such libraries that differ.

    `app` looks for it in `first` and `second` beside it, and only `second` has it.
    """
    folder = tmp_path_factory.mktemp("compiled")
    (folder / "f.c").write_text("int f(void) { return NUMBER; }\n")
    (folder / "app.c").write_text(
        "int f(void);\nvoid _start(void) { __builtin_trap(); }\nint uses(void) { return f(); }\n"
    )
    shared = ["gcc", "-shared", "-nostdlib", "-fPIC", "f.c", "-Wl,-soname,libf.so"]
    for name in ("second", "other"):
        (folder / name).mkdir()
        number = {"second": 2, "other": 1}[name]
        subprocess.run([*shared, f"-DNUMBER={number}", "-o", f"{name}/libf.so"], cwd=folder, check=True)
    dynamic = ["gcc", "-nostdlib", "-pie", "-fPIE", "app.c", "-Lsecond", "-lf", "-Wl,--no-as-needed"]
    dynamic += ["-Wl,--enable-new-dtags,-rpath,$ORIGIN/first:$ORIGIN/second", "-o", "app"]
    subprocess.run(dynamic, cwd=folder, check=True)
    return folder


@pytest.fixture
def dynamic(shop: Workshop, compiled: Path) -> Workshop:
    """A workshop with one built image: a program and the library that it needs."""
    shutil.copytree(compiled, shop.src, dirs_exist_ok=True)
    shop.define("app", 'binaries = ["SRC/app"]\n')
    settle()
    assert shop.build().stages("app") == list(BUILT)
    settle()
    return shop
