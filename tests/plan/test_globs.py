"""Patterns of sources, against Python's own glob."""

from __future__ import annotations

import glob
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.globs import is_pattern, matches
from scratchbuild.root import Root

if TYPE_CHECKING:
    from pathlib import Path

TREE = ("a", "ab", ".hidden", "b/a", "b/ab.txt", "b/.hidden/a", "b/c/a", "b/c/d/a.txt", "[x]", "b/-", "b/]")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with names of all kinds."""
    base = tmp_path_factory.mktemp("tree")
    for name in TREE:
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (base / "empty").mkdir()
    return base


def found(base: Path, pattern: str) -> list[str]:
    """Return what matches below `base`, relative to it."""
    try:
        return [path.lstrip("/") for path in matches("/" + pattern, Root(str(base)))]
    except ScratchbuildError:
        return []


def expected(base: Path, pattern: str) -> list[str]:
    """Return what Python's glob finds."""
    paths = glob.glob(pattern, root_dir=base, recursive=True)
    return sorted({path.rstrip("/") for path in paths} - {""}, key=os.fsencode)


@pytest.mark.parametrize(
    "pattern",
    [
        *("*", "?", "a*", "*/*", "b/*", "b/?", ".*", "b/.*", "b/.*/*", "*.txt", "b/*.txt", "empty/*", "none/*"),
        *("**/a", "b/**/a", "**/*.txt", "b/**/*.txt", "**/c", "**/c/*", "b/**/d/*", "**/.hidden"),
        *("[ab]", "[!a]", "[[]x]", "b/[]]", "b/[!]]", "b/[-]", "[a-b]*", "[", "[x]", "b/[a-c]/?"),
    ],
)
def test_pattern_matches_what_pythons_glob_matches(tree: Path, pattern: str) -> None:
    assert found(tree, pattern) == expected(tree, pattern)


PARTS = st.one_of(st.text("ab.*?[]!-x", min_size=1, max_size=4), st.just("**"), st.sampled_from(["a", "b", "c", "*"]))


@settings(deadline=None)
@given(st.lists(PARTS, min_size=1, max_size=4))
def test_any_pattern_matches_what_pythons_glob_matches(tree: Path, parts: list[str]) -> None:
    if {".", ".."} & set(parts) or parts[-1] == "**" or any("**" in part and part != "**" for part in parts):
        return
    pattern = "/".join(parts)
    if is_pattern(pattern):
        assert found(tree, pattern) == expected(tree, pattern)


def test_two_stars_at_the_end_are_the_folder_and_all_folders_below_it(machine: Any) -> None:
    machine.file("/b/c/d/x")
    machine.file("/b/x")
    assert matches("/b/**", machine.root) == ["/b", "/b/c", "/b/c/d"]


def test_two_stars_do_not_follow_links(machine: Any) -> None:
    machine.file("/b/x")
    machine.link("/b/loop", ".")
    assert matches("/b/**/x", machine.root) == ["/b/x"]


def test_pattern_through_a_link_keeps_the_name_that_was_written(machine: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    assert matches("/bin/*", machine.root) == ["/bin/a"]


def test_matches_are_in_the_order_of_their_bytes(machine: Any) -> None:
    for name in ("Z", "a", "\u00e4", "B", "-"):
        machine.file(f"/d/{name}")
    assert matches("/d/*", machine.root) == ["/d/-", "/d/B", "/d/Z", "/d/a", "/d/\u00e4"]


@pytest.mark.parametrize(
    ("pattern", "what"),
    [("/d/no*", "nothing matches /d/no*"), ("/e/f/*", "nothing matches /e/f/*: there is no /e")],
)
def test_pattern_that_matches_nothing_is_an_error(machine: Any, pattern: str, what: str) -> None:
    machine.file("/d/a")
    with pytest.raises(ScratchbuildError) as caught:
        matches(pattern, machine.root)
    assert caught.value.what == what
