"""What some engine refuses, or takes and fails on later, is refused before any engine sees it."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import tarfile
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.formats.check import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Good = Any  # the conftest's Spoilable
Spoil = "Callable[[Good], object]"


def info(name: str, kind: bytes = tarfile.REGTYPE, linkname: str = "") -> tarfile.TarInfo:
    """Return an empty member."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, linkname
    return made


def right(good: Good) -> list[str]:
    """Return the layers' right digests."""
    return ["sha256:" + hashlib.sha256(good.layer(i)).hexdigest() for i in range(2)]


def set_diff_id(change: Callable[[str], str]) -> Callable[[Good], None]:
    """Return what changes the first diff_id."""

    def spoil(good: Good) -> None:
        first, second = right(good)
        good.diff_ids = [change(first), second]

    return spoil


def set_config(key: str, value: object) -> Callable[[Good], None]:
    """Return what sets a field of the configuration, `rootfs.type`, or takes it away (None)."""

    def spoil(good: Good) -> None:
        at = good.config
        *path, last = key.split(".")
        for part in path:
            at = at[part]
        if value is None:
            del at[last]
        else:
            at[last] = value

    return spoil


def set_manifest(key: str, value: object) -> Callable[[Good], None]:
    """Return what sets a field of the manifest."""
    return lambda good: good.manifest[0].__setitem__(key, value)


def add(i: int, *members: tarfile.TarInfo) -> Callable[[Good], None]:
    """Return what adds members to a layer."""
    return lambda good: good.layers[i].extend(members)


def cut(length: int) -> Callable[[Good], None]:
    """Return what cuts the first layer off, with the digest of what is left."""

    def spoil(good: Good) -> None:
        good.raw_layers[0] = good.layer(0)[:length]

    return spoil


def raw(part: str, data: bytes) -> Callable[[Good], None]:
    """Return what puts other bytes in a document's place."""
    return lambda good: setattr(good, f"raw_{part}", data)


def replace(name: str, kind: bytes) -> Callable[[Good], None]:
    """Return what puts a link in the place of a file of the archive."""

    def spoil(good: Good) -> None:
        good.left_out.add(name)
        good.more.append((info(name, kind, "layer0.tar"), b""))

    return spoil


def test_a_good_archive_passes(good: Good, tmp_path: Path) -> None:
    check(good.write(tmp_path / "good.tar"))


def test_members_that_the_image_does_not_name_may_be_links_and_directories(good: Good, tmp_path: Path) -> None:
    good.more += [(info("old/", tarfile.DIRTYPE), b""), (info("old/layer.tar", tarfile.SYMTYPE, "../layer0.tar"), b"")]
    check(good.write(tmp_path / "good.tar"))


def test_an_image_without_tags_or_history_passes(good: Good, tmp_path: Path) -> None:
    good.manifest[0]["RepoTags"] = None
    del good.config["history"], good.config["created"], good.config["config"]
    check(good.write(tmp_path / "good.tar"))


