"""The layer is a function of its entries and their bytes, and engines take it."""

from __future__ import annotations

import glob
import hashlib
import os
import random
import shutil
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest

import scratchbuild
from scratchbuild import layer
from scratchbuild.errors import ScratchbuildError
from scratchbuild.rootfs import Entry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

REPOSITORY = os.path.dirname(os.path.dirname(os.path.abspath(scratchbuild.__file__)))
EPOCH = 1718668800
CAPABILITY = bytes.fromhex("0100000200200000") + bytes(12)


def directory(path: str, mode: int = 0o755) -> Entry:
    """Return a directory."""
    return Entry(path, "directory", mode, "a test's")


def file(path: str, mode: int = 0o644) -> Entry:
    """Return a file."""
    return Entry(path, "file", mode, "a test's")


def hardlink(path: str, to: str) -> Entry:
    """Return one more name of a file."""
    return Entry(path, "hardlink", 0o644, "a test's", link=to)


def symlink(path: str, text: str) -> Entry:
    """Return a symbolic link."""
    return Entry(path, "symlink", 0o777, "a test's", link=text)


TREE = [
    directory("/a"),
    file("/a/ü ber", 0o600),
    directory("/a-b"),
    file("/a-b/x"),
    directory("/bin"),
    file("/bin/ping", 0o755)._replace(capability=CAPABILITY, uid=70000, gid=2**31),
    file("/bin/su", 0o4755),
    symlink("/bin/sh", "../no/such/../target"),
    hardlink("/bin/apropos", "/bin/ping"),
    hardlink("/bin/zz", "/bin/ping"),
    file("/B", 0o640),
    directory("/deep"),
    directory("/deep/" + "n" * 200),
    file("/deep/" + "n" * 200 + "/f"),
    directory("/var", 0o1777),
]
# SHA-256 of TREE as `staged` fills it. It may change only together with a note to users: their digests change with it.
GOLDEN = "5c9ddf7c565e51b3d517bbea5fef5206f2280584c8b40a37f4903f80e16bfda5"


def staged(folder: str, entries: Iterable[Entry]) -> str:
    """Put files on disk whose bytes follow from their paths, and return the folder."""
    for entry in sorted(entries):
        path = folder + entry.path
        if entry.kind == "directory":
            os.makedirs(path, exist_ok=True)
        elif entry.kind == "file":
            with open(path, "wb") as opened:
                opened.write(os.fsencode(entry.path) * 100)
    return folder


def names(path: Path) -> list[tuple[str, bytes, str]]:
    """Return name, type and link name of each member, as Python reads them."""
    with tarfile.open(path, "r:") as archive:
        return [(member.name, member.type, member.linkname) for member in archive]


def write(tmp_path: Path, entries: Sequence[Entry]) -> Path:
    """Stage entries and write their layer."""
    os.makedirs(tmp_path / "rootfs", exist_ok=True)
    layer.write(str(tmp_path / "layer.tar"), entries, staged(str(tmp_path / "rootfs"), entries), mtime=EPOCH)
    return tmp_path / "layer.tar"


def test_members_are_sorted_bytewise_with_parents_first_and_the_first_name_of_a_file_holds_it(tmp_path: Path) -> None:
    assert names(write(tmp_path, TREE)) == [
        ("B", tarfile.REGTYPE, ""),
        ("a", tarfile.DIRTYPE, ""),
        ("a-b", tarfile.DIRTYPE, ""),
        ("a-b/x", tarfile.REGTYPE, ""),
        ("a/ü ber", tarfile.REGTYPE, ""),
        ("bin", tarfile.DIRTYPE, ""),
        ("bin/apropos", tarfile.REGTYPE, ""),
        ("bin/ping", tarfile.LNKTYPE, "bin/apropos"),
        ("bin/sh", tarfile.SYMTYPE, "../no/such/../target"),
        ("bin/su", tarfile.REGTYPE, ""),
        ("bin/zz", tarfile.LNKTYPE, "bin/apropos"),
        ("deep", tarfile.DIRTYPE, ""),
        ("deep/" + "n" * 200, tarfile.DIRTYPE, ""),
        ("deep/" + "n" * 200 + "/f", tarfile.REGTYPE, ""),
        ("var", tarfile.DIRTYPE, ""),
    ]


