"""A machine of one's own below a folder, and definitions that pack what is on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from scratchbuild import spec
from scratchbuild.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from scratchbuild.rootfs import Entry
    from scratchbuild.spec import Definition


class Machine:
    """A root directory: files, folders and links, made by their paths in it."""

    def __init__(self, base: Path) -> None:
        self.base = base

    @property
    def root(self) -> Root:
        """The root, as a build that begins now sees it."""
        return Root(str(self.base))

    def file(self, path: str, data: bytes = b"", mode: int = 0o644) -> None:
        """Make a file, and the folders above it."""
        real = self.base / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.write_bytes(data)
        real.chmod(mode)

    def link(self, path: str, text: str) -> None:
        """Make a symbolic link, and the folders above it."""
        real = self.base / path.lstrip("/")
        real.parent.mkdir(parents=True, exist_ok=True)
        real.symlink_to(text)

    def folder(self, path: str, mode: int = 0o755) -> None:
        """Make a folder, and those above it."""
        real = self.base / path.lstrip("/")
        real.mkdir(parents=True, exist_ok=True)
        real.chmod(mode)


class Define(Protocol):
    """Returns the definition of an image `t` with a tag and these lines."""

    def __call__(self, lines: str = "") -> Definition:
        """Return the definition."""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """An empty machine."""
    return Machine(tmp_path)


@pytest.fixture(scope="session")
def define() -> Define:
    """Return what makes a definition; one that packs nothing gets the program /hello."""

    def make(lines: str = "") -> Definition:
        packs = "" if "binaries" in lines or "files" in lines else 'binaries = ["/hello"]\n'
        return spec.parse(f'tags = ["t:v1"]\n{packs}{lines}', path="configs/t.toml", environment={})

    return make


@pytest.fixture(scope="session")
def dump() -> Callable[[Iterable[Entry]], list[str]]:
    """Return what shows entries as one line each: path, mode, owner, and where a link leads."""

    def shown(entries: Iterable[Entry]) -> list[str]:
        return [_line(entry) for entry in entries]

    return shown


def _line(entry: Entry) -> str:
    owner = f" {entry.uid}:{entry.gid}" if entry.uid or entry.gid else ""
    match entry.kind:
        case "symlink":
            return f"{entry.path} -> {entry.link}"
        case "hardlink":
            return f"{entry.path} = {entry.link}"
        case "directory":
            return f"{entry.path}/ {entry.mode:04o}{owner}"
    return f"{entry.path} {entry.mode:04o}{owner}" + (f" {entry.content!r}" if entry.content else "")
