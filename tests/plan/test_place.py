"""Where a path of this machine goes in the image, with the links on its way."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.place import Places, check_link, implied, parents, relative
from scratchbuild.root import Root
from scratchbuild.spec import parse

if TYPE_CHECKING:
    from pathlib import Path


def placed(machine: Any, definition: Any, path: str) -> tuple[str, dict[str, str]]:
    """Return where a path ends in the image, and the links on the way with what they say."""
    found = Places(definition, machine.root).mirrored(path, "reason")
    return found.path, {link.path: link.link for link in found.links}


def test_plain_path_keeps_its_place(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    assert placed(machine, define(), "/usr/bin/a") == ("/usr/bin/a", {})


def test_merged_directory_is_kept_as_the_link_that_it_is(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    assert placed(machine, define(), "/bin/a") == ("/usr/bin/a", {"/bin": "usr/bin"})


def test_absolute_links_become_relative_so_that_they_stay_inside(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/vim.basic")
    machine.link("/usr/bin/vi", "/etc/alternatives/vi")
    machine.link("/etc/alternatives/vi", "/usr/bin/vim.basic")
    assert placed(machine, define(), "/usr/bin/vi") == (
        "/usr/bin/vim.basic",
        {"/usr/bin/vi": "../../etc/alternatives/vi", "/etc/alternatives/vi": "../../usr/bin/vim.basic"},
    )


def test_chain_of_library_names_is_kept(machine: Any, define: Any) -> None:
    machine.file("/lib/libx-2.31.so")
    machine.link("/lib/libx.so.2", "libx-2.31.so")
    machine.link("/lib/libx.so", "libx.so.2")
    assert placed(machine, define(), "/lib/libx.so") == (
        "/lib/libx-2.31.so",
        {"/lib/libx.so": "libx.so.2", "/lib/libx.so.2": "libx-2.31.so"},
    )


def test_directory_that_the_definition_names_is_real_whatever_this_machine_has(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    assert placed(machine, define('directories = ["/bin"]'), "/bin/a") == ("/bin/a", {})


def test_directory_of_a_target_is_real_whatever_this_machine_has(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    definition = define('binaries = ["/bin/a", { source = "/usr/bin/a", target = "/bin/b" }]')
    assert placed(machine, definition, "/bin/a") == ("/bin/a", {})


def test_links_of_the_definition_count_before_those_of_this_machine(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    definition = define('symlinks = { "/bin" = "opt/bin" }')
    assert placed(machine, definition, "/bin/a") == ("/opt/bin/a", {})


def test_dot_dot_behind_a_link_goes_where_the_kernel_goes(machine: Any, define: Any) -> None:
    machine.file("/opt/v1/lib/x")
    machine.link("/current", "opt/v1/bin")
    machine.folder("/opt/v1/bin")
    assert placed(machine, define(), "/current/../lib/x") == ("/opt/v1/lib/x", {"/current": "opt/v1/bin"})


def test_link_that_climbs_above_the_root_is_kept_without_the_climb(machine: Any, define: Any) -> None:
    machine.file("/usr/bin/a")
    machine.link("/opt/b", "../../../usr/bin/a")
    machine.link("/c", "/../usr/bin/a")
    assert placed(machine, define(), "/opt/b") == ("/usr/bin/a", {"/opt/b": "../usr/bin/a"})
    assert placed(machine, define(), "/c") == ("/usr/bin/a", {"/c": "usr/bin/a"})


def test_loop_on_this_machine_is_an_error(machine: Any, define: Any) -> None:
    machine.link("/a", "b")
    machine.link("/b", "/a")
    with pytest.raises(ScratchbuildError, match=r"^/a never ends: the links form a loop at /[ab]\n"):
        placed(machine, define(), "/a")


@pytest.mark.parametrize("path", ["/bin/a", "/usr/bin/a", "/sbin/a", "/usr/sbin/../bin/a"])
def test_every_name_of_a_file_ends_at_the_same_path(machine: Any, define: Any, path: str) -> None:
    machine.file("/usr/bin/a")
    machine.link("/bin", "usr/bin")
    machine.link("/sbin", "/usr/sbin")
    machine.link("/usr/sbin", "bin")
    assert placed(machine, define(), path)[0] == "/usr/bin/a"


class TestCanonical:
    """Paths of the image, through the definition's own links."""

    @pytest.mark.parametrize(
        ("path", "ends"),
        [
            ("/a/x", "/b/c/x"),
            ("/a", "/b/c"),
            ("/b/up/x", "/b/x"),
            ("/far/x", "/b/c/x"),
            ("/other", "/other"),
        ],
    )
    def test_links_are_followed(self, machine: Any, define: Any, path: str, ends: str) -> None:
        """Relative, absolute, and one through another."""
        definition = define('symlinks = { "/a" = "b/c", "/b/up" = "..//b", "/far" = "/a" }')
        assert Places(definition, machine.root).canonical(path) == ends

    def test_last_link_stays_itself_where_it_is_asked_for(self, machine: Any, define: Any) -> None:
        """As when the link itself is made."""
        places = Places(define('symlinks = { "/a" = "b", "/b" = "c" }'), machine.root)
        assert places.canonical("/a/b", last=False) == "/c/b"
        assert places.canonical("/b", last=False) == "/b"

    def test_every_loop_is_told_with_its_key(self, machine: Any, define: Any) -> None:
        """All of them at once."""
        with pytest.raises(ScratchbuildError) as caught:
            Places(define('symlinks = { "/a" = "b", "/b" = "a", "/c" = "c" }'), machine.root)
        assert str(caught.value).count("configs/t.toml: symlinks.") == 3


