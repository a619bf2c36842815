"""What is written is what every reader reads, and always in the same bytes."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild import tar, untar
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

Content = tuple[tar.Member, bytes]

KINDS = {
    tar.FILE: tarfile.REGTYPE,
    tar.HARDLINK: tarfile.LNKTYPE,
    tar.SYMLINK: tarfile.SYMTYPE,
    tar.DIRECTORY: tarfile.DIRTYPE,
}


def written(contents: Iterable[Content]) -> bytes:
    """Return the archive of members and their data."""
    with tempfile.TemporaryFile() as file:
        writer = tar.Writer(cast("BinaryIO", file))
        for member, data in contents:
            writer.add(member, data)
        writer.finish()
        file.seek(0)
        return file.read()


def parts(most: int) -> st.SearchStrategy[str]:
    """Return components of names: short, with spaces, non-ASCII, long."""
    any_text = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12)
    long_text = st.text("abc .-_é", min_size=90, max_size=most)
    return st.one_of(st.text("ab. -", min_size=1, max_size=6), any_text, long_text).filter(
        lambda p: p not in {".", ".."}
    )


NAMES = st.lists(parts(260), min_size=1, max_size=5).map("/".join)
IDS = st.one_of(
    st.integers(0, 5), st.sampled_from([tar.MOST_ID, tar.MOST_ID + 1, 2**32 - 1]), st.integers(0, 2**32 - 1)
)
TIMES = st.one_of(st.integers(0, 2**31), st.sampled_from([tar.MOST_TIME, tar.MOST_TIME + 1]))
SIZES = st.one_of(st.integers(0, 3 * 512), st.sampled_from([0, 1, 511, 512, 513, 1023, 1024, 1025]))
XATTRS = st.dictionaries(
    st.text(st.characters(exclude_characters="=\0", exclude_categories=["Cs"]), min_size=1, max_size=10),
    st.binary(min_size=1, max_size=40),
    max_size=3,
)


@st.composite
def contents(draw: st.DrawFn) -> Content:
    """Return any member that the writer takes, and its data."""
    kind = draw(st.sampled_from(list(KINDS)))
    data = os.urandom(1) * draw(SIZES) if kind == tar.FILE else b""
    member = tar.Member(
        draw(NAMES) + "/" * (kind == tar.DIRECTORY),
        kind,
        mode=draw(st.integers(0, 0o7777)),
        uid=draw(IDS),
        gid=draw(IDS),
        size=len(data),
        mtime=draw(TIMES),
        linkname=draw(NAMES) if kind in {tar.HARDLINK, tar.SYMLINK} else "",
        xattrs=draw(XATTRS),
    )
    return member, data


@given(st.lists(contents(), max_size=6))
@settings(deadline=None, max_examples=150)
def test_python_reads_every_field_as_it_was_given(given_contents: list[Content]) -> None:
    data = written(given_contents)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:
            found = archive.getmembers()
            for read, (member, content) in zip(found, given_contents, strict=True):
                # tarfile drops every trailing slash, and a trailing slash is all that a directory's name adds.
                assert read.name == member.name.rstrip("/")
                assert read.type == KINDS[member.kind]
                assert (read.mode, read.uid, read.gid) == (member.mode, member.uid, member.gid)
                assert (read.size, read.mtime) == (member.size, member.mtime)
                assert (read.linkname, read.uname, read.gname) == (member.linkname, "", "")
                xattrs = {k: v for k, v in read.pax_headers.items() if k.startswith("SCHILY.xattr.")}
                assert {os.fsencode(k): os.fsencode(v) for k, v in xattrs.items()} == {
                    b"SCHILY.xattr." + k.encode(): v for k, v in member.xattrs.items()
                }
                assert {"atime", "ctime"}.isdisjoint(read.pax_headers)
                if member.kind == tar.FILE:
                    stream = archive.extractfile(read)
                    assert stream is not None
                    assert stream.read() == content


@given(st.lists(contents(), max_size=6))
@settings(deadline=None, max_examples=150)
def test_our_own_reader_gives_back_the_members_and_where_their_data_is(given_contents: list[Content]) -> None:
    data = written(given_contents)
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        found = list(untar.members(file.fileno()))
    assert [each.member for each in found] == [member for member, _ in given_contents]
    assert [data[each.offset : each.offset + each.member.size] for each in found] == [d for _, d in given_contents]


@given(st.lists(contents(), max_size=6))
@settings(deadline=None, max_examples=100)
def test_an_archive_is_whole_blocks_and_ends_in_exactly_two_of_zeros(given_contents: list[Content]) -> None:
    data = written(given_contents)
    assert len(data) % tar.BLOCK == 0
    assert data[-2 * tar.BLOCK :] == bytes(2 * tar.BLOCK)
    expected = sum(len(tar.header(member)) + len(d) + len(tar.padding(len(d))) for member, d in given_contents)
    assert len(data) == expected + 2 * tar.BLOCK


@st.composite
def trees(draw: st.DrawFn) -> list[Content]:
    """Return members that can be unpacked into one folder: unique names, nothing inside a file."""
    found: dict[str, Content] = {}
    for name in draw(st.lists(st.lists(parts(150), min_size=1, max_size=3), min_size=1, max_size=6)):
        # A number in front keeps names apart, and the tree's shape away from "." and upper-case doubles.
        path = "/".join(f"{i}{part}".encode()[:240].decode(errors="ignore") for i, part in enumerate(name))
        above = path.split("/")
        folders = ["/".join(above[: i + 1]) + "/" for i in range(len(above) - 1)]
        if path in found or path + "/" in found or any(folder.rstrip("/") in found for folder in folders):
            continue
        for folder in folders:
            found.setdefault(
                folder, (tar.Member(folder, tar.DIRECTORY, mode=0o755, mtime=draw(st.integers(0, 9**9))), b"")
            )
        data = b"x" * draw(SIZES)
        common: dict[str, Any] = {
            "uid": draw(st.integers(0, 2**31)),
            "gid": draw(st.integers(0, 2**31)),
            "mtime": draw(st.integers(0, 9**9)),
        }
        if draw(st.integers(0, 3)):
            found[path] = tar.Member(path, mode=draw(st.integers(0, 0o777)), size=len(data), **common), data
        else:
            found[path] = tar.Member(path, tar.SYMLINK, mode=0o777, linkname=draw(NAMES.filter(short)), **common), b""
    return list(found.values())


def short(text: str) -> bool:
    """Return whether Linux takes `text` as a link's."""
    return len(text.encode()) < 1000


