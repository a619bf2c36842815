"""Unpacking: as an engine does it, and never outside, whatever the archive says."""

from __future__ import annotations

import os
import stat
import tarfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scratchbuild.engines.sandbox.unpack import unpack
from scratchbuild.errors import ScratchbuildError
from scratchbuild.formats import reading
from tests.engines.conftest import Item, directory, item, make_archive, symlink

if TYPE_CHECKING:
    from pathlib import Path

SENTINEL = "nobody writes here"


@pytest.fixture
def unpacked(tmp_path: Path) -> Any:
    """What packs layers, unpacks them into a folder beside a file that nobody may touch, and lists what is there."""

    def result(*layers: list[Item]) -> dict[str, str]:
        outside = tmp_path / "outside"
        outside.write_text(SENTINEL)
        outside.chmod(0o640)
        archive = tmp_path / "image.tar"
        make_archive(archive, *layers)
        folder = tmp_path / "rootfs"
        try:
            with reading.opened(str(archive)) as opened:
                unpack(opened, str(folder))
        finally:
            assert sorted(os.listdir(tmp_path)) in (["image.tar", "outside", "rootfs"], ["image.tar", "outside"])
            assert outside.read_text() == SENTINEL
            assert outside.stat().st_mode & 0o777 == 0o640
            assert outside.stat().st_nlink == 1
        return listing(str(folder))

    return result


def listing(folder: str) -> dict[str, str]:
    """Return each path below `folder` with `/`, its link or its text."""
    found = {}
    for parent, names, file_names in os.walk(folder):
        for name in names + file_names:
            path = os.path.join(parent, name)
            if os.path.islink(path):
                said = "-> " + os.readlink(path)
            elif os.path.isdir(path):
                said = "/"
            else:
                with open(path, encoding="utf-8") as file:
                    said = file.read()
            found[path.removeprefix(folder + "/")] = said
    return found


def test_later_layers_lie_over_earlier_ones(unpacked: Any) -> None:
    lower = [directory("etc"), item("etc/a", b"old"), item("etc/b", b"kept"), item("turned", b"file")]
    upper = [item("etc/a", b"new"), directory("turned"), item("turned/c", b"inside")]
    assert unpacked(lower, upper) == {
        "etc": "/",
        "etc/a": "new",
        "etc/b": "kept",
        "turned": "/",
        "turned/c": "inside",
    }


def test_a_file_takes_the_place_of_a_whole_directory(unpacked: Any) -> None:
    assert unpacked([directory("d"), item("d/x/y", b"1")], [item("d", b"file")]) == {"d": "file"}


def test_a_whiteout_takes_away_what_lower_layers_have(unpacked: Any) -> None:
    lower = [directory("d"), item("d/a", b"1"), item("d/b", b"2"), directory("e"), item("e/f/g", b"3")]
    assert unpacked(lower, [item("d/.wh.a"), item(".wh.e")]) == {"d": "/", "d/b": "2"}


def test_a_whiteout_spares_what_its_own_layer_brings(unpacked: Any) -> None:
    lower = [directory("d"), item("d/a", b"1")]
    assert unpacked(lower, [item("d/a", b"2"), item("d/.wh.a")]) == {"d": "/", "d/a": "2"}


def test_an_opaque_directory_hides_all_below_it(unpacked: Any) -> None:
    lower = [directory("d"), item("d/a", b"1"), item("d/deep/b", b"2"), item("e", b"3")]
    upper = [directory("d"), item("d/new", b"4"), item("d/.wh..wh..opq")]
    assert unpacked(lower, upper) == {"d": "/", "d/new": "4", "e": "3"}


def test_whiteouts_of_what_is_not_there_do_nothing(unpacked: Any) -> None:
    layer = [item(".wh.a"), item("no/such/.wh.b"), item("no/.wh..wh..opq"), item(".wh..wh.plnk"), item("x", b"1")]
    assert unpacked([item("y", b"2")], layer) == {"x": "1", "y": "2"}


@pytest.mark.parametrize("name", [".wh.", ".wh...", "d/.wh.."])
def test_a_whiteout_of_nothing_or_of_a_parent_takes_nothing_away(unpacked: Any, name: str) -> None:
    assert unpacked([directory("d"), item("d/a", b"1")], [item(name)])["d/a"] == "1"


def test_a_link_of_a_lower_layer_is_hidden_and_never_walked(unpacked: Any) -> None:
    # As on overlay file systems: an upper layer with bin/foo makes a real directory of /bin.
    lower = [directory("usr/bin"), item("usr/bin/sh", b"1"), symlink("bin", "usr/bin"), symlink("out", "..")]
    assert unpacked(lower, [item("bin/foo", b"2"), item("out/outside", b"3")]) == {
        "usr": "/",
        "usr/bin": "/",
        "usr/bin/sh": "1",
        "bin": "/",
        "bin/foo": "2",
        "out": "/",
        "out/outside": "3",
    }


