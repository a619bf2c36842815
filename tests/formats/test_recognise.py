"""A file that is no docker-archive is named for what it is, with what to do, before an engine sees it."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild.errors import ScratchbuildError
from scratchbuild.formats import reading

if TYPE_CHECKING:
    from pathlib import Path


def refusal(path: Path) -> str:
    """Return the message for a file that is no docker-archive."""
    with pytest.raises(ScratchbuildError) as raised, reading.opened(str(path)):
        pass
    assert str(path) in str(raised.value)
    return str(raised.value)


def archive_of(path: Path, *names: str) -> Path:
    """Write an archive of empty files."""
    with tarfile.open(path, "w") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.mark.parametrize(
    ("compress", "name"), [(gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")]
)
def test_a_compressed_archive_comes_with_the_command_that_unpacks_it(
    compress: Any, name: str, good: Any, tmp_path: Path
) -> None:
    path = tmp_path / "image.tar"
    path.write_bytes(compress(good.data()))
    assert f"compressed with {name}" in (said := refusal(path))
    assert f"Unpack it first: {name} -dk {path}" in said


def test_a_zstd_archive_is_named(tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(b"\x28\xb5\x2f\xfd rest")
    assert "compressed with zstd" in refusal(tmp_path / "image.tar")


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "image.tar").touch()
    assert "an empty file" in refusal(tmp_path / "image.tar")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x7fELF" + bytes(2000), "a program or library (ELF)"),
        (b"#!/bin/sh\n", "a script"),
        (b'{"a": 1}', "a JSON document"),
        (b"PK\x03\x04", "a zip archive"),
        (b"hello", "no tar archive"),
        (b"x" * 5000, "no tar archive"),
    ],
)
def test_a_file_that_is_no_tar_is_named(data: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(data)
    assert f"it is {said}, not a docker-archive" in refusal(tmp_path / "image.tar")


def test_an_archive_of_nothing_is_named(tmp_path: Path) -> None:
    assert "with nothing in it" in refusal(archive_of(tmp_path / "image.tar"))


def test_an_archive_cut_off_is_named_damaged(good: Any, tmp_path: Path) -> None:
    (tmp_path / "image.tar").write_bytes(good.data()[:2000])
    assert "a damaged tar archive: the archive ends too early in the data of 'layer0.tar'" in (
        said := refusal(tmp_path / "image.tar")
    )
    assert "byte 0" in said


def test_a_root_file_system_comes_with_docker_import(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "root.tar", "./", "./bin/sh", "./etc/passwd"))
    assert "a root file system or a layer" in said
    assert f"docker import {tmp_path / 'root.tar'} NAME:TAG" in said


def test_an_exported_container_comes_with_docker_import(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "export.tar", ".dockerenv", "bin/", "bin/sh"))
    assert "docker export" in said
    assert "docker import" in said


def test_an_archive_packed_from_outside_its_folder_comes_with_the_command_that_packs_it_right(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "nested.tar", "image/layer.tar", "image/config.json", "image/manifest.json"))
    assert "inside the folder image/" in said
    assert "cd image && tar -cf" in said


def test_an_archive_whose_names_begin_with_a_dot_comes_with_the_command_that_packs_it_right(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "dot.tar", "./", "./layer.tar", "./config.json", "./manifest.json"))
    assert "begin with ./" in said


def test_an_oci_layout_comes_with_the_command_that_converts_it(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "oci.tar", "oci-layout", "index.json", "blobs/sha256/ab"))
    assert "an OCI layout" in said
    assert f"skopeo copy oci-archive:{tmp_path / 'oci.tar'} docker-archive:" in said


def test_any_other_archive_shows_what_is_in_it(tmp_path: Path) -> None:
    said = refusal(archive_of(tmp_path / "other.tar", "src/main.c", "Makefile"))
    assert "it has no manifest.json, but Makefile, src" in said


def test_a_fifo_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert "a FIFO" in refusal(tmp_path / "fifo")


def test_a_folder_and_an_absent_file_are_named(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)
    assert "no such file" in refusal(tmp_path / "no.tar")


def test_what_gnu_tar_makes_of_the_tutorials_files_is_opened(good: Any, tmp_path: Path) -> None:
    with tarfile.open(good.write(tmp_path / "good.tar")) as archive:
        archive.extractall(tmp_path / "files", filter="data")
    names = ["layer0.tar", "layer1.tar", "config.json", "manifest.json"]
    subprocess.run(["tar", "-cf", tmp_path / "gnu.tar", "-C", tmp_path / "files", *names], check=True)
    with reading.opened(str(tmp_path / "gnu.tar")) as opened:
        assert opened.tags == ("basic:v1",)
