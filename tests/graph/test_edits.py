"""One edit, one build: exactly the stages run that the edit touches, and the image is a clean build's."""

from __future__ import annotations

import ctypes
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import BUILT, Workshop, program, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What a changed source runs: its copy, the search in it, and whatever holds its bytes. Not rootfs, not manifest.
SOURCE = ["binaries", "libraries", "layer", "digest", "config", "archive"]
# What another list of entries runs: all that read it. Where they make the same bytes, nothing after them runs.
DEFINITION = """
binaries = [{ source = "SRC/hello", target = "/bin/hello" }]
directories = [{ path = "/tmp", mode = "1777" }]
symlinks = { "/hello" = "bin/hello" }
env = { WHO = "world" }
labels = { a = "1" }
files = [
  { source = "SRC/note.txt", target = "/etc/note" },
  { source = "SRC/link.txt", target = "/etc/linked" },
  { source = "SRC/tree", target = "/tree" },
  { source = "SRC/parts/*.conf", target = "/parts/" },
  { target = "/etc/said", content = "said\\n" },
]
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, dodo: Path) -> Workshop:
    """A workshop with one built image that has a part of every kind."""
    shop = Workshop(tmp_path_factory.mktemp("edits"), dodo)
    shop.source("hello", program())
    shop.source("note.txt", "a note\n", 0o644)
    shop.source("one.txt", "equal\n", 0o644)
    shop.source("two.txt", "equal\n", 0o644)
    (shop.src / "link.txt").symlink_to("one.txt")
    shop.source("tree/below/a", "a", 0o644)
    (shop.src / "tree/to-a").symlink_to("below/a")
    shop.source("parts/1.conf", "1", 0o644)
    shop.define("tiny", DEFINITION)
    settle()
    assert shop.build().stages("tiny") == list(BUILT)
    return shop


@pytest.fixture
def shop(built: Workshop) -> Iterator[Workshop]:
    """The built workshop; after the test everything is changed back, and the first bytes must be back too."""
    first = built.digests()
    kept = built.folder / "kept"
    for folder in (built.src, built.configs):
        shutil.copytree(folder, kept / folder.name, symlinks=True)
    settle()
    yield built
    for folder in (built.src, built.configs):
        shutil.rmtree(folder)
        shutil.copytree(kept / folder.name, folder, symlinks=True)
    shutil.rmtree(kept)
    built.build()
    assert built.digests() == first, "changed back, but the first bytes are not"


def rebuilt(shop: Workshop) -> list[str]:
    """Build; check that the result is a clean build's and that nothing is left to do; return the stages that ran."""
    ran = shop.build().stages("tiny")
    assert shop.digests() == shop.clean_build()
    assert shop.build().ran == []
    return ran