SPOILT = {
    "wrong diff_id": (set_diff_id(lambda _: "sha256:" + "0" * 64), "layer0.tar: its digest is sha256:"),
    "short diff_id": (set_diff_id(lambda text: text[:-1]), r"config.json: rootfs.diff_ids\[0\]: .* not a digest"),
    "upper-case diff_id": (set_diff_id(lambda text: "sha256:" + text[7:].upper()), "not a digest"),
    "diff_id without prefix": (set_diff_id(lambda text: text[7:]), "not a digest"),
    "swapped diff_ids": (lambda good: setattr(good, "diff_ids", right(good)[::-1]), "layer1.tar: its digest is"),
    "a diff_id too few": (lambda good: setattr(good, "diff_ids", right(good)[:1]), "1 diff_ids, .* has 2 layers"),
    "a layer too few": (set_manifest("Layers", ["layer0.tar"]), "2 diff_ids, .* has 1 layers"),
    "missing config": (lambda good: good.left_out.add("config.json"), "names 'config.json', which is not in"),
    "missing layer": (lambda good: good.left_out.add("layer1.tar"), "names 'layer1.tar', which is not in"),
    "config is no JSON": (raw("config", b'{"os": "linux"'), "config.json: it is not valid JSON: .* line 1 column"),
    "config is empty": (raw("config", b""), "config.json: it is not valid JSON"),
    "config is an array": (raw("config", b"[]"), "config.json: it must be an object, and it is an array"),
    "config is not UTF-8": (raw("config", b'"\xff"'), "config.json: it is not UTF-8"),
    "config is nested without end": (raw("config", b"[" * 200_000), "nested too deeply"),
    "config with a key twice": (raw("config", b'{"os": "a", "os": "b"}'), "'os' stands twice"),
    "config with NaN": (raw("config", b'{"os": NaN}'), "NaN is no JSON"),
    "config with a number of many digits": (raw("config", b'{"os": 1%s}' % (b"0" * 5000)), "not valid JSON"),
    "config of nine megabytes": (raw("config", b" " * (9 << 20)), "more than the 8388608"),
    "bad date": (set_config("created", "2024-06-18"), "config.json: created: '2024-06-18' is not a time"),
    "date with no such day": (set_config("created", "2023-02-29T00:00:00Z"), "is not a time"),
    "date of year 10000": (set_config("created", "10000-01-01T00:00:00Z"), "is not a time"),
    "date in digits of another script": (set_config("created", "٢٠٢٤-06-18T00:00:00Z"), "is not a time"),
    "bad date in history": (set_config("history", [{"created": "x"}]), r"history\[0\].created: 'x' is not a time"),
    "no rootfs": (set_config("rootfs", None), "config.json: rootfs: it is missing"),
    "rootfs of another type": (set_config("rootfs.type", "foo"), 'rootfs.type: it must be "layers"'),
    "no rootfs type": (set_config("rootfs.type", None), 'rootfs.type: it must be "layers"'),
    "no diff_ids": (set_config("rootfs.diff_ids", None), "rootfs.diff_ids: it is missing"),
    "no image in manifest": (raw("manifest", b"[]"), r"manifest.json: it must be an array with one image, and .* 0"),
    "two images in manifest": (raw("manifest", b"[{}, {}]"), "an array with one image, and it is 2 of them"),
    "manifest is an object": (raw("manifest", b"{}"), "an array with one image, and it is an object"),
    "manifest of a string": (raw("manifest", b'["a"]'), "it must be an object, and it is the string 'a'"),
    "manifest without config": (set_manifest("Config", ""), r"\[0\].Config: it is empty"),
    "manifest with a config that is a number": (set_manifest("Config", 7), "must be a string, .* a whole number"),
    "manifest without layers": (set_manifest("Layers", []), "no layers"),
    "too much history": (set_config("history", [{}, {}, {}]), "history: it has 3 entries .* 2 diff_ids"),
    "no os": (set_config("os", None), "config.json: os: it is missing"),
    "empty os": (set_config("os", ""), "config.json: os: it is empty"),
    "no architecture": (set_config("architecture", None), "architecture: it is missing"),
    "entrypoint a string": (set_config("config.Entrypoint", "/bin/a b"), "config.Entrypoint: it must be an array"),
    "entrypoint of numbers": (set_config("config.Entrypoint", [1]), r"config.Entrypoint\[0\]: it must be a string"),
    "cmd a string": (set_config("config.Cmd", "a"), "config.Cmd: it must be an array"),
    "env without =": (set_config("config.Env", ["A=1", "PATH"]), r"config.Env\[1\]: 'PATH' is not of the form"),
    "env without a name": (set_config("config.Env", ["=1"]), r"config.Env\[0\]: '=1' is not of the form"),
    "relative workdir": (set_config("config.WorkingDir", "srv"), "config.WorkingDir: 'srv' is not absolute"),
    "labels of numbers": (set_config("config.Labels", {"a": 1}), "config.Labels.a: it must be a string"),
    "ports an array": (set_config("config.ExposedPorts", ["80"]), "config.ExposedPorts: it must be an object"),
    "health check a string": (set_config("config.Healthcheck", "x"), "config.Healthcheck: it must be an object"),
    "negative health check": (set_config("config.Healthcheck", {"Retries": -1}), "Retries: it must be a whole number"),
    "config a number": (set_config("config", 5), "config.json: config: it must be an object"),
    "history an object": (set_config("history", {}), "history: it must be an array"),
    "tag without tag": (set_manifest("RepoTags", ["basic"]), r"RepoTags\[0\]: 'basic' is not a name with a tag"),
    "tag in upper case": (set_manifest("RepoTags", ["a:b", "Basic:v1"]), r"RepoTags\[1\]: 'Basic:v1' is not a name"),
    "duplicate path": (add(0, info("bin/a")), "layer0.tar: /bin/a is there twice"),
    "duplicate path in other words": (add(0, info("./bin//a")), "layer0.tar: /bin/a is there twice"),
    "hard link without target": (add(0, info("z", tarfile.LNKTYPE, "no")), "/z is a hard link to 'no', which is no"),
    "hard link to the lower layer": (add(1, info("z", tarfile.LNKTYPE, "bin/a")), "layer1.tar: /z is a hard link"),
    "hard link to a directory": (add(0, info("z", tarfile.LNKTYPE, "bin")), "/z is a hard link"),
    "hard link to a link": (add(0, info("z", tarfile.LNKTYPE, "bin/sh")), "/z is a hard link"),
    "hard link to itself": (add(0, info("z", tarfile.LNKTYPE, "z")), "/z is a hard link"),
    "hard link before target": (add(0, info("y", tarfile.LNKTYPE, "z"), info("z")), "/y is a hard link to 'z'"),
    "hard link out of the image": (add(0, info("z", tarfile.LNKTYPE, "../a")), "lead out of the image"),
    "path out of the image": (add(0, info("../x")), r"layer0.tar: the member '../x' could lead out"),
    "path through a link": (add(0, info("bin/sh/x")), "'bin/sh/x' has no directory to be in: /bin/sh"),
    "path far below a file": (add(0, info("bin/a/b/c/d")), "has no directory to be in: /bin/a"),
    "file where a directory was": (add(0, info("d/x"), info("d")), "/d is a file or a link, and a member before"),
    "truncated layer in data": (cut(1600), "layer0.tar: byte 512: the archive ends too early in the data of 'bin/a'"),
    "truncated layer in a header": (cut(700), "layer0.tar: byte 512: the archive ends too early"),
    "truncated layer between members": (cut(512), "layer0.tar: byte 512: the archive ends too early"),
    "layer of nothing": (lambda good: good.raw_layers.update({1: b"x" * 10}), "layer1.tar: byte 0: .* too early"),
    "layer that is no tar": (lambda good: good.raw_layers.update({1: b"x" * 2048}), "checksum is wrong"),
    "layer compressed": (lambda good: good.raw_layers.update({0: gzip.compress(b"")}), "layer0.tar: .* with gzip"),
    "layer ../x": (set_manifest("Layers", ["../x", "layer1.tar"]), "'../x' is not a clean relative name"),
    "layer /x": (set_manifest("Layers", ["/x", "layer1.tar"]), "'/x' is not a clean relative name"),
    "layer ./layer0.tar": (set_manifest("Layers", ["./layer0.tar", "layer1.tar"]), "not a clean relative name"),
    "member ../x": (lambda good: good.more.append((info("../x"), b"")), "the member '../x' has no clean relative name"),
    "member twice": (lambda good: good.more.append((info("config.json"), b"")), "'config.json' is there twice"),
    "layer a symbolic link": (replace("layer1.tar", tarfile.SYMTYPE), "member 'layer1.tar' is not a regular file"),
    "layer a hard link": (replace("layer1.tar", tarfile.LNKTYPE), "member 'layer1.tar' is not a regular file"),
    "config a symbolic link": (replace("config.json", tarfile.SYMTYPE), "'config.json' is not a regular file"),
    "manifest a symbolic link": (replace("manifest.json", tarfile.SYMTYPE), "'manifest.json' is not a regular file"),
}


