"""Step 4, `tar -cf demo-image.tar -C rootfs/ .`: the staged tree as one layer, the same bytes for the same tree.

Reads the three lists of entries and what was staged; makes the layer's tar. Whatever else lies under `rootfs/` is
removed: it has no reason to be there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.tasks import _entries
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    return Stage(
        image,
        "layer",
        make,
        reads=[image.file(f"{name}.json") for name in _entries.LISTS],
        makes=[image.layer],
        uses={"created": image.defined.created},
    )


def make(image: Image, record: Record) -> None:
    """Write the layer."""
    from scratchbuild import layer, rootfs

    entries = _entries.read(image, record, *_entries.LISTS)
    rootfs.remove_strangers(image.root, entries)
    for entry in [None, *entries]:
        path = image.root + entry.path if entry else image.root
        record.depend(path)
        if entry is None or entry.kind == "directory":
            record.depend(path + "/")
    written = layer.write(image.layer, entries, image.root, mtime=image.defined.created)
    record.confirm()
    record.wrote(image.layer, written.size, written.fingerprint)