def edit(shop: Workshop, old: str, new: str) -> None:
    path = shop.configs / "tiny.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def same_size_and_time(path: Path, data: bytes) -> None:
    """Change a file's bytes, and set its size and its time of modification to what they were."""
    status = path.stat()
    assert status.st_size == len(data)
    path.write_bytes(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def instead(path: Path, act: Callable[[], object]) -> None:
    """Remove a file, and then do something."""
    path.unlink()
    act()


def swap(link: Path, target: str) -> None:
    status = link.lstat()
    link.unlink()
    link.symlink_to(target)
    os.utime(link, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)


EDITS: dict[str, tuple[Callable[[Workshop], object], list[str]]] = {
    "a binary has other bytes": (lambda shop: shop.source("hello", program("another\n")), SOURCE),
    "a binary has other bytes, its size and time are the same": (
        lambda shop: same_size_and_time(shop.src / "hello", program("jello\n")),
        SOURCE,
    ),
    "a binary is replaced by an equal file": (
        lambda shop: instead(shop.src / "hello", lambda: shop.source("hello", program())),
        [],
    ),
    "a binary is touched": (lambda shop: (shop.src / "hello").touch(), []),
    "a binary has another time long ago": (lambda shop: os.utime(shop.src / "hello", (1, 1)), []),
    "a binary has another mode": (lambda shop: (shop.src / "hello").chmod(0o700), SOURCE),
    "a file has other bytes": (
        lambda shop: shop.source("note.txt", "another note\n", 0o644),
        ["binaries", "layer", "digest", "config", "archive"],
    ),
    "a file is set setuid, which no image takes from a source": (
        lambda shop: (shop.src / "note.txt").chmod(0o4644),
        ["binaries"],
    ),
    "a link points to an equal file": (
        lambda shop: swap(shop.src / "link.txt", "two.txt"),
        ["binaries", "libraries", "layer", "config"],
    ),
    "a link in a folder says something else": (
        lambda shop: swap(shop.src / "tree/to-a", "./below/a"),
        SOURCE,
    ),
    "a link in a folder becomes a copy": (
        lambda shop: instead(shop.src / "tree/to-a", lambda: shop.source("tree/to-a", "a", 0o644)),
        SOURCE,
    ),
    "a folder has a file more": (
        lambda shop: shop.source("tree/below/b", "b"),
        SOURCE,
    ),
    "a folder has a file less": (
        lambda shop: (shop.src / "tree/below/a").unlink(),
        SOURCE,
    ),
    "a folder has another mode": (
        lambda shop: (shop.src / "tree/below").chmod(0o711),
        SOURCE,
    ),
    "a file became a folder of that name": (
        lambda shop: instead(shop.src / "tree/below/a", lambda: shop.source("tree/below/a/x", "x")),
        SOURCE,
    ),
    "a pattern matches one more": (
        lambda shop: shop.source("parts/2.conf", "2", 0o644),
        SOURCE,
    ),
    "beside a pattern's matches is something else": (lambda shop: shop.source("parts/2.txt", "2"), ["binaries"]),
    "a label changes": (lambda shop: edit(shop, 'a = "1"', 'a = "2"'), ["config", "archive"]),
    "the environment changes": (lambda shop: edit(shop, "world", "nobody"), ["config", "archive"]),
    "the tag changes": (lambda shop: edit(shop, "tiny:v1", "tiny:v2"), ["manifest", "archive"]),
    "a tag more": (lambda shop: edit(shop, '["tiny:v1"', '["tiny:v1", "tiny:latest"'), ["manifest", "archive"]),
    "the time of creation changes": (
        lambda shop: edit(shop, "labels", "created = 2024-06-18T00:00:00Z\nlabels"),
        ["layer", "digest", "config", "archive"],
    ),
    "a directory's mode changes": (
        lambda shop: edit(shop, "1777", "0700"),
        ["rootfs", "binaries", "libraries", "layer", "digest", "config", "archive"],
    ),
    "a text in the definition changes": (
        lambda shop: edit(shop, "said\\n", "told\\n"),
        SOURCE,
    ),
    "a target moves": (
        lambda shop: edit(shop, "/etc/note", "/etc/other"),
        ["binaries", "libraries", "layer", "digest", "config", "archive"],
    ),
    "an owner changes": (
        lambda shop: edit(shop, 'target = "/etc/note"', 'target = "/etc/note", owner = "7:8"'),
        SOURCE,
    ),
    "the layer's name changes": (
        lambda shop: edit(shop, "labels", 'layer_name = "other.tar"\nlabels'),
        ["layer", "digest", "config", "manifest", "archive"],
    ),
    "only the layout of the definition changes": (lambda shop: edit(shop, "labels", "# a comment\n\nlabels"), []),
    "only what verify expects changes": (
        lambda shop: edit(shop, "labels", 'verify = { stdout = "x" }\nlabels'),
        [],
    ),
}


@pytest.mark.parametrize("what", EDITS)
def test_an_edit_runs_exactly_what_it_touches(shop: Workshop, what: str) -> None:
    act, stages = EDITS[what]
    act(shop)
    assert rebuilt(shop) == stages


def test_a_build_with_nothing_changed_runs_nothing(shop: Workshop) -> None:
    again = shop.build()
    assert again.ran == []
    assert "nothing to rebuild, reused 8" in again.out


def test_an_edit_at_once_after_the_build_is_seen_though_size_and_time_are_the_same(shop: Workshop) -> None:
    for number in range(5):
        before = shop.archive("tiny").read_bytes()
        same_size_and_time(shop.src / "hello", program("jello\n" if number % 2 == 0 else "hello\n"))
        assert shop.build().stages("tiny") == SOURCE
        assert shop.archive("tiny").read_bytes() != before
    assert shop.digests() == shop.clean_build()


def opened_during(path: Path, act: Callable[[], object]) -> bool:
    """Whether anybody opened the file while `act` ran (inotify(7))."""
    library = ctypes.CDLL(None, use_errno=True)
    descriptor = library.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    assert descriptor >= 0
    try:
        in_open = 0x20
        assert library.inotify_add_watch(descriptor, os.fsencode(path), in_open) >= 0
        act()
        try:
            return bool(os.read(descriptor, 4096))
        except BlockingIOError:
            return False
    finally:
        os.close(descriptor)


def test_a_touched_file_is_read_once_more_and_not_on_every_later_build(shop: Workshop) -> None:
    assert not opened_during(shop.src / "hello", shop.build)
    (shop.src / "hello").touch()
    settle()
    assert opened_during(shop.src / "hello", shop.build)
    for _ in range(2):
        assert not opened_during(shop.src / "hello", shop.build)


def test_a_reason_is_given_for_every_stage_that_ran(shop: Workshop) -> None:
    shop.source("hello", program("another\n"))
    edit(shop, 'a = "1"', 'a = "2"')
    reasons = shop.build().reasons
    assert reasons["binaries:tiny"] == f"{shop.src}/hello changed"
    assert reasons["layer:tiny"].endswith("changed")
    assert reasons["config:tiny"] == "labels changed"
    assert reasons["archive:tiny"].endswith("changed")


def test_what_is_no_longer_named_leaves_the_tree_and_the_image(shop: Workshop) -> None:
    edit(shop, '{ source = "SRC/tree", target = "/tree" },'.replace("SRC", str(shop.src)), "")
    edit(shop, "[{ path", '["/tmp/below", { path')
    assert "binaries" in rebuilt(shop)
    assert (shop.image("tiny") / "rootfs/tmp/below").is_dir()
    assert not (shop.image("tiny") / "rootfs/tree").exists()
    edit(shop, '"/tmp/below", ', "")
    rebuilt(shop)
    assert not (shop.image("tiny") / "rootfs/tmp/below").exists()


def test_a_folder_that_becomes_a_link_takes_nothing_away_from_where_it_leads(shop: Workshop) -> None:
    outside = shop.folder / "outside"
    (outside / "below").mkdir(parents=True)
    (outside / "below/a").write_text("not ours")
    tree = f'{{ source = "{shop.src}/tree", target = "/tree" }},'
    edit(shop, tree, "")
    edit(shop, "symlinks = {", f'symlinks = {{ "/tree" = "{outside}",')
    assert "binaries" in rebuilt(shop)
    assert (outside / "below/a").read_text() == "not ours"


def test_the_old_layer_is_removed_when_it_has_another_name(shop: Workshop) -> None:
    edit(shop, "labels", 'layer_name = "other.tar"\nlabels')
    shop.build()
    names = {path.name for path in shop.image("tiny").iterdir()}
    assert {"other.tar", "other.tar.sha256"} <= names
    assert not {"layer.tar", "layer.tar.sha256"} & names


def test_an_input_removed_and_put_back_changed_is_seen(shop: Workshop) -> None:
    held = (shop.src / "note.txt").read_bytes()
    (shop.src / "note.txt").unlink()
    failed = shop.doit("build")
    assert failed.status
    assert "note.txt does not exist" in failed.err
    assert "Traceback" not in failed.err
    same = bytes(reversed(held))
    shop.source("note.txt", same, 0o644)
    assert "binaries" in rebuilt(shop)
    shop.source("note.txt", held, 0o644)
    assert "binaries" in rebuilt(shop)


def test_the_last_good_image_stays_when_a_build_fails(shop: Workshop) -> None:
    before = shop.digests()
    (shop.src / "hello").write_bytes(program()[:60])
    failed = shop.doit("build")
    assert failed.status
    assert "binaries[0]" in failed.err
    assert failed.err.count("error:") == 1
    assert shop.digests() == before


def test_a_broken_definition_does_not_stop_the_others(shop: Workshop) -> None:
    shop.define("wrong", "binarys = []\n")
    shop.source("note.txt", "another note\n", 0o644)
    ended = shop.doit("build")
    assert ended.status
    assert "binaries" in ended.stages("tiny")
    assert "wrong.toml" in ended.err
    assert "binarys" in ended.err
    assert "Traceback" not in ended.err
    one = shop.doit("build:tiny")
    assert (one.status, one.ran) == (0, [])