@pytest.mark.parametrize(
    "unpack",
    [
        pytest.param(["tar", "-xpf", "-", "--numeric-owner"], id="gnu tar"),
        pytest.param(["bsdtar", "-xpf", "-", "--numeric-owner"], id="bsdtar", marks=pytest.mark.engine("bsdtar")),
    ],
)
@given(tree=trees())
@settings(deadline=None, max_examples=40)
def test_other_tars_unpack_what_was_packed(unpack: list[str], tree: list[Content]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"LC_ALL": "C.UTF-8"}
        ended = subprocess.run(
            unpack, input=written(tree), cwd=folder, env=environment, capture_output=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (0, b"")
        for member, data in tree:
            path = os.path.join(folder, member.name.rstrip("/"))
            status = os.lstat(path)
            assert int(status.st_mtime) == member.mtime
            assert status.st_mode & 0o7777 == member.mode
            if os.geteuid() == 0:
                assert (status.st_uid, status.st_gid) == (member.uid, member.gid)
            if member.kind == tar.SYMLINK:
                assert os.readlink(path) == member.linkname
            elif member.kind == tar.FILE:
                os.chmod(path, 0o600)
                with open(path, "rb") as file:
                    assert file.read() == data
        count = sum(len(names) + len(folders) for _, folders, names in os.walk(folder))
        assert count == len(tree)


@pytest.mark.parametrize(
    "unpack",
    [
        pytest.param(["tar", "--xattrs", "--xattrs-include=*", "-xpf", "-"], id="gnu tar"),
        pytest.param(["bsdtar", "--xattrs", "-xpf", "-"], id="bsdtar", marks=pytest.mark.engine("bsdtar")),
    ],
)
def test_other_tars_unpack_extended_attributes(unpack: list[str], tmp_path: Path) -> None:
    try:
        os.setxattr(tmp_path, "user.scratchbuild", b"1")
    except OSError:
        pytest.skip("the file system of the temporary folder has no user attributes")
    member = tar.Member("a", xattrs={"user.z": b"\x01\x00\n=\xff", "user.b": b"2"})
    subprocess.run(unpack, input=written([(member, b"")]), cwd=tmp_path, check=True)
    assert {name: os.getxattr(tmp_path / "a", name) for name in os.listxattr(tmp_path / "a")} == member.xattrs


# What the bytes are may not change: every digest that a user has written down hangs on it.


def test_a_ustar_header_is_these_bytes() -> None:
    assert tar.header(tar.Member("bin/bash", mode=0o755, size=1265648, mtime=1718668800)) == (
        b"bin/bash".ljust(100, b"\0") + b"0000755\0"
        b"0000000\0"
        b"0000000\0"
        b"00004647760\0"
        b"14634147000\0"
        b"010706\0 "
        b"0" + bytes(100) + b"ustar\x0000" + bytes(64) + b"0000000\0"
        b"0000000\0" + bytes(155 + 12)
    )


def test_a_pax_header_is_these_bytes() -> None:
    block = tar.header(tar.Member("é", xattrs={"user.b": b"2", "user.a": b"1"}, uid=2097152))
    assert len(block) == 3 * tar.BLOCK
    assert block[:17] == b"PaxHeaders/header"
    assert block[512:1024].rstrip(b"\0") == (
        b"25 SCHILY.xattr.user.a=1\n25 SCHILY.xattr.user.b=2\n11 path=\xc3\xa9\n15 uid=2097152\n"
    )
    assert block[1024:1025] == b"?"


GOLDEN = [
    (tar.Member("bin/", tar.DIRECTORY, mode=0o755, mtime=1718668800), b""),
    (tar.Member("bin/bash", mode=0o755, size=5, mtime=1718668800), b"bash\n"),
    (tar.Member("bin/sh", tar.SYMLINK, mode=0o777, linkname="bash", mtime=1718668800), b""),
    (tar.Member("bin/zsh", tar.HARDLINK, mode=0o755, linkname="bin/bash", mtime=1718668800), b""),
    (tar.Member("tmp/", tar.DIRECTORY, mode=0o1777, uid=1000, gid=2097151, mtime=1718668800), b""),
]
GOLDEN_PAX = [
    (tar.Member("d" * 101 + "/", tar.DIRECTORY, mode=0o700), b""),
    (tar.Member("d" * 101 + "/" + "f" * 100, size=1), b"1"),
    (tar.Member("ütf-8 name", tar.SYMLINK, linkname="l" * 200), b""),
    (tar.Member("own", uid=2**32 - 1, gid=2**21, mtime=8**11), b""),
    (
        tar.Member("ping", mode=0o755, xattrs={"security.capability": bytes.fromhex("0100000200200000") + bytes(12)}),
        b"",
    ),
]


@pytest.mark.parametrize(
    ("golden", "digest"),
    [
        (GOLDEN, "c606d2b65d088f641f7f943ca101a62812751437277217749df0f515fe084170"),
        (GOLDEN_PAX, "d250915da6956001aeae5402f8b566284bc8148575956ca6dc2b0ece266805c7"),
    ],
)
def test_the_same_members_are_the_same_bytes_for_ever(golden: list[Content], digest: str) -> None:
    assert hashlib.sha256(written(golden)).hexdigest() == digest


def test_ustar_says_all_it_can_and_pax_only_the_rest() -> None:
    fits = [
        tar.Member("n" * 100),
        tar.Member("p" * 155 + "/" + "n" * 100),
        tar.Member("p" * 155 + "/" + "n" * 99 + "/", tar.DIRECTORY),
        tar.Member("a", tar.SYMLINK, linkname="l" * 100),
        tar.Member("a", size=8**11 - 1, uid=8**7 - 1, gid=8**7 - 1, mtime=8**11 - 1),
    ]
    too_much = [
        tar.Member("n" * 101),
        tar.Member("p" * 156 + "/" + "n"),
        tar.Member("p" * 155 + "/" + "n" * 101),
        tar.Member("p/" + "n" * 100 + "/", tar.DIRECTORY),
        tar.Member("a", tar.SYMLINK, linkname="l" * 101),
        tar.Member("a", tar.SYMLINK, linkname="ł"),
        tar.Member("ñ"),
        tar.Member("a", size=8**11),
        tar.Member("a", uid=8**7),
        tar.Member("a", gid=8**7),
        tar.Member("a", mtime=8**11),
        tar.Member("a", xattrs={"user.a": b""}),
    ]
    assert [len(tar.header(member)) for member in fits] == [512] * len(fits)
    assert [len(tar.header(member)) for member in too_much] == [1536] * len(too_much)


@pytest.mark.parametrize("count", [1, *range(77, 87), *range(976, 986), *range(9975, 9985)])
def test_a_pax_record_counts_its_own_length(count: int) -> None:
    block = tar.header(tar.Member("a", xattrs={"u": b"v" * count}))
    record = block[512 : len(block) - 512].rstrip(b"\0")
    assert int(record.split(b" ")[0]) == len(record)


def test_a_file_of_nine_gigabytes_has_its_size_in_pax_and_is_found_by_others(tmp_path: Path) -> None:
    size = 9 << 30
    path = tmp_path / "big.tar"
    member = tar.Member("big", size=size)
    with open(path, "wb") as file:  # the data is a hole: what is tried here is the header
        file.write(tar.header(member))
        file.seek(size, os.SEEK_CUR)
        file.write(tar.header(tar.Member("after")) + tar.END)
    assert b"19 size=9663676416\n" in tar.header(member)
    with tarfile.open(path) as archive:
        assert [(each.name, each.size) for each in archive] == [("big", size), ("after", 0)]
    with open(path, "rb") as file:
        assert [each.member for each in untar.members(file.fileno())] == [member, tar.Member("after")]
    listed = subprocess.run(["tar", "-tvf", path], capture_output=True, text=True, check=True).stdout
    assert "9663676416" in listed


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (tar.Member("a\udcff"), "not valid UTF-8"),
        (tar.Member("a", tar.SYMLINK, linkname="\udcff"), "not valid UTF-8"),
        (tar.Member("a\0b"), "NUL"),
        (tar.Member(""), "empty"),
        (tar.Member("/a"), "relative"),
        (tar.Member("./a"), "relative"),
        (tar.Member("a/../b"), "relative"),
        (tar.Member("a//b"), "relative"),
        (tar.Member("a/"), "relative"),
        (tar.Member("a", tar.DIRECTORY), "ends in /"),
        (tar.Member("a", tar.SYMLINK), "empty"),
        (tar.Member("a", linkname="b"), "only a link"),
        (tar.Member("a", kind=b"6"), "type"),
        (tar.Member("a", mtime=-1), "modification time is -1"),
        (tar.Member("a", size=-1), "size is -1"),
        (tar.Member("a/", tar.DIRECTORY, size=1), "size is 1"),
        (tar.Member("a", uid=2**32), "uid is 4294967296"),
        (tar.Member("a", gid=-1), "gid is -1"),
        (tar.Member("a", mode=0o10000), "mode is 4096"),
        (tar.Member("a", xattrs={"a=b": b""}), "="),
        (tar.Member("a", xattrs={"": b""}), "empty"),
    ],
)
def test_what_no_archive_should_hold_is_refused_by_name(member: tar.Member, said: str) -> None:
    with pytest.raises(ScratchbuildError, match=said) as raised:
        tar.header(member)
    assert raised.value.where == repr(member.name)


