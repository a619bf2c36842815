"""Step 1, `mkdir -p rootfs/{dev,bin,lib64}`: the directories and links that the definition names, empty yet.

Reads the definition; makes `rootfs/` and `rootfs.json`, the list of what it made and why.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    definition = image.defined
    return Stage(
        image,
        "rootfs",
        make,
        reads=[image.path],
        makes=[image.file("rootfs.json")],
        uses={
            "directories": definition.directories,
            "symlinks": definition.symlinks,
            "users": definition.users,
            "groups": definition.groups,
        },
    )


def make(image: Image, record: Record) -> None:
    """Make the empty tree."""
    from scratchbuild import files, rootfs
    from scratchbuild.plan.merge import merge
    from scratchbuild.plan.place import Places, implied
    from scratchbuild.plan.skeleton import skeleton

    entries = skeleton(image.defined, Places(image.defined, record.root()))
    entries = merge([*entries, *implied([entry.path for entry in entries])])
    os.makedirs(image.folder, exist_ok=True)
    files.make_directory(image.root, 0o755)
    record.take(image.root)
    rootfs.stage(entries, image.root, record)
    record.write(image.file("rootfs.json"), rootfs.dump(entries))