@pytest.mark.parametrize("text", ["/", "..", "../outside", "/etc"])
def test_a_path_through_a_link_of_its_own_layer_is_refused(unpacked: Any, text: str) -> None:
    with pytest.raises(ScratchbuildError, match="file or a link"):
        unpacked([symlink("out", text), item("out/outside", b"overwritten")])


def test_a_file_over_a_link_replaces_the_link_not_what_it_points_to(unpacked: Any) -> None:
    assert unpacked([symlink("a", "../outside")], [item("a", b"mine")]) == {"a": "mine"}


@pytest.mark.parametrize("name", ["../outside", "a/../../outside", "..", "a/.."])
def test_a_name_that_leads_out_is_refused(unpacked: Any, name: str) -> None:
    with pytest.raises(ScratchbuildError, match=r"has \.\. in it"):
        unpacked([item(name, b"overwritten")])


def test_an_absolute_name_stays_inside(unpacked: Any) -> None:
    assert unpacked([item("/etc/passwd", b"mine")]) == {"etc": "/", "etc/passwd": "mine"}


@pytest.mark.parametrize("target", ["../outside", "/outside", "missing", "later"])
def test_a_hard_link_to_anything_but_an_earlier_file_of_its_layer_is_refused(unpacked: Any, target: str) -> None:
    link = item("link", kind=tarfile.LNKTYPE, linkname=target)
    with pytest.raises(ScratchbuildError):
        unpacked([item("below", b"1")], [link, item("later", b"2")])


def test_a_hard_link_to_a_file_of_a_lower_layer_is_refused(unpacked: Any) -> None:
    with pytest.raises(ScratchbuildError, match="no file before it"):
        unpacked([item("below", b"1")], [item("link", kind=tarfile.LNKTYPE, linkname="below")])


def test_hard_links_are_one_file(unpacked: Any, tmp_path: Path) -> None:
    unpacked([item("a", b"1"), item("b", kind=tarfile.LNKTYPE, linkname="a")])
    assert (tmp_path / "rootfs/a").stat().st_ino == (tmp_path / "rootfs/b").stat().st_ino


def test_a_changed_hard_link_leaves_its_other_name_alone(unpacked: Any) -> None:
    lower = [item("a", b"1"), item("b", kind=tarfile.LNKTYPE, linkname="a")]
    assert unpacked(lower, [item("b", b"2")]) == {"a": "1", "b": "2"}


def test_a_path_that_is_there_twice_is_refused(unpacked: Any) -> None:
    with pytest.raises(ScratchbuildError, match="twice"):
        unpacked([item("a", b"1"), item("./a", b"2")])


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_are_refused(unpacked: Any, kind: bytes) -> None:
    with pytest.raises(ScratchbuildError, match="device or FIFO"):
        unpacked([item("d", kind=kind, devmajor=1, devminor=3)])


@pytest.mark.parametrize(("uid", "mtime"), [(2**40, 0), (0, 2**60)])
def test_numbers_that_no_system_has_are_refused_or_bounded(unpacked: Any, uid: int, mtime: int) -> None:
    if uid:
        with pytest.raises(ScratchbuildError, match="owner"):
            unpacked([item("a", b"1", uid=uid)])
    else:
        assert unpacked([item("a", b"1", mtime=mtime)]) == {"a": "1"}


def test_a_path_too_deep_to_be_handled_is_refused(unpacked: Any) -> None:
    with pytest.raises(ScratchbuildError, match="more than 256 directories"):
        unpacked([item("d/" * 300 + "f", b"1")])


def test_a_name_longer_than_file_systems_take_is_an_error(unpacked: Any) -> None:
    with pytest.raises(ScratchbuildError, match="name too long"):
        unpacked([item("n" * 300, b"1")])


def test_a_layer_whose_bytes_are_not_the_configs_is_refused(tmp_path: Path) -> None:
    make_archive(tmp_path / "image.tar", [item("a", b"original")])
    data = (tmp_path / "image.tar").read_bytes()
    (tmp_path / "image.tar").write_bytes(data.replace(b"original", b"modified"))
    with (
        reading.opened(str(tmp_path / "image.tar")) as opened,
        pytest.raises(ScratchbuildError, match="its digest is"),
    ):
        unpack(opened, str(tmp_path / "rootfs"))


@pytest.mark.parametrize("mask", [0o000, 0o077, 0o777])
def test_modes_are_the_archives_under_any_umask(unpacked: Any, tmp_path: Path, mask: int) -> None:
    layer = [
        directory("closed", 0o500),
        item("closed/in", b"1", 0o400),
        directory("tmp", 0o1777),
        item("suid", b"", 0o4755),
        item("sgid", b"", 0o2711),
        item("implied/f", b"", 0o666),
    ]
    before = os.umask(mask)
    try:
        unpacked(layer)
    finally:
        os.umask(before)
    modes = {"closed": 0o500, "closed/in": 0o400, "tmp": 0o1777, "suid": 0o4755, "sgid": 0o2711, "implied": 0o755}
    root = tmp_path / "rootfs"
    assert {path: stat.S_IMODE((root / path).stat().st_mode) for path in modes} == modes
    assert stat.S_IMODE(root.stat().st_mode) == 0o755


