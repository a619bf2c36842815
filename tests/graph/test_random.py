"""Edits, damage and kills in any order: after every build the images are a clean build's, and nothing is left to do."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import program

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.graph.conftest import Workshop

ROUNDS = 15
NAMES = ("a", "b", "c")
TEXTS = ("one.", "two.", "tre.")


class Chaos:
    """Two images over three programs and a folder, and everything that may happen to them."""

    def __init__(self, shop: Workshop, seed: int) -> None:
        self.shop = shop
        self.any = random.Random(seed)  # noqa: S311  # no secret
        self.images: dict[str, dict[str, str]] = {}
        for name in NAMES:
            self._write(name, "one.")
        shop.source("tree/f", "x")
        for name in ("x", "y"):
            self.define(name)

    def define(self, name: str, **changed: str) -> None:
        """Write a definition, one or another detail of it changed."""
        usual = {"bins": "a", "tree": "/tree", "layer": "layer.tar", "label": "1"}
        self.images[name] = parts = {**usual, **self.images.get(name, {}), **changed}
        binaries = ", ".join(f'{{ source = "SRC/{one}", target = "/bin/{one}" }}' for one in parts["bins"])
        self.shop.define(
            name,
            f'binaries = [{binaries}]\nfiles = [{{ source = "SRC/tree", target = "{parts["tree"]}" }}]\n'
            f'layer_name = "{parts["layer"]}"\nlabels = {{ a = "{parts["label"]}" }}\n',
        )

    def _write(self, name: str, text: str) -> None:
        (self.shop.src / name).unlink(missing_ok=True)
        self.shop.source(name, program(text))

    def edit_source(self) -> str:
        """Change one of the programs, or what is known of it."""
        path = self.shop.src / self.any.choice(NAMES)
        others = [name for name in NAMES if name != path.name and not (self.shop.src / name).is_symlink()]
        how = self.any.randrange(6)
        if how == 0 or path.is_symlink() or not others:
            self._write(path.name, self.any.choice(TEXTS))
        elif how == 1:
            status = path.stat()
            path.write_bytes(program(self.any.choice(TEXTS)))
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif how == 2:
            path.touch()
        elif how == 3:
            path.chmod(self.any.choice([0o755, 0o700, 0o711]))
        else:
            path.unlink()
            other = self.shop.src / self.any.choice(others)
            if how == 4:
                path.symlink_to(other.name)
            else:
                os.link(other, path)
        return f"source {path.name} {how}"

    def edit_tree(self) -> str:
        """Change a file of the folder, or take it away."""
        path = self.shop.src / "tree" / self.any.choice("fgh")
        if path.exists() and self.any.randrange(2):
            path.unlink()
        else:
            self.shop.source(f"tree/{path.name}", self.any.choice(TEXTS))
        return f"tree {path.name}"

    def edit_definition(self) -> str:
        """Change a detail of a definition, take it away, or bring it back."""
        name = self.any.choice("xy")
        if self.any.randrange(4) == 0 and len(self.images) == 2:
            del self.images[name]
            (self.shop.configs / f"{name}.toml").unlink()
            return f"no {name}"
        changes = {
            "bins": "".join(self.any.sample(NAMES, self.any.randint(1, 3))),
            "tree": self.any.choice(["/tree", "/t2", "/bin/tree"]),
            "layer": self.any.choice(["layer.tar", "demo.tar", "z.tar"]),
            "label": self.any.choice("123"),
        }
        key = self.any.choice(list(changes))
        self.define(name, **{key: changes[key]})
        return f"{name} {key} {changes[key]}"

    def damage(self) -> str:
        """Spoil something that was built, be it a target or a seal."""
        paths = [path for path in self.shop.cache.rglob("*") if path.name != ".lock"]
        if not paths:
            return "nothing to spoil"
        path = self.any.choice(sorted(paths))
        how = self.any.randrange(5)
        if path.is_dir() and not path.is_symlink():
            if how < 2:
                shutil.rmtree(path)
            else:
                (path / "stray").write_text("stray")
        elif how == 0 or path.is_symlink():
            path.unlink()
        elif how == 1:
            os.truncate(path, path.stat().st_size // 2)
        elif how == 2:
            status = path.stat()
            data = bytearray(path.read_bytes() or b"x")
            data[self.any.randrange(len(data))] ^= 1
            path.write_bytes(data)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        elif how == 3:
            path.chmod(path.stat().st_mode ^ 0o101)
        else:
            path.unlink()
            path.symlink_to("/etc/passwd")
        return f"damage {how} {path}"

    def kill(self) -> str:
        """Begin a build, and end it at some moment."""
        number = self.any.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
        process = self.shop.start("-n", self.any.choice("12"), "build")
        time.sleep(self.any.uniform(0.05, 0.35))
        os.killpg(process.pid, number)
        process.communicate()
        return f"kill {number.name}"

    def happen(self) -> str:
        """Let one thing happen, and tell which."""
        usual: list[Callable[[], str]] = [self.edit_source, self.edit_tree, self.edit_definition, self.damage]
        return self.any.choice([*usual, *usual, self.kill])()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [1, 2])
def test_whatever_happened_a_build_is_a_clean_build(shop: Workshop, seed: int) -> None:
    chaos = Chaos(shop, seed)
    for _ in range(ROUNDS):
        happened = [chaos.happen() for _ in range(chaos.any.randint(1, 4))]
        ended = shop.build("-n", chaos.any.choice("12"))
        assert ended.err == "", happened
        assert shop.digests() == shop.clean_build(), happened
        assert shop.build().ran == [], happened


def test_the_stray_file_of_a_person_outside_of_the_tree_stays(tiny: Workshop) -> None:
    mine: Path = tiny.image("tiny") / "mine"
    mine.write_text("mine")
    assert tiny.build().ran == []
    tiny.source("hello", program("another\n"))
    tiny.build()
    assert mine.read_text() == "mine"
