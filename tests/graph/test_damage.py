"""Whatever happens to what was built, the next build mends it, with no more work than that needs."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from scratchbuild.state import seal
from scratchbuild.state.imprint import Imprints
from tests.graph.conftest import BUILT, Workshop, program, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MAKER = {
    "rootfs": "rootfs",
    "rootfs/tmp": "rootfs",
    "rootfs/hello": "rootfs",
    "rootfs.json": "rootfs",
    "rootfs/bin": "binaries",
    "rootfs/bin/hello": "binaries",
    "rootfs/etc/said": "binaries",
    "binaries.json": "binaries",
    "rootfs/lib/libf.so": "libraries",
    "libraries.json": "libraries",
    "layer.tar": "layer",
    "layer.tar.sha256": "digest",
    "config.json": "config",
    "manifest.json": "manifest",
    "app.tar": "archive",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dodo: Path, compiled: Path) -> Workshop:
    """A workshop with one built image: a program, its library, and something of every other kind."""
    shop = Workshop(tmp_path_factory.mktemp("damage"), dodo)
    shutil.copytree(compiled, shop.src, dirs_exist_ok=True)
    shop.define(
        "app",
        """
        binaries = [{ source = "SRC/app", target = "/bin/hello" }]
        directories = ["/tmp"]
        symlinks = { "/hello" = "bin/hello" }
        files = [{ target = "/etc/said", content = "said\\n" }]
        libraries = { layout = "/lib" }
        """,
    )
    settle()
    assert shop.build().stages("app") == list(BUILT)
    settle()
    return shop


@pytest.fixture
def shop(built: Workshop) -> Iterator[Workshop]:
    """The built workshop; after the test the bytes must be what they were before it."""
    first = built.digests()
    settle()
    yield built
    assert built.digests() == first
    assert built.build().ran == []
    assert built.digests() == first


def tree(folder: Path) -> list[str]:
    """Return every path below a folder that is no state, with its kind, mode and link text."""
    found = []
    for path in sorted(folder.rglob("*")):
        if ".seals" in path.parts:
            continue
        kind = f"-> {os.readlink(path)}" if path.is_symlink() else "/" if path.is_dir() else ""
        found.append(f"{path.relative_to(folder)} {path.lstat().st_mode:o} {kind}")
    return found


def removed(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def truncated(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def edited(path: Path) -> None:
    """Flip the last byte, and set the time back."""
    status = path.stat()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def chmodded(path: Path) -> None:
    path.chmod(path.stat().st_mode ^ 0o101)


def linked(path: Path) -> None:
    """Replace what is there by a link to an equal copy elsewhere."""
    copy = path.parent.parent / "copy of it"
    removed_copy = path.rename(copy)
    path.symlink_to(removed_copy)


def folder_instead(path: Path) -> None:
    removed(path)
    (path / "deep").mkdir(parents=True)
    (path / "deep/file").write_text("x")


FILES = [name for name in MAKER if name not in {"rootfs", "rootfs/tmp", "rootfs/bin", "rootfs/hello"}]
DAMAGES: list[tuple[Callable[[Path], None], list[str]]] = [
    (removed, list(MAKER)),
    (truncated, FILES),
    (edited, FILES),
    (chmodded, FILES),
    (linked, [*FILES, "rootfs/bin"]),
    (folder_instead, ["rootfs/hello", "rootfs/bin/hello", "libraries.json", "layer.tar", "config.json", "app.tar"]),
]


@pytest.mark.engine("gcc")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda pair: pair[0].__name__)
def test_damage_is_mended_by_the_stage_that_made_it(
    shop: Workshop, damage: tuple[Callable[[Path], None], list[str]]
) -> None:
    act, names = damage
    before = tree(shop.image("app"))
    first = shop.digests()
    for name in names:
        act(shop.image("app") / name)
        ran = shop.build().stages("app")
        assert MAKER[name] in ran, name
        allowed = set(BUILT) if name == "rootfs" else {MAKER[name], "layer"}
        assert set(ran) <= allowed, (name, ran)
        assert shop.digests() == first, name
        copy = (shop.image("app") / name).parent.parent / "copy of it"
        if act is linked and copy.exists() and "rootfs" not in copy.relative_to(shop.image("app").parent).parts:
            removed(copy)
        assert tree(shop.image("app")) == before, name


@pytest.mark.engine("gcc")
def test_a_stray_file_in_the_staged_tree_is_not_in_the_image_and_goes(shop: Workshop) -> None:
    before = tree(shop.image("app"))
    root = shop.image("app") / "rootfs"
    (root / "stray").write_text("x")
    (root / "bin/stray folder/below").mkdir(parents=True)
    (root / "tmp/stray").symlink_to("/etc")
    assert set(shop.build().stages("app")) == {"layer"}
    assert tree(shop.image("app")) == before


@pytest.mark.engine("gcc")
def test_a_link_out_of_the_staged_tree_leads_nobody_out(shop: Workshop) -> None:
    outside = shop.folder / "outside"
    outside.mkdir()
    (outside / "hello").write_text("not ours")
    removed(shop.image("app") / "rootfs/bin")
    (shop.image("app") / "rootfs/bin").symlink_to(outside)
    shop.build()
    assert [path.name for path in outside.iterdir()] == ["hello"]
    assert (outside / "hello").read_text() == "not ours"
    removed(outside)


@pytest.mark.engine("gcc")
def test_a_removed_seal_runs_its_stage_and_no_other(shop: Workshop) -> None:
    for name in BUILT:
        (shop.image("app") / f".seals/{name}.json").unlink()
        assert shop.build().stages("app") == [name]


@pytest.mark.engine("gcc")
def test_a_damaged_seal_runs_its_stage_and_no_other(shop: Workshop) -> None:
    seals = shop.image("app") / ".seals"
    damages = (
        b"",
        b"\0" * 4096,
        b"[]",
        b"null",
        b"{}",
        b'{"version":1,"uses":[],"read":[],"made":[],"seconds":[]}',
        b'{"version":1,"uses":{},"read":{"a":[]},"made":{},"seconds":0}',
        b'{"version":1,"uses":{},"read":{"a":5},"made":{"b":"c"},"seconds":0}',
        b'{"version":1,"uses":{},"read":{},"made":{},"seconds":1e999}',
        b"\xff\xfe{}",
        b"[" * 100_000,
    )
    for damage in damages:
        (seals / "config.json").write_bytes(damage)
        ended = shop.build()
        assert ended.stages("app") == ["config"], damage[:80]
        assert ended.err == ""


@pytest.mark.engine("gcc")
def test_a_seal_that_is_a_folder_or_a_link_is_none(shop: Workshop) -> None:
    path = shop.image("app") / ".seals/config.json"
    folder_instead(path)
    assert shop.build().stages("app") == ["config"]
    outside = shop.folder / "outside.json"
    outside.write_bytes(b"not ours")
    path.unlink()
    path.symlink_to(outside)
    assert shop.build().stages("app") == ["config"]
    assert outside.read_bytes() == b"not ours"
    assert not path.is_symlink()


@pytest.mark.engine("gcc")
def test_a_seal_cut_at_any_length_is_stale(shop: Workshop, tmp_path: Path) -> None:
    whole = (shop.image("app") / ".seals/archive.json").read_bytes()
    found = seal.load(str(shop.image("app") / ".seals/archive.json"))
    assert found is not None
    cut = tmp_path / "archive.json"
    cut.write_bytes(whole)
    assert seal.check(str(cut), found.uses, Imprints()).fresh
    for length in range(len(whole)):
        cut.write_bytes(whole[:length])
        verdict = seal.check(str(cut), found.uses, Imprints())
        assert not verdict.fresh, length
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        (shop.image("app") / ".seals/archive.json").write_bytes(whole[:length])
        assert shop.build().stages("app") == ["archive"]


@pytest.mark.engine("gcc")
def test_everything_but_the_seals_may_be_gone_or_everything_but_the_files(shop: Workshop) -> None:
    for path in list(shop.image("app").iterdir()):
        if path.name != ".seals":
            removed(path)
    shop.build()
    removed(shop.image("app") / ".seals")
    assert shop.build().stages("app") == list(BUILT)
    removed(shop.image("app"))
    assert shop.build().stages("app") == list(BUILT)


def test_targets_made_of_other_inputs_than_their_record_says_are_made_again(tmp_path: Path, dodo: Path) -> None:
    tiny = Workshop(tmp_path, dodo)
    tiny.source("hello", program())
    tiny.define("tiny", 'binaries = ["SRC/hello"]')
    tiny.build()
    first, before = tiny.digests(), tiny.image("tiny")
    settle()
    kept = tiny.folder / "kept"
    shutil.copytree(before / ".seals", kept, symlinks=True)
    tiny.source("hello", program("another\n"))
    tiny.build()
    assert tiny.digests() != first
    shutil.rmtree(before / ".seals")
    shutil.copytree(kept, before / ".seals", symlinks=True)
    tiny.source("hello", program())
    tiny.build()
    assert tiny.digests() == first == tiny.clean_build()