def test_the_top_directory_has_the_mode_that_the_archive_gives_it(unpacked: Any, tmp_path: Path) -> None:
    unpacked([directory("./", 0o711), item("a", b"1")])
    assert stat.S_IMODE((tmp_path / "rootfs").stat().st_mode) == 0o711


def test_a_later_layer_can_change_a_directorys_mode_and_keep_its_files(unpacked: Any, tmp_path: Path) -> None:
    assert unpacked([directory("d", 0o755), item("d/a", b"1")], [directory("d", 0o700)])["d/a"] == "1"
    assert stat.S_IMODE((tmp_path / "rootfs/d").stat().st_mode) == 0o700


def test_times_are_the_archives(unpacked: Any, tmp_path: Path) -> None:
    unpacked([directory("d", mtime=1000), item("d/a", b"1", mtime=2000), item("d/b", b"1", mtime=3000)])
    root = tmp_path / "rootfs"
    assert [(root / path).stat().st_mtime for path in ("d", "d/a", "d/b")] == [1000, 2000, 3000]


def test_root_gives_files_the_owners_and_capabilities_of_the_archive(unpacked: Any, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can")
    capability = bytes.fromhex("0100000200200000") + bytes(12)
    pax = {"SCHILY.xattr.security.capability": capability.decode("utf-8", "surrogateescape")}
    layer = [
        item("a", b"1", 0o4755, uid=12, gid=34),
        directory("d", uid=56),
        item("c", b"1", 0o755, pax_headers=pax),
    ]
    unpacked(layer)
    root = tmp_path / "rootfs"
    status = (root / "a").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (12, 34, 0o4755)
    assert (root / "d").stat().st_uid == 56
    assert os.getxattr(root / "c", "security.capability") == capability


def test_names_that_are_not_utf8_stay_as_they_are(unpacked: Any, tmp_path: Path) -> None:
    unpacked([item("caf\udce9", b"1"), item("größe", b"2")])
    assert sorted(os.listdir(os.fsencode(tmp_path / "rootfs"))) == sorted([b"caf\xe9", "größe".encode()])


names = st.sampled_from(["a", "b", "a/b", "a/b/c", "b/a", "./a", "/a", "..", "../outside", "a/../../outside", "a//b"])
texts = st.sampled_from(["a", "b", "..", "../outside", "/", "/etc", "../..", "a/b"])
kinds = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE])
prefixes = st.sampled_from(["", "", "", ".wh.", ".wh..wh..opq"])


def _member(name: str, kind: bytes, text: str, prefix: str) -> Item:
    if prefix:
        parent, _, last = name.rpartition("/")
        name = f"{parent}/" * bool(parent) + (prefix + last if prefix == ".wh." else prefix)
        kind = tarfile.REGTYPE
    return item(name, b"x" if kind == tarfile.REGTYPE else b"", 0o755, kind, linkname=text)


layers = st.lists(st.lists(st.builds(_member, names, kinds, texts, prefixes), max_size=5), min_size=1, max_size=3)


@given(layers)
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_archive_whatever_it_holds_reaches_outside(
    tmp_path_factory: pytest.TempPathFactory, made: list[Any]
) -> None:
    folder = tmp_path_factory.mktemp("hostile")
    outside = folder / "outside"
    outside.write_text(SENTINEL)
    before = outside.stat()
    make_archive(folder / "image.tar", *made)
    try:
        with reading.opened(str(folder / "image.tar")) as opened:
            unpack(opened, str(folder / "rootfs"))
    except ScratchbuildError:
        pass
    after = outside.stat()
    assert outside.read_text() == SENTINEL
    assert (after.st_mode, after.st_nlink, after.st_ctime_ns) == (before.st_mode, 1, before.st_ctime_ns)
    assert set(os.listdir(folder)) <= {"image.tar", "outside", "rootfs"}
    (folder / "image.tar").unlink()


def test_an_archive_cut_anywhere_is_refused(tmp_path: Path) -> None:
    make_archive(tmp_path / "whole.tar", [item("a", b"1" * 600), directory("d")])
    data = (tmp_path / "whole.tar").read_bytes().rstrip(b"\0")
    for length in range(0, len(data), 97):
        cut = tmp_path / "cut.tar"
        cut.write_bytes(data[:length])
        with pytest.raises(ScratchbuildError), reading.opened(str(cut)) as opened:
            unpack(opened, str(tmp_path / f"rootfs-{length}"))
