"""Paths in the image, as a container sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.tree import Tree
from scratchbuild.root import Root
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from pathlib import Path


def file(path: str) -> Entry:
    """Return a file's entry."""
    return Entry(path, "file", 0o755, "")


def folder(path: str) -> Entry:
    """Return a directory's entry."""
    return Entry(path, "directory", 0o755, "")


def link(path: str, text: str) -> Entry:
    """Return a link's entry."""
    return Entry(path, "symlink", 0o777, "", link=text)


MERGED = Tree(
    [
        link("/bin", "usr/bin"),
        folder("/usr"),
        folder("/usr/bin"),
        file("/usr/bin/bash"),
        link("/usr/bin/sh", "bash"),
        link("/usr/bin/vi", "/etc/alternatives/vi"),
        folder("/etc"),
        folder("/etc/alternatives"),
        link("/etc/alternatives/vi", "../../usr/bin/vim"),
        Entry("/usr/bin/rbash", "hardlink", 0o755, "", link="/usr/bin/bash"),
        link("/far", "../../../usr/bin/bash"),
        link("/one", "two"),
        link("/two", "one"),
    ]
)


@pytest.mark.parametrize(
    ("path", "ends"),
    [
        ("/usr/bin/bash", "/usr/bin/bash"),
        ("/bin/bash", "/usr/bin/bash"),
        ("/bin/sh", "/usr/bin/bash"),
        ("//bin/./sh", "/usr/bin/bash"),
        ("/bin/../bin/sh", "/usr/bin/bash"),
        ("/bin/rbash", "/usr/bin/bash"),
        ("/far", "/usr/bin/bash"),
        ("/bin", "/usr/bin"),
        ("/bin/nope", None),
        ("/nope/x", None),
        ("/usr/bin/bash/x", None),
    ],
)
def test_path_leads_where_a_container_finds_it(path: str, ends: str | None) -> None:
    found = MERGED.find(path)
    assert (found.path if found else None) == ends


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (
            "/bin/vi",
            "/bin/vi is a dangling link: /etc/alternatives/vi -> ../../usr/bin/vim, and the image has no /usr/bin/vim",
        ),
        ("/one", "/one never ends: the links form a loop at /one -> two"),
        ("/one/x", "/one/x never ends: the links form a loop at /one -> two"),
    ],
)
def test_link_that_leads_nowhere_is_an_error(path: str, message: str) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        MERGED.find(path)
    assert caught.value.what == message


PARTS = st.sampled_from(["a", "b", "c"])
PATHS = st.lists(PARTS, min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
TEXTS = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(st.one_of(PARTS, st.just("..")), min_size=1, max_size=4),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(PATHS, st.one_of(st.none(), TEXTS)), max_size=6), PATHS)
def test_image_is_looked_at_as_the_kernel_looks_at_it(
    tmp_path_factory: pytest.TempPathFactory, things: list[tuple[str, str | None]], wanted: str
) -> None:
    base = tmp_path_factory.mktemp("image")
    entries: dict[str, Entry] = {}
    for path, text in things:
        parents = ["/".join(path.split("/")[:count]) for count in range(2, path.count("/") + 1)]
        if path in entries or any(entries.get(parent, folder("")).kind != "directory" for parent in parents):
            continue
        for parent in parents:
            entries[parent] = folder(parent)
            (base / parent[1:]).mkdir(exist_ok=True)
        entries[path] = file(path) if text is None else link(path, text)
        real = base / path[1:]
        if text is None:
            real.write_bytes(b"")
        else:
            real.symlink_to(text)
    assert seen(entries, wanted) == real_end(base, wanted)


def seen(entries: dict[str, Entry], wanted: str) -> str | None:
    """Return where a path leads in the entries, or None."""
    try:
        found = Tree(entries.values()).find(wanted)
    except ScratchbuildError:
        return None
    return found.path if found else None


def real_end(base: Path, wanted: str) -> str | None:
    """Return where a path leads below `base`, or None; the root directory is no entry."""
    try:
        found = Root(str(base)).resolve(wanted)
    except ScratchbuildError:
        return None
    return found.path if found.status is not None and found.path != "/" else None