def test_modes_owners_times_and_capabilities_are_those_of_the_entries(tmp_path: Path) -> None:
    with tarfile.open(write(tmp_path, TREE), "r:") as archive:
        members = {"/" + member.name: member for member in archive}
        for entry in TREE:
            if entry.kind != "hardlink":
                member = members[entry.path]
                assert (member.mode, member.uid, member.gid, member.mtime) == (entry.mode, entry.uid, entry.gid, EPOCH)
        # Engines set owner and mode again for each name, which takes a capability away unless it stands there too.
        for path in ("/bin/ping", "/bin/apropos", "/bin/zz"):
            assert (members[path].mode, members[path].uid, members[path].gid) == (0o755, 70000, 2**31)
            assert os.fsencode(members[path].pax_headers["SCHILY.xattr.security.capability"]) == CAPABILITY
        content = archive.extractfile("bin/apropos")
        assert content is not None
        assert content.read() == b"/bin/ping" * 100


def test_facts_are_the_size_and_fingerprint_of_what_was_written(tmp_path: Path) -> None:
    import xxhash  # noqa: PLC0415

    folder = staged(str(tmp_path), [file("/a")])
    facts = layer.write(str(tmp_path / "layer.tar"), [file("/a")], folder, mtime=0)
    data = (tmp_path / "layer.tar").read_bytes()
    assert facts == layer.LayerFacts(len(data), xxhash.xxh3_128_hexdigest(data))


def test_a_layer_of_nothing_is_an_archive_of_nothing(tmp_path: Path) -> None:
    assert write(tmp_path, []).read_bytes() == bytes(1024)


def test_the_root_directory_itself_is_the_one_member_that_begins_with_a_dot(tmp_path: Path) -> None:
    path = write(tmp_path, [directory("/", 0o700), directory("/a")])
    assert path.read_bytes()[:3] == b"./\0"
    assert [name for name, _, _ in names(path)] == [".", "a"]


def test_the_layer_is_the_same_for_ever(tmp_path: Path) -> None:
    assert hashlib.sha256(write(tmp_path, TREE).read_bytes()).hexdigest() == GOLDEN


@pytest.mark.parametrize("seed", range(5))
def test_neither_the_order_of_entries_nor_that_of_the_disk_matters(seed: int, tmp_path: Path) -> None:
    shuffled = random.Random(seed).sample(TREE, len(TREE))  # noqa: S311 - an order, not a secret
    files = [entry for entry in shuffled if entry.kind == "file"]
    os.makedirs(tmp_path / "rootfs")
    staged(str(tmp_path / "rootfs"), [entry for entry in TREE if entry.kind == "directory"])
    for entry in files:
        staged(str(tmp_path / "rootfs"), [entry])
    layer.write(str(tmp_path / "layer.tar"), shuffled, str(tmp_path / "rootfs"), mtime=EPOCH)
    assert hashlib.sha256((tmp_path / "layer.tar").read_bytes()).hexdigest() == GOLDEN


def interpreters() -> dict[str, str]:
    """Return the Pythons of this machine that scratchbuild is for, by version."""
    found = {f"3.{sys.version_info.minor}": sys.executable}
    for version in ("3.11", "3.12", "3.13"):
        installed = sorted(glob.glob(os.path.expanduser(f"~/.pyenv/versions/{version}.*/bin/python")))
        if path := installed[-1] if installed else shutil.which(f"python{version}"):
            found.setdefault(version, path)
    return found


# The fingerprint is not in the layer, so a Python without xxhash can show what it writes.
PROGRAM = """
import os, sys, types
os.umask(int(os.environ["UMASK"], 8))
sys.path.insert(0, os.environ["REPOSITORY"])
try:
    import xxhash
except ImportError:
    sys.modules["xxhash"] = types.SimpleNamespace(xxh3_128_hexdigest=lambda data: "")
from scratchbuild import layer
from scratchbuild.rootfs import Entry
layer.write(sys.argv[2], set(eval(sys.argv[3])), sys.argv[1], mtime=int(sys.argv[4]))
"""