@pytest.mark.parametrize(("spoil", "said"), SPOILT.values(), ids=SPOILT.keys())
def test_a_spoilt_archive_is_refused_with_its_place(
    good: Good, spoil: Callable[[Good], object], said: str, tmp_path: Path
) -> None:
    spoil(good)
    with pytest.raises(ScratchbuildError) as raised:
        check(good.write(tmp_path / "spoilt.tar"))
    assert re.search(said, str(raised.value), re.DOTALL), str(raised.value)
    assert str(tmp_path / "spoilt.tar") in str(raised.value)


def test_all_that_is_wrong_is_told_at_once(good: Good, tmp_path: Path) -> None:
    good.config["config"] |= {"Env": ["A", "B"], "WorkingDir": "x", "Entrypoint": "y"}
    good.manifest[0]["RepoTags"] = ["No"]
    good.left_out.add("layer1.tar")
    with pytest.raises(SeveralErrors) as raised:
        check(good.write(tmp_path / "spoilt.tar"))
    assert [error.where.rsplit(": ")[-1] for error in raised.value.errors] == [
        "[0].RepoTags[0]",
        "config.Entrypoint",
        "config.Env[0]",
        "config.Env[1]",
        "config.WorkingDir",
        str(tmp_path / "spoilt.tar"),
    ]


def test_all_that_is_wrong_with_a_layer_is_told_at_once(good: Good, tmp_path: Path) -> None:
    good.diff_ids = right(good)
    good.layers[0] += [info("bin/a"), info("../x"), info("h", tarfile.LNKTYPE, "no")]
    with pytest.raises(SeveralErrors) as raised:
        check(good.write(tmp_path / "spoilt.tar"))
    assert len(raised.value.errors) == 4


def test_a_whole_archive_cut_off_is_refused(good: Good, tmp_path: Path) -> None:
    data = good.data()
    for length in range(1, data.rindex(b"}") + 2, 301):
        (tmp_path / "cut.tar").write_bytes(data[:length])
        with pytest.raises(ScratchbuildError):
            check(str(tmp_path / "cut.tar"))


def test_any_one_byte_changed_in_a_layer_is_found(good: Good, tmp_path: Path) -> None:
    data = bytearray(good.data())
    for place in range(512, 512 + len(good.layer(0)), 97):
        data[place] ^= 1
        (tmp_path / "changed.tar").write_bytes(data)
        with pytest.raises(ScratchbuildError, match=r"layer0\.tar"):
            check(str(tmp_path / "changed.tar"))
        data[place] ^= 1


def test_a_number_is_no_json_trap(good: Good, tmp_path: Path) -> None:
    good.raw_config = json.dumps(good.config | {"rootfs": {"type": "layers", "diff_ids": right(good)}}).encode() + b" "
    check(good.write(tmp_path / "good.tar"))