@pytest.mark.parametrize("size", [0, 5, 512, 64 << 10, (64 << 10) + 1, 300_000])
def test_a_file_goes_in_byte_for_byte(size: int, tmp_path: Path) -> None:
    data = os.urandom(size)
    (tmp_path / "a").write_bytes(data)
    with open(tmp_path / "a.tar", "w+b") as file:
        writer = tar.Writer(file)
        writer.add_file(tar.Member("a"), str(tmp_path / "a"))
        writer.add(tar.Member("b", size=1), b"b")
        writer.finish()
    assert (tmp_path / "a.tar").read_bytes() == written(
        [(tar.Member("a", size=size), data), (tar.Member("b", size=1), b"b")]
    )


def test_an_archive_begins_where_the_file_stands(tmp_path: Path) -> None:
    with open(tmp_path / "a.tar", "w+b") as file:
        file.write(b"before")
        writer = tar.Writer(file)
        writer.finish()
    assert (tmp_path / "a.tar").read_bytes() == b"before" + bytes(1024)


@pytest.mark.parametrize("size", [10, 200_000])
@pytest.mark.parametrize("change", [-1, 1])
def test_a_file_that_grows_or_shrinks_meanwhile_is_an_error(size: int, change: int, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(size + change))
    with open(tmp_path / "a", "rb") as source, open(tmp_path / "a.tar", "w+b") as file:
        writer = tar.Writer(file)
        with pytest.raises(ScratchbuildError, match="changed while it was being read"):
            writer.add(tar.Member("a", size=size), source.fileno())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (os.mkfifo, "a FIFO"),
        (os.mkdir, "a directory"),
        (lambda path: os.symlink("/etc/passwd", path), "too many levels"),
        (lambda _: None, "no such file"),
    ],
    ids=["fifo", "directory", "symlink", "absent"],
)
def test_only_regular_files_are_read_and_a_fifo_is_not_waited_for(
    make: Callable[[Path], None], said: str, tmp_path: Path
) -> None:
    make(tmp_path / "a")
    with open(tmp_path / "a.tar", "w+b") as file, pytest.raises(ScratchbuildError, match=said):
        tar.Writer(file).add_file(tar.Member("a"), str(tmp_path / "a"))


def test_a_sparse_file_is_packed_by_its_content(tmp_path: Path) -> None:
    with open(tmp_path / "holes", "wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    with open(tmp_path / "a.tar", "w+b") as file:
        writer = tar.Writer(file)
        writer.add_file(tar.Member("holes"), str(tmp_path / "holes"))
        writer.finish()
    data = bytes(1 << 20) + b"end"
    assert (tmp_path / "a.tar").read_bytes() == written([(tar.Member("holes", size=len(data)), data)])
