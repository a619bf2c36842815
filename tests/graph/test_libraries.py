"""The search for libraries is part of what a build depends on: what it found, and where it looked in vain."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import BUILT, settle

if TYPE_CHECKING:
    from pathlib import Path

    from tests.graph.conftest import Workshop

pytestmark = pytest.mark.engine("gcc")
FOUND_ANEW = ["libraries", "layer", "digest", "config", "archive"]


def library(shop: Workshop) -> Path:
    """Return the one libf.so that the image has."""
    (found,) = (shop.image("app") / "rootfs").rglob("libf.so")
    return found


def test_a_library_that_appears_earlier_on_the_search_path_is_taken(dynamic: Workshop) -> None:
    first = dynamic.digests()
    (dynamic.src / "first").mkdir()
    shutil.copy(dynamic.src / "other/libf.so", dynamic.src / "first/libf.so")
    ran = dynamic.build()
    assert ran.stages("app") == FOUND_ANEW
    assert ran.reasons["libraries:app"] == f"{dynamic.src}/first was absent, is a directory"
    assert library(dynamic).parent.name == "first"
    assert library(dynamic).read_bytes() == (dynamic.src / "other/libf.so").read_bytes()
    assert dynamic.digests() == dynamic.clean_build()
    shutil.rmtree(dynamic.src / "first")
    assert dynamic.build().stages("app") == FOUND_ANEW
    assert library(dynamic).parent.name == "second"
    assert dynamic.digests() == first
    assert dynamic.build().ran == []


def test_a_library_that_appears_in_a_folder_that_was_looked_into_is_taken(dynamic: Workshop) -> None:
    (dynamic.src / "first").mkdir()
    assert dynamic.build().stages("app") == ["libraries"]
    settle()
    shutil.copy(dynamic.src / "other/libf.so", dynamic.src / "first/libf.so")
    assert dynamic.build().stages("app") == FOUND_ANEW
    assert library(dynamic).parent.name == "first"


def test_what_would_stop_the_loader_stops_the_build_until_it_is_away(dynamic: Workshop) -> None:
    first = dynamic.digests()
    (dynamic.src / "first/libf.so").mkdir(parents=True)
    ended = dynamic.doit("build")
    assert ended.status
    assert "first/libf.so (a directory)" in ended.err
    shutil.rmtree(dynamic.src / "first")
    assert dynamic.build().stages("app") == ["libraries"]
    assert dynamic.digests() == first


def test_a_library_that_changed_is_all_that_is_copied_again(dynamic: Workshop) -> None:
    shutil.copy(dynamic.src / "other/libf.so", dynamic.src / "second/libf.so")
    ran = dynamic.build()
    assert ran.stages("app")[:2] == ["libraries", "layer"]
    assert set(ran.stages("app")) <= set(FOUND_ANEW)
    assert dynamic.digests() == dynamic.clean_build()


def test_a_library_that_is_gone_stops_the_build_and_is_named(dynamic: Workshop) -> None:
    first = dynamic.digests()
    (dynamic.src / "second/libf.so").rename(dynamic.src / "away")
    ended = dynamic.doit("build")
    assert ended.status
    assert "libf.so" in ended.err
    assert "second" in ended.err
    assert "Traceback" not in ended.err
    assert dynamic.digests() == first
    (dynamic.src / "away").rename(dynamic.src / "second/libf.so")
    assert dynamic.build().stages("app") == ["libraries"]
    assert dynamic.digests() == first


def test_a_link_to_a_library_that_is_pointed_to_an_equal_one_is_seen(dynamic: Workshop) -> None:
    (dynamic.src / "second/libf.so").rename(dynamic.src / "second/libf.so.1.2")
    shutil.copy2(dynamic.src / "second/libf.so.1.2", dynamic.src / "second/libf.so.1.3")
    (dynamic.src / "second/libf.so").symlink_to("libf.so.1.2")
    dynamic.build()
    settle()
    before = dynamic.digests()
    os.unlink(dynamic.src / "second/libf.so")
    (dynamic.src / "second/libf.so").symlink_to("libf.so.1.3")
    ran = dynamic.build()
    assert "libraries" in ran.stages("app")
    assert "libf.so.1.3" in ran.reasons["libraries:app"]
    assert dynamic.digests() == dynamic.clean_build()
    assert dynamic.digests() != before


def test_where_libraries_lie_is_the_definitions_business(dynamic: Workshop) -> None:
    first = dynamic.digests()
    path = dynamic.configs / "app.toml"
    text = path.read_text()
    path.write_text(text + 'libraries = { layout = "/lib64" }\n')
    dynamic.build()
    assert library(dynamic) == dynamic.image("app") / "rootfs/lib64/libf.so"
    assert dynamic.digests() == dynamic.clean_build()
    path.write_text(text + 'env = { LD_LIBRARY_PATH = "/nowhere" }\n')
    dynamic.build()
    assert dynamic.digests() == dynamic.clean_build()
    path.write_text(text)
    assert set(dynamic.build().stages("app")) <= set(BUILT)
    assert dynamic.digests() == first
    assert not (dynamic.image("app") / "rootfs/lib64/libf.so").exists()
