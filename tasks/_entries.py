"""The lists of entries that stages hand on: `rootfs.json`, `binaries.json`, `libraries.json`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scratchbuild.rootfs import Entry
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image

LISTS = ("rootfs", "binaries", "libraries")


def read(image: Image, record: Record, *stages: str) -> list[Entry]:
    """Return the entries that `stages` of an image made, merged. Raises ScratchbuildError."""
    from scratchbuild import rootfs
    from scratchbuild.plan.merge import merge

    lists = [rootfs.load(record.contents(image.file(f"{stage}.json")))[0] for stage in stages]
    return merge([entry for entries in lists for entry in entries])


def fact(image: Image, record: Record, stage: str, name: str) -> object:
    """Return a further fact that a stage's list has, or None. Raises ScratchbuildError."""
    from scratchbuild import rootfs

    return rootfs.load(record.contents(image.file(f"{stage}.json")))[1].get(name)