@pytest.mark.parametrize("python", interpreters().values(), ids=interpreters().keys())
@pytest.mark.parametrize(
    ("umask", "zone", "locale", "seed"),
    [
        ("000", "UTC", "C", "0"),
        ("002", "Asia/Shanghai", "C.UTF-8", "1"),
        ("077", "America/St_Johns", "POSIX", "random"),
    ],
)
def test_nothing_around_a_build_reaches_the_bytes(  # noqa: PLR0913, PLR0917
    python: str, umask: str, zone: str, locale: str, seed: str, tmp_path: Path
) -> None:
    folder = staged(str(tmp_path / "r"), [directory("/"), *TREE])
    environment = {
        "UMASK": umask,
        "TZ": zone,
        "LC_ALL": locale,
        "PYTHONHASHSEED": seed,
        "REPOSITORY": REPOSITORY,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    target = tmp_path / "layer.tar"
    subprocess.run(
        [python, "-c", PROGRAM, folder, target, repr(TREE), str(EPOCH)], env=environment, cwd=tmp_path, check=True
    )
    assert hashlib.sha256(target.read_bytes()).hexdigest() == GOLDEN
    assert target.stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([file("/a"), file("/a")], "/a is in this layer twice"),
        ([file("/a"), directory("/a")], "/a is in this layer twice"),
        ([file("/a/b")], "/a/b has no directory to be in: /a is not in this layer"),
        ([file("/a"), file("/a/b")], "/a/b has no directory to be in: /a is a file"),
        ([symlink("/a", "/"), file("/a/b")], "/a/b has no directory to be in: /a is a symlink"),
        ([hardlink("/a", "/b")], "/a is a hard link to /b, which is not a file of this layer"),
        ([hardlink("/a", "/b"), symlink("/b", "c")], "/a is a hard link to /b, which is not a file of this layer"),
        ([file("/.wh.a")], "/.wh.a cannot be in an image"),
        ([directory("/.wh..wh..opq")], "cannot be in an image"),
        ([symlink("/a\udcff", "b")], "not valid UTF-8"),
    ],
)
def test_entries_that_are_no_tree_or_that_engines_would_misread_are_refused(
    entries: list[Entry], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ScratchbuildError, match=said):
        layer.write(str(tmp_path / "layer.tar"), entries, str(tmp_path), mtime=EPOCH)
    assert os.listdir(tmp_path) == []


def test_a_time_before_1970_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r" / "a").mkdir(parents=True)
    with pytest.raises(ScratchbuildError, match="modification time is -1"):
        layer.write(str(tmp_path / "layer.tar"), [directory("/a")], str(tmp_path / "r"), mtime=-1)


def test_an_error_leaves_the_last_good_layer_in_place(tmp_path: Path) -> None:
    path = write(tmp_path, TREE)
    before = path.read_bytes()
    os.unlink(tmp_path / "rootfs/B")
    with pytest.raises(ScratchbuildError, match=r"cannot read .*/rootfs/B: no such file"):
        layer.write(str(path), TREE, str(tmp_path / "rootfs"), mtime=EPOCH)
    assert path.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["layer.tar", "rootfs"]


def test_a_link_on_disk_where_a_directory_or_file_is_expected_brings_in_nothing_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/secret").write_text("secret")
    (tmp_path / "r").mkdir()
    os.symlink("../elsewhere", tmp_path / "r/a")
    with pytest.raises(ScratchbuildError, match="it is a symbolic link"):
        layer.write(str(tmp_path / "layer.tar"), [directory("/a"), file("/a/secret")], str(tmp_path / "r"), mtime=EPOCH)
    os.symlink("../elsewhere/secret", tmp_path / "r/b")
    with pytest.raises(ScratchbuildError, match="too many levels"):
        layer.write(str(tmp_path / "layer.tar"), [file("/b")], str(tmp_path / "r"), mtime=EPOCH)


def test_a_folder_that_cannot_be_written_is_an_error_for_people(tmp_path: Path) -> None:
    with pytest.raises(ScratchbuildError, match=r"cannot write .*layer.tar: no such file or directory"):
        layer.write(str(tmp_path / "no" / "layer.tar"), [], str(tmp_path), mtime=EPOCH)


@pytest.mark.parametrize(
    ("name", "path"),
    [("bin/a", "/bin/a"), ("./bin/a", "/bin/a"), ("/bin//a/", "/bin/a"), ("./", "/"), (".", "/"), ("a/./b", "/a/b")],
)
def test_a_members_name_is_a_path_of_the_image(name: str, path: str) -> None:
    assert layer.path_of(name) == path


@pytest.mark.parametrize("name", ["..", "../a", "a/../b", "/..", "a/.."])
def test_a_members_name_that_could_lead_out_is_refused(name: str) -> None:
    with pytest.raises(ScratchbuildError, match="lead out of the image"):
        layer.path_of(name)
