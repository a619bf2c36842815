"""Archives of other writers are read as they meant them; damaged ones are an error, never a traceback or a hang."""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scratchbuild import tar, untar
from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from pathlib import Path

END = bytes(1024)


def read(data: bytes) -> list[untar.Found]:
    """Return the members of an archive."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return list(untar.members(file.fileno()))


def packed(*infos: tarfile.TarInfo, kind: int = tarfile.PAX_FORMAT) -> bytes:
    """Return the archive that Python makes of members whose data is all `x`."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=kind) as archive:
        for info in infos:
            archive.addfile(info, io.BytesIO(b"x" * info.size))
    return data.getvalue()


def info(name: str, kind: bytes = tarfile.REGTYPE, **fields: Any) -> tarfile.TarInfo:
    """Return a member for Python's writer."""
    made = tarfile.TarInfo(name)
    made.type = kind
    for key, value in fields.items():
        setattr(made, key, value)
    return made


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_of_pythons_formats_are_read(kind: int) -> None:
    long = "" if kind == tarfile.USTAR_FORMAT else "l" * 300
    found = read(
        packed(
            info("bin", tarfile.DIRTYPE, mode=0o755),
            info("bin/" + (long or "a"), size=513, mode=0o4755, uid=3, gid=4, mtime=5),
            info("bin/sh", tarfile.SYMTYPE, linkname=long or "a"),
            info("bin/b", tarfile.LNKTYPE, linkname="bin/" + (long or "a")),
            info("fifo", tarfile.FIFOTYPE),
            info("null", tarfile.CHRTYPE, devmajor=1, devminor=3),
            kind=kind,
        )
    )
    members = [each.member for each in found]
    assert [member.name for member in members] == ["bin/", "bin/" + (long or "a"), "bin/sh", "bin/b", "fifo", "null"]
    assert [member.kind for member in members] == [b"5", b"0", b"2", b"1", b"6", b"3"]
    assert members[1] == tar.Member("bin/" + (long or "a"), mode=0o4755, uid=3, gid=4, size=513, mtime=5)
    assert members[2].linkname == long or "a"


def test_numbers_that_gnu_tar_says_in_binary_are_read() -> None:
    (found,) = read(packed(info("a", uid=2**31, gid=8**7, mtime=-1), kind=tarfile.GNU_FORMAT))
    assert (found.member.uid, found.member.gid, found.member.mtime) == (2**31, 8**7, -1)


def test_fractions_of_a_second_are_cut_off() -> None:
    (found,) = read(packed(info("a", mtime=1.75)))
    assert found.member.mtime == 1


def test_a_pax_header_for_all_members_holds_until_the_member_says_otherwise() -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", pax_headers={"uid": "7", "comment": "x"}) as archive:
        archive.addfile(info("a"))
        archive.addfile(info("b", uid=2**22))
    assert [each.member.uid for each in read(data.getvalue())] == [7, 2**22]


def test_names_that_are_not_utf8_are_kept_as_bytes() -> None:
    (found,) = read(packed(info("a\udcff"), kind=tarfile.GNU_FORMAT))
    assert os.fsencode(found.member.name) == b"a\xff"


@pytest.mark.parametrize("form", ["v7", "ustar", "gnu", "oldgnu", "posix"])
def test_what_gnu_tar_packs_is_read(form: str, tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "f").write_bytes(b"12345")
    os.link(tmp_path / "d" / "f", tmp_path / "d" / "g")
    os.symlink("f", tmp_path / "d" / "s")
    data = subprocess.run(
        ["tar", "-c", "--format", form, "--sort=name", "-C", tmp_path, "d"], check=True, capture_output=True
    ).stdout
    found = read(data)
    assert [(each.member.name, each.member.kind, each.member.linkname) for each in found] == [
        ("d/", tar.DIRECTORY, ""),
        ("d/f", tar.FILE, ""),
        ("d/g", tar.HARDLINK, "d/f"),
        ("d/s", tar.SYMLINK, "f"),
    ]
    assert data[found[1].offset :][:5] == b"12345"


def test_an_archive_inside_a_file_is_read_where_it_lies() -> None:
    inner = packed(info("inside", size=3))
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + inner + b"after")
        file.flush()
        (found,) = untar.members(file.fileno(), 6, len(inner))
        assert os.pread(file.fileno(), 3, found.offset) == b"xxx"


