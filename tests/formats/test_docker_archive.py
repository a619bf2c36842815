"""An archive is the tutorial's, the same bytes every time, and is read back as what it was made from."""

from __future__ import annotations

import hashlib
import os
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild import oci
from scratchbuild.errors import ScratchbuildError
from scratchbuild.formats import check, docker_archive, reading

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = 1718668800
# SHA-256 of the archive below. It may change only together with a note to users: their digests change with it.
GOLDEN = "37c6853a5e32fbb943e032a44d318733e7abc71f49ffddd2513b285b45eeb84a"


@pytest.fixture
def parts(tmp_path: Path) -> dict[str, Any]:
    """Return the tutorial's three files on disk, made with nothing but their own modules."""
    (tmp_path / "demo-image.tar").write_bytes(layer := bytes(1024))
    image = oci.ImageConfig(
        "amd64",
        created=EPOCH,
        entrypoint=("/bin/bash",),
        cmd=("-c", "echo"),
        env=(("PATH", "/bin"), ("EMPTY", "")),
        workdir="/",
        user="1:2",
        labels=(("a", "b"),),
        exposed_ports=("80/tcp",),
        volumes=("/v",),
        stop_signal="SIGTERM",
        healthcheck=oci.Healthcheck(("NONE",), 1, 2, 3, 4),
        diff_ids=("sha256:" + hashlib.sha256(layer).hexdigest(),),
        history=(oci.History(EPOCH, "yai_yang", "a", "c"), oci.History(empty_layer=True)),
    )
    (tmp_path / "config.json").write_bytes(oci.config(image))
    (tmp_path / "manifest.json").write_bytes(oci.docker_manifest("config.json", ["basic:v1"], ["demo-image.tar"]))
    return {
        "image": image,
        "files": {
            "layers": [str(tmp_path / "demo-image.tar")],
            "config": str(tmp_path / "config.json"),
            "manifest": str(tmp_path / "manifest.json"),
        },
    }


def test_members_are_the_tutorials_in_its_order_with_nothing_of_this_machine(
    parts: dict[str, Any], tmp_path: Path
) -> None:
    os.chmod(tmp_path / "config.json", 0o600)
    docker_archive.write(str(tmp_path / "basic.tar"), **parts["files"], mtime=EPOCH)
    with tarfile.open(tmp_path / "basic.tar") as archive:
        members = archive.getmembers()
    assert [member.name for member in members] == ["demo-image.tar", "config.json", "manifest.json"]
    for member in members:
        assert (member.mode, member.uid, member.gid, member.mtime) == (0o644, 0, 0, EPOCH)
        assert (member.uname, member.gname, member.pax_headers, member.type) == ("", "", {}, tarfile.REGTYPE)


def test_the_archive_is_the_same_for_ever(parts: dict[str, Any], tmp_path: Path) -> None:
    facts = docker_archive.write(str(tmp_path / "basic.tar"), **parts["files"], mtime=EPOCH)
    data = (tmp_path / "basic.tar").read_bytes()
    assert hashlib.sha256(data).hexdigest() == GOLDEN
    assert facts.size == len(data)


def test_what_was_written_is_what_is_read(parts: dict[str, Any], tmp_path: Path) -> None:
    docker_archive.write(str(tmp_path / "basic.tar"), **parts["files"], mtime=EPOCH)
    check.check(str(tmp_path / "basic.tar"))
    with reading.opened(str(tmp_path / "basic.tar")) as archive:
        assert archive.image == parts["image"]
        assert archive.tags == ("basic:v1",)
        assert archive.config == (tmp_path / "config.json").read_bytes()
        (layer,) = archive.layers
        assert (layer.name, layer.size) == ("demo-image.tar", 1024)
        assert os.pread(archive.descriptor, layer.size, layer.offset) == bytes(1024)
        assert archive.digest(layer) == layer.diff_id == parts["image"].diff_ids[0]
        assert list(archive.members(layer)) == []


def test_layers_members_are_found_where_the_archive_has_their_data(good: Any, tmp_path: Path) -> None:
    with reading.opened(good.write(tmp_path / "good.tar")) as archive:
        found = list(archive.members(archive.layers[0]))
        assert [each.member.name for each in found] == ["bin/", "bin/a", "bin/b", "bin/sh"]
        assert os.pread(archive.descriptor, 700, found[1].offset) == b"x" * 700


def test_two_files_of_one_name_are_refused(parts: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "config.json").write_text("{}")
    files = parts["files"] | {"layers": [str(tmp_path / "other" / "config.json")]}
    with pytest.raises(ScratchbuildError, match=r"one name: config\.json, config\.json"):
        docker_archive.write(str(tmp_path / "basic.tar"), **files, mtime=EPOCH)


def test_a_missing_part_leaves_the_last_good_archive_in_place(parts: dict[str, Any], tmp_path: Path) -> None:
    docker_archive.write(str(tmp_path / "basic.tar"), **parts["files"], mtime=EPOCH)
    before = (tmp_path / "basic.tar").read_bytes()
    os.unlink(tmp_path / "manifest.json")
    with pytest.raises(ScratchbuildError, match=r"cannot read .*manifest\.json: no such file"):
        docker_archive.write(str(tmp_path / "basic.tar"), **parts["files"], mtime=EPOCH)
    assert (tmp_path / "basic.tar").read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["basic.tar", "config.json", "demo-image.tar"]


@pytest.mark.parametrize(
    "tag",
    [
        "basic:v1",
        "a:b",
        "docker.io/library/basic:v1",
        "localhost:5000/a/b_c/d__e/f-g:V1.0_x-y",
        "a-b--c.d/e:1",
        "REGISTRY.example/a:1",
        "a:" + "t" * 128,
    ],
)
def test_a_name_with_a_tag_is_taken(tag: str, good: Any, tmp_path: Path) -> None:
    good.manifest[0]["RepoTags"] = [tag]
    check.check(good.write(tmp_path / "good.tar"))


@pytest.mark.parametrize(
    "tag",
    ["", "a", ":v1", "a:", "A:b", "a b:c", "a:b c", "a:-b", "a/:b", "/a:b", "a//b:c", "a..b:c", "a___b:c", "a:b:c",
     "a@sha256:" + "0" * 64, "a:" + "t" * 129, "a" * 256 + ":b", "é:v1", "a:b\n"],
)  # fmt: skip
def test_a_name_that_an_engine_refuses_is_refused(tag: str, good: Any, tmp_path: Path) -> None:
    good.manifest[0]["RepoTags"] = [tag]
    with pytest.raises(ScratchbuildError, match="is not a name with a tag"):
        check.check(good.write(tmp_path / "good.tar"))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2024-06-18T02:00:00.999999999+02:00", EPOCH),
        ("2024-06-17T20:30:00-03:30", EPOCH),
        ("0001-01-01T00:00:00Z", -62135596800),
    ],
)
def test_times_of_other_tools_are_read(text: str, seconds: int, good: Any, tmp_path: Path) -> None:
    good.config["created"] = text
    with reading.opened(good.write(tmp_path / "good.tar")) as archive:
        assert archive.image.created == seconds
