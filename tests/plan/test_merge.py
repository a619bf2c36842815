"""One entry for each path, whatever the order in which the entries come."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.plan.merge import merge
from scratchbuild.plan.place import implied
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from collections.abc import Sequence

DIRECTORY = Entry("/x", "directory", 0o755, "directories[0]")
FILE = Entry("/x", "file", 0o644, "files[0]", source="/one")
BELOW = Entry("/x/y", "file", 0o644, "files[1]", source="/two")
LINK = Entry("/x", "symlink", 0o777, "symlinks", link="z")
HELD = Entry("/x", "directory", 0o755, "holds /x/y", implied=True)


def outcome(entries: Sequence[Entry]) -> list[Entry] | None:
    """Return the merged entries without their reasons, or None where they disagree."""
    try:
        return [entry._replace(reason="") for entry in merge(entries)]
    except ScratchbuildError:
        return None


@pytest.mark.parametrize(
    ("entries", "agree"),
    [
        ([DIRECTORY, HELD, BELOW], True),
        ([DIRECTORY._replace(mode=0o1777), HELD, BELOW], True),
        ([DIRECTORY, DIRECTORY._replace(reason="files[3]")], True),
        ([FILE, FILE._replace(reason="files[3]")], True),
        ([FILE, FILE._replace(kind="hardlink", link="/w")], True),
        ([LINK, LINK._replace(reason="binaries[0]")], True),
        ([DIRECTORY, DIRECTORY._replace(mode=0o700)], False),
        ([DIRECTORY, DIRECTORY._replace(uid=7)], False),
        ([FILE, FILE._replace(source="/other")], False),
        ([FILE, FILE._replace(mode=0o600)], False),
        ([FILE, FILE._replace(content=b"x", source="")], False),
        ([FILE, FILE._replace(capability=b"x")], False),
        ([LINK, LINK._replace(link="w")], False),
        ([FILE, DIRECTORY], False),
        ([FILE, LINK, DIRECTORY], False),
        ([FILE, HELD, BELOW], False),
        ([LINK, BELOW], False),
        ([LINK, HELD, BELOW], False),
        ([FILE, FILE, DIRECTORY, BELOW], False),
    ],
)
def test_entries_agree_or_not_in_every_order(entries: list[Entry], agree: bool) -> None:
    outcomes = [outcome(order) for order in itertools.permutations(entries)]
    assert (outcomes[0] is not None) == agree
    assert all(other == outcomes[0] for other in outcomes)


def test_directory_that_is_asked_for_wins_over_one_that_only_holds_something() -> None:
    sticky = DIRECTORY._replace(mode=0o1777)
    for order in itertools.permutations([sticky, HELD, BELOW]):
        assert merge(order) == [sticky, BELOW]


def test_one_mistake_is_one_error() -> None:
    for order in itertools.permutations([FILE, HELD, BELOW]):
        with pytest.raises(ScratchbuildError) as caught:
            merge(order)
        assert not isinstance(caught.value, SeveralErrors)
        assert str(caught.value) == (
            "/x is a file from /one (files[0]), so /x/y cannot be below it: a file from /two (files[1])\n"
            "  Give one of them another target, or leave it out."
        )


def test_error_says_what_differs() -> None:
    with pytest.raises(ScratchbuildError) as caught:
        merge([DIRECTORY, DIRECTORY._replace(mode=0o1777, uid=5, reason="files[2]")])
    assert caught.value.what == (
        "two entries want /x: a directory of mode 0755 of owner 0:0 (directories[0]), "
        "and a directory of mode 1777 of owner 5:0 (files[2])"
    )


PATHS = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
PLAIN = st.sampled_from([DIRECTORY, FILE, LINK, DIRECTORY._replace(mode=0o700)])
ENTRIES = st.tuples(PATHS, PLAIN).map(lambda pair: pair[1]._replace(path=pair[0]))


@given(st.lists(ENTRIES, max_size=6).flatmap(lambda entries: st.tuples(st.just(entries), st.permutations(entries))))
def test_order_of_the_entries_does_not_matter(orders: tuple[list[Entry], list[Entry]]) -> None:
    one, two = ([*entries, *implied([entry.path for entry in entries])] for entries in orders)
    assert outcome(one) == outcome(two)


@given(st.lists(ENTRIES, max_size=6))
def test_what_is_merged_is_a_sorted_tree(entries: list[Entry]) -> None:
    merged = outcome([*entries, *implied([entry.path for entry in entries])])
    if merged is None:
        return
    paths = [entry.path for entry in merged]
    assert paths == sorted(set(paths))
    directories = {entry.path for entry in merged if entry.kind == "directory"}
    assert all(path.rpartition("/")[0] in {"", *directories} for path in paths)
    assert outcome(merged) == merged


def test_names_are_in_the_order_of_their_bytes() -> None:
    names = ["/Z", "/a", "/\u00e4", "/\uffff", "/\U00010000", "/a-b", "/a/b", "/A"]
    entries = [Entry(name, "directory", 0o755, "") for name in names]
    assert [entry.path for entry in merge(entries)] == sorted(names, key=str.encode)
