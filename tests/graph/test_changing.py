"""A source that somebody writes while it is read: an error or a build that is seen to be old, never mixed bytes."""

from __future__ import annotations

import tarfile
import threading
from typing import TYPE_CHECKING, Self

from tests.graph.conftest import program, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.graph.conftest import Workshop

SIZE = 8 << 20
ROUNDS = 12


def content(number: int) -> bytes:
    """Return one whole version of the source: every block says the same number."""
    return f"{number:016d}".encode() * (SIZE // 16)


def is_whole(data: bytes) -> bool:
    return data == data[:16] * (SIZE // 16)


class Writer:
    """Rewrites a file in place, over and over, the size unchanged, until it is stopped."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.versions = 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _write(self) -> None:
        with self._path.open("r+b", buffering=0) as file:
            while not self._end.is_set():
                self.versions += 1
                file.seek(0)
                data = content(self.versions)
                for start in range(0, SIZE, 1 << 16):
                    file.write(data[start : start + (1 << 16)])
                self._end.wait(0.005)


def layer_content(shop: Workshop) -> bytes:
    with tarfile.open(shop.image("big") / "layer.tar") as layer:
        file = layer.extractfile("big")
        assert file is not None
        return file.read()


def test_what_is_packed_is_one_version_or_the_next_build_packs_another(shop: Workshop) -> None:
    source = shop.source("big", content(0), 0o644)
    shop.source("hello", program())
    shop.define("big", 'binaries = ["SRC/hello"]\nfiles = [{ source = "SRC/big", target = "/big" }]\n')
    failed = built = 0
    for _ in range(ROUNDS):
        with Writer(source):
            ended = shop.doit("build")
        assert "Traceback" not in ended.err
        if ended.status:
            failed += 1
            assert f"{source} changed while it was being copied" in ended.err
            continue
        built += 1
        staged = (shop.image("big") / "rootfs/big").read_bytes()
        assert layer_content(shop) == staged
        if staged != source.read_bytes():
            assert "binaries" in shop.build().stages("big")
            assert layer_content(shop) == source.read_bytes()
    assert failed + built == ROUNDS
    settle()
    shop.build()
    assert layer_content(shop) == source.read_bytes()
    assert is_whole(layer_content(shop))
    assert shop.digests() == shop.clean_build()


def test_a_source_that_is_replaced_again_and_again_is_whole_in_every_image(shop: Workshop) -> None:
    source = shop.source("big", content(0), 0o644)
    shop.source("hello", program())
    shop.define("big", 'binaries = ["SRC/hello"]\nfiles = [{ source = "SRC/big", target = "/big" }]\n')
    end = threading.Event()

    def replace() -> None:
        number = 0
        while not end.is_set():
            number += 1
            (shop.src / "new").write_bytes(content(number))
            (shop.src / "new").replace(source)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        for _ in range(ROUNDS // 2):
            ended = shop.doit("build")
            assert "Traceback" not in ended.err
            if not ended.status:
                assert is_whole(layer_content(shop))
                assert layer_content(shop) == (shop.image("big") / "rootfs/big").read_bytes()
    finally:
        end.set()
        thread.join()
    settle()
    shop.build()
    assert layer_content(shop) == source.read_bytes()