GOOD = packed(info("a", size=700), info("l" * 200, size=5), info("b/", tarfile.DIRTYPE))
WHOLE = len(GOOD.rstrip(b"\0")) + 1024


@pytest.mark.parametrize("length", range(0, 6 * 512 + 1, 64))
def test_an_archive_cut_off_anywhere_is_an_error(length: int) -> None:
    with pytest.raises(ScratchbuildError, match="ends too early"):
        read(GOOD[:length])


def header(**changed: bytes) -> bytes:
    """Return a block for the file `a` with some fields changed, and the right checksum."""
    places = {
        "name": 0,
        "mode": 100,
        "uid": 108,
        "size": 124,
        "mtime": 136,
        "kind": 156,
        "linkname": 157,
        "prefix": 345,
    }
    block = bytearray(tar.header(tar.Member("a")))
    for key, value in changed.items():
        block[places[key] : places[key] + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def pax(data: bytes) -> bytes:
    """Return a PAX header with these records, damaged or not, and a file `a`."""
    return header(kind=b"x", size=b"%011o" % len(data)) + data + bytes(-len(data) % 512) + header()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "ends too early"),
        (b"x" * 512 + END, "checksum"),
        (bytes(512) + header() + END, "one block of zeros"),
        (header(kind=b"x", size=b"00000000011") + b"9 path=b\n" + bytes(503) + END, "announces a member"),
        (header(size=b"77777777777") + END, "ends too early in the data of 'a'"),
        (header(size=b"\x80" + b"\x7f" * 11) + END, "63 bits"),
        (header(size=b"\xff" * 12) + END, "negative"),
        (header(size=b"0000000009x") + END, "octal"),
        (header(kind=b"x", size=b"77777777777") + END, "more than"),
        (header(kind=b"S") + END, "type b'S'"),
        (header(kind=b"Z") + END, "type b'Z'"),
        (header(name=bytes(100)) + END, "empty"),
        (pax(b"") + header(kind=b"L", size=b"00000010001") + b"n" * 4097 + bytes(511) + header() + END, "longer"),
        (pax(b"10 path=b") + END, "damaged"),
        (pax(b"9 path=b\n") + END, None),
        (pax(b"99 path=b\n") + END, "damaged"),
        (pax(b"0 path=b\n") + END, "damaged"),
        (pax(b"-9 path=b\n") + END, "not a number"),
        (pax(b"path=b\n") + END, "not a number"),
        (pax(b"8 pathb\n") + END, "damaged"),
        (pax(b"5 =b\n") + END, "damaged"),
        (pax(b"12 path=b\0b\n") + END, "NUL"),
        (pax(b"9 size=x\n") + END, "not a number"),
        (pax(b"12 size=1e9\n") + END, "not a number"),
        (pax(b"28 size=9999999999999999999\n") + END, "not a number"),
        (pax(b"12 size=-10\n") + END, "negative"),
        (pax(b"22 GNU.sparse.major=1\n") + END, "sparse"),
    ],
)
def test_a_damaged_archive_is_an_error_that_tells_the_byte(data: bytes, said: str | None) -> None:
    if said is None:
        read(data)
        return
    with pytest.raises(ScratchbuildError, match=said) as raised:
        read(data)
    assert raised.value.where.startswith("byte ")


def test_many_small_pax_records_are_read_in_no_time() -> None:
    assert len(untar.pax_records(b"6 a=b\n" * 150_000)) == 1


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_an_archive_with_any_bytes_changed_is_read_or_an_error(data: st.DataObject) -> None:
    changed = bytearray(GOOD[: data.draw(st.integers(1, WHOLE))])
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(changed) - 1))
        changed[place] = data.draw(st.sampled_from([0, 32, 48, 49, 55, 57, 61, 120, 128, 255]))
    for start in range(0, len(changed) - 511, 512):  # right checksums let the damage in further
        if data.draw(st.booleans()) and any(block := changed[start : start + 512]):
            block[148:156] = b" " * 8
            changed[start + 148 : start + 156] = b"%06o\0 " % sum(block)
    try:
        found = read(bytes(changed))
    except ScratchbuildError:
        return
    assert all(each.offset + each.member.size <= len(changed) for each in found)
