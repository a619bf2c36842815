"""The documents have the tutorial's fields, in one form for ever."""

from __future__ import annotations

import json

import pytest

from scratchbuild import oci
from scratchbuild.errors import ScratchbuildError

DIFF_ID = "sha256:3653d761aea229215c2fb5a8049dae704b699b28ac00c3bbbecff092c05f4a5d"
EPOCH = 1718668800


def test_the_tutorials_image_has_the_tutorials_config() -> None:
    image = oci.ImageConfig(
        "amd64",
        created=EPOCH,
        author="yai_yang",
        entrypoint=("/bin/bash",),
        env=(("PATH", "/bin"),),
        workdir="/",
        diff_ids=(DIFF_ID,),
        history=(oci.History(EPOCH, "yai_yang"),),
    )
    assert (
        oci.config(image).decode()
        == """\
{
  "created": "2024-06-18T00:00:00Z",
  "author": "yai_yang",
  "architecture": "amd64",
  "os": "linux",
  "config": {
    "Entrypoint": [
      "/bin/bash"
    ],
    "Env": [
      "PATH=/bin"
    ],
    "WorkingDir": "/"
  },
  "rootfs": {
    "type": "layers",
    "diff_ids": [
      "sha256:3653d761aea229215c2fb5a8049dae704b699b28ac00c3bbbecff092c05f4a5d"
    ]
  },
  "history": [
    {
      "created": "2024-06-18T00:00:00Z",
      "created_by": "yai_yang"
    }
  ]
}
"""
    )


def test_the_tutorials_image_has_the_tutorials_manifest() -> None:
    assert json.loads(oci.docker_manifest("config.json", ["basic:v1"], ["demo-image.tar"])) == [
        {"Config": "config.json", "RepoTags": ["basic:v1"], "Layers": ["demo-image.tar"]}
    ]


def test_every_field_is_where_engines_look_for_it() -> None:
    image = oci.ImageConfig(
        "arm",
        variant="v7",
        created=0,
        author="我",
        entrypoint=("/a", "b c"),
        cmd=("d",),
        env=(("Z", "1"), ("A", "x=y")),
        workdir="/w",
        user="1000:1000",
        labels=(("z", "1"), ("a", "é\n")),
        exposed_ports=("80/tcp", "53/udp"),
        volumes=("/var", "/data"),
        stop_signal="SIGINT",
        healthcheck=oci.Healthcheck(("CMD", "/a"), 1_000_000_000, 2, 3, 4),
        diff_ids=(DIFF_ID, DIFF_ID),
        history=(oci.History(0, "by", "author", "comment"), oci.History(empty_layer=True)),
    )
    data = oci.config(image)
    assert json.loads(data) == {
        "created": "1970-01-01T00:00:00Z",
        "author": "我",
        "architecture": "arm",
        "variant": "v7",
        "os": "linux",
        "config": {
            "Entrypoint": ["/a", "b c"],
            "Cmd": ["d"],
            "Env": ["Z=1", "A=x=y"],
            "WorkingDir": "/w",
            "User": "1000:1000",
            "Labels": {"a": "é\n", "z": "1"},
            "ExposedPorts": {"53/udp": {}, "80/tcp": {}},
            "Volumes": {"/data": {}, "/var": {}},
            "StopSignal": "SIGINT",
            "Healthcheck": {
                "Test": ["CMD", "/a"],
                "Interval": 1_000_000_000,
                "Timeout": 2,
                "StartPeriod": 3,
                "Retries": 4,
            },
        },
        "rootfs": {"type": "layers", "diff_ids": [DIFF_ID, DIFF_ID]},
        "history": [
            {"created": "1970-01-01T00:00:00Z", "created_by": "by", "author": "author", "comment": "comment"},
            {"empty_layer": True},
        ],
    }
    assert "我".encode() in data


def test_an_image_of_nothing_says_only_what_it_must() -> None:
    assert json.loads(oci.config(oci.ImageConfig("amd64"))) == {
        "architecture": "amd64",
        "os": "linux",
        "config": {},
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def test_the_order_of_labels_ports_and_volumes_does_not_change_the_image() -> None:
    one = oci.ImageConfig("amd64", labels=(("a", "1"), ("b", "2")), exposed_ports=("1", "2"), volumes=("/a", "/b"))
    two = oci.ImageConfig("amd64", labels=(("b", "2"), ("a", "1")), exposed_ports=("2", "1"), volumes=("/b", "/a"))
    assert oci.config(one) == oci.config(two)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (951782400, "2000-02-29T00:00:00Z"),
        (1750000000, "2025-06-15T15:06:40Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_are_rfc3339_in_utc(seconds: int, text: str) -> None:
    assert oci.rfc3339(seconds) == text


@pytest.mark.parametrize("seconds", [-1, 253402300800, 2**70])
def test_a_time_that_engines_cannot_read_is_refused_with_the_range(seconds: int) -> None:
    with pytest.raises(ScratchbuildError, match=rf"{seconds} is no time .* 0 to 253402300799"):
        oci.config(oci.ImageConfig("amd64", created=seconds))
    with pytest.raises(ScratchbuildError, match="is no time"):
        oci.config(oci.ImageConfig("amd64", history=(oci.History(seconds),)))


def test_text_that_is_not_utf8_is_refused_and_shown() -> None:
    with pytest.raises(ScratchbuildError, match=r"cannot say .*A=\\udcff"):
        oci.config(oci.ImageConfig("amd64", env=(("A", "\udcff"),)))
