"""`doit clean` removes everything that was built and nothing else; what no definition names any more goes by itself."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import BUILT, Workshop, program

if TYPE_CHECKING:
    from pathlib import Path


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.exists() else set()


@pytest.fixture
def two(shop: Workshop) -> Workshop:
    """A workshop with two built images, in a cache that a person keeps in git."""
    shop.source("hello", program())
    shop.define("one", 'binaries = ["SRC/hello"]\nlayer_name = "demo.tar"\n')
    shop.define("two", 'binaries = ["SRC/hello"]\n')
    shop.cache.mkdir()
    (shop.cache / ".gitignore").write_text("*\n")
    shop.build()
    return shop


def test_clean_leaves_nothing_that_was_built(two: Workshop) -> None:
    before = two.digests()
    ended = two.doit("clean")
    assert (ended.status, ended.err) == (0, "")
    assert names(two.cache) == {".gitignore"}
    assert two.build().stages("one") == list(BUILT)
    assert two.digests() == before


def test_clean_removes_a_folder_of_the_tools_own(two: Workshop) -> None:
    (two.cache / ".gitignore").unlink()
    assert two.doit("clean").status == 0
    assert not two.cache.exists()
    ended = two.doit("clean")
    assert (ended.status, ended.err) == (0, "")
    assert not two.cache.exists()


def test_clean_leaves_what_a_person_put_there(two: Workshop) -> None:
    (two.cache / "mine").mkdir()
    (two.cache / "mine/notes.tar").write_text("mine")
    (two.image("one") / "notes.txt").write_text("mine")
    (two.image("one") / "other.tar").write_text("mine")
    assert two.doit("clean").status == 0
    assert names(two.cache) == {".gitignore", "mine", "one"}
    assert names(two.cache / "mine") == {"notes.tar"}
    assert names(two.image("one")) == {"notes.txt", "other.tar"}


def test_clean_of_one_image_leaves_the_other(two: Workshop) -> None:
    assert two.doit("clean", "build:one").status == 0
    assert names(two.cache) == {".gitignore", ".lock", "two"}
    ran = two.build()
    assert ran.stages("one") == list(BUILT)
    assert ran.stages("two") == []


@pytest.mark.parametrize("arguments", [("-a",), ("-c",), ("*",), ("--forget",)])
def test_every_way_to_clean_all_does(two: Workshop, arguments: tuple[str, ...]) -> None:
    ended = two.doit("clean", *arguments)
    assert (ended.status, ended.err) == (0, "")
    assert names(two.cache) == {".gitignore"}


def test_a_dry_run_of_clean_removes_nothing(two: Workshop) -> None:
    before = sorted(two.cache.rglob("*"))
    ended = two.doit("clean", "-n")
    assert ended.status == 0
    assert str(two.cache) in ended.out
    assert sorted(two.cache.rglob("*")) == before


def test_clean_of_one_stage_makes_it_and_what_follows_run_again(two: Workshop) -> None:
    before = two.digests()
    assert two.doit("clean", "layer:one").status == 0
    assert "demo.tar" not in names(two.image("one"))
    assert two.build().stages("one") == ["layer"]
    assert two.digests() == before


def test_an_image_without_a_definition_goes_with_the_next_build(two: Workshop) -> None:
    (two.configs / "one.toml").unlink()
    two.build()
    assert names(two.cache) == {".gitignore", ".lock", "two"}
    assert two.build().ran == []


def test_an_image_without_a_definition_goes_with_clean(two: Workshop) -> None:
    (two.configs / "one.toml").unlink()
    assert two.doit("clean").status == 0
    assert names(two.cache) == {".gitignore"}


def test_an_image_whose_definition_is_wrong_stays(two: Workshop) -> None:
    before = two.digests()
    (two.configs / "one.toml").write_text("tags = 5\n")
    assert two.doit("build").status
    assert two.digests() == before
    assert two.doit("clean").status == 0
    assert names(two.cache) == {".gitignore"}


def test_two_folders_of_definitions_may_share_a_cache(two: Workshop) -> None:
    before = two.digests()
    (two.folder / "other").mkdir()
    other = Workshop(two.folder / "other", two.dodo)
    other.source("hello", program())
    other.define("three", 'binaries = ["SRC/hello"]\n')
    command = ("build", f"configs={other.configs}", f"cache={two.cache}")
    ended = two.doit(*command)
    assert ended.status == 0
    assert {name.partition("/")[0] for name in two.digests()} >= {"one", "two"}
    assert before.items() <= two.digests().items()


def test_clean_finds_a_layer_by_its_definition_when_the_records_are_lost(two: Workshop) -> None:
    (two.image("one") / ".seals/layer.json").write_text("{")
    (two.image("one") / ".seals/digest.json").unlink()
    assert two.doit("clean").status == 0
    assert names(two.cache) == {".gitignore"}


def test_clean_removes_what_a_build_that_failed_or_was_killed_left(two: Workshop) -> None:
    (two.configs / "one.toml").write_text('tags = ["one:v1"]\nbinaries = ["/nowhere"]\nlayer_name = "other.tar"\n')
    assert two.doit("build").status
    (two.image("one") / ".other.tar.4711-0.partial").write_text("half")
    (two.image("one") / "rootfs/.x.4711-1.partial").write_text("half")
    (two.cache / "..tasks.json.4711-1.partial").write_text("half")
    assert two.doit("clean").status == 0
    assert names(two.cache) == {".gitignore"}


def test_partial_files_of_killed_builds_are_swept_by_the_next_one(two: Workshop) -> None:
    (two.image("one") / ".other.tar.4711-0.partial").write_text("half")
    (two.image("one") / "rootfs/.x.4711-1.partial").write_text("half")
    (two.image("one") / "mine.partial").write_text("mine")
    two.build()
    assert [path.name for path in two.cache.rglob("*.partial")] == ["mine.partial"]


def test_clean_follows_no_link_out_of_the_cache(two: Workshop) -> None:
    outside = two.folder / "outside"
    (outside / ".seals").mkdir(parents=True)
    (outside / "config.json").write_text("not ours")
    (two.cache / "linked").symlink_to(outside)
    shutil.rmtree(two.image("one") / "rootfs")
    (two.image("one") / "rootfs").symlink_to(outside)
    assert two.doit("clean").status == 0
    assert (outside / "config.json").read_text() == "not ours"
    assert names(two.cache) == {".gitignore", "linked"}


def test_a_moved_cache_is_made_again_and_cleaned(two: Workshop) -> None:
    before = two.digests()
    os.rename(two.cache, two.folder / "moved")
    shutil.move(two.folder / "moved", two.folder / "cache2")
    moved = [f"cache={two.folder}/cache2"]
    assert two.doit("build", *moved).status == 0
    two.cache.mkdir(exist_ok=True)
    assert {
        str(path.relative_to(two.folder / "cache2")): path.read_bytes() != b""
        for path in (two.folder / "cache2").glob("*/*.tar")
    }.keys() == before.keys()
