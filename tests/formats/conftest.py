"""A good archive whose every part a test can spoil, made by Python's own tarfile."""

from __future__ import annotations

import copy
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path


def info(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, linkname: str = "") -> tarfile.TarInfo:
    """Return a member."""
    made = tarfile.TarInfo(name)
    made.type, made.size, made.linkname = kind, size, linkname
    return made


def packed(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    """Return an archive."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for member, content in members:
            archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


@dataclass
class Spoilable:
    """The parts of an archive; a layer's diff_id is right unless a test sets `diff_ids`."""

    layers: list[list[tarfile.TarInfo]]
    config: Any
    manifest: Any
    raw_layers: dict[int, bytes] = field(default_factory=dict)
    raw_config: bytes | None = None
    raw_manifest: bytes | None = None
    diff_ids: list[str] | None = None
    left_out: set[str] = field(default_factory=set)
    more: list[tuple[tarfile.TarInfo, bytes]] = field(default_factory=list)
    folder: str = ""

    def layer(self, i: int) -> bytes:
        """Return a layer's bytes."""
        return self.raw_layers.get(i) or packed(*((each, b"x" * each.size) for each in self.layers[i]))

    def data(self) -> bytes:
        """Return the archive's bytes."""
        config = copy.deepcopy(self.config)
        if isinstance(config, dict) and "diff_ids" in config.get("rootfs", {}):
            right = ["sha256:" + hashlib.sha256(self.layer(i)).hexdigest() for i in range(len(self.layers))]
            config["rootfs"]["diff_ids"] = right if self.diff_ids is None else self.diff_ids
        documents = {f"layer{i}.tar": self.layer(i) for i in range(len(self.layers))}
        documents["config.json"] = json.dumps(config).encode() if self.raw_config is None else self.raw_config
        manifest = json.dumps(self.manifest).encode()
        documents["manifest.json"] = manifest if self.raw_manifest is None else self.raw_manifest
        return packed(
            *(
                (info(self.folder + name, size=len(data)), data)
                for name, data in documents.items()
                if name not in self.left_out
            ),
            *self.more,
        )

    def write(self, path: Path) -> str:
        """Write the archive and return its path."""
        path.write_bytes(self.data())
        return str(path)


@pytest.fixture
def good() -> Spoilable:
    """Return the parts of a good archive with two layers."""
    return Spoilable(
        [
            [
                info("bin/", tarfile.DIRTYPE),
                info("bin/a", size=700),
                info("bin/b", tarfile.LNKTYPE, linkname="bin/a"),
                info("bin/sh", tarfile.SYMTYPE, linkname="a"),
            ],
            [info("etc/", tarfile.DIRTYPE), info("etc/.wh.old"), info("etc/new", size=3)],
        ],
        {
            "created": "2024-06-18T00:00:00Z",
            "architecture": "amd64",
            "os": "linux",
            "config": {"Entrypoint": ["/bin/a"], "Env": ["PATH=/bin"], "WorkingDir": "/", "Cmd": None},
            "rootfs": {"type": "layers", "diff_ids": []},
            "history": [
                {"created": "2024-06-18T00:00:00.123456789+02:00", "created_by": "one"},
                {"empty_layer": True},
                {"created_by": "two"},
            ],
        },
        [{"Config": "config.json", "RepoTags": ["basic:v1"], "Layers": ["layer0.tar", "layer1.tar"]}],
    )