NAMES = st.sampled_from(["a", "b", "c", "usr", "bin"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
TEXTS = st.builds(
    lambda start, parts: start + "/".join(parts),
    st.sampled_from(["", "/"]),
    st.lists(st.one_of(NAMES, st.just("..")), min_size=1, max_size=5),
)


@given(TEXTS, PATHS)
def test_relative_links_lead_where_the_absolute_ones_did(text: str, path: str) -> None:
    made = relative(text, path)
    folder = posixpath.dirname(path)
    assert posixpath.normpath(posixpath.join(folder, made)) == posixpath.normpath(posixpath.join(folder, text))
    assert not made.startswith("/") or ".." in text.split("/")


@given(TEXTS, PATHS)
def test_link_is_refused_exactly_when_its_text_climbs_above_the_root(text: str, path: str) -> None:
    depth, climbs = (0 if text.startswith("/") else path.count("/") - 1), False
    for part in text.split("/"):
        depth += {"..": -1, "": 0}.get(part, 1)
        climbs |= depth < 0
    try:
        check_link(text, path, "source")
    except ScratchbuildError:
        assert climbs
    else:
        assert not climbs


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(PATHS, TEXTS), max_size=5), PATHS)
def test_kernel_finds_in_the_image_what_it_finds_on_the_machine(
    tmp_path_factory: pytest.TempPathFactory, links: list[tuple[str, str]], wanted: str
) -> None:
    """Whatever links a machine has: the image's links lead from the same name to the same file."""
    base = tmp_path_factory.mktemp("machine")
    for path, text in links:
        make(base, path, text)
    root = Root(str(base))
    definition = parse('tags = ["t:v1"]\nbinaries = ["/a"]', path="configs/t.toml", environment={})
    try:
        there = root.resolve(wanted)
        found = Places(definition, root).mirrored(wanted, "reason")
    except ScratchbuildError as error:
        assert re.search("loop|climbs", str(error))  # noqa: PT017  # either is fine, as long as it is told
        return
    assert found.path == there.path
    image = tmp_path_factory.mktemp("image")
    for link in found.links:
        make(image, link.path, link.link)
    assert Root(str(image)).resolve(wanted).path == there.path


def make(base: Path, path: str, text: str) -> None:
    """Make a link below `base`, unless something is in its way there."""
    root = Root(str(base))
    folder = root.resolve(posixpath.dirname(path)) if not loops(root, posixpath.dirname(path)) else None
    if folder is None or (folder.status is not None and not folder.is_directory):
        return
    real = base / folder.path.lstrip("/")
    try:
        real.mkdir(parents=True, exist_ok=True)
        (real / posixpath.basename(path)).symlink_to(text)
    except OSError:
        return


def loops(root: Root, path: str) -> bool:
    """Return whether a path never ends."""
    try:
        root.resolve(path)
    except ScratchbuildError:
        return True
    return False


def test_parents_of_a_path_are_all_above_it_but_the_root() -> None:
    assert parents("/a/b/c") == ["/a", "/a/b"]
    assert parents("/a") == []


def test_directories_that_nobody_names_are_0755_and_say_what_they_hold() -> None:
    entries = implied(["/a/b/c", "/a/d"])
    assert [(entry.path, entry.mode, entry.implied) for entry in entries] == [
        ("/a", 0o755, True),
        ("/a/b", 0o755, True),
    ]
    assert {entry.reason for entry in entries} == {"holds /a/b/c"}
