"""Step 3, `ldd` and `cp`: the libraries that the programs load, and the dynamic linker that loads them.

Reads the staged programs' sources, every library found and every place looked in, and the loader's configuration;
nothing is executed. Makes the copies under `rootfs/`, and `libraries.json`, which says of each who needs it and by
which rule it was found.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild.tasks import _entries
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    definition = image.defined
    return Stage(
        image,
        "libraries",
        make,
        reads=[image.file("rootfs.json"), image.file("binaries.json"), *(b.source for b in definition.binaries)],
        makes=[image.file("libraries.json")],
        uses={
            "binaries": definition.binaries,
            "libraries": (definition.libraries, definition.layout),
            "directories": definition.directories,
            "symlinks": definition.symlinks,
            "files": tuple(file.target for file in definition.files),
            "env.LD_LIBRARY_PATH": dict(definition.env).get("LD_LIBRARY_PATH", ""),
        },
    )


def make(image: Image, record: Record) -> None:
    """Copy the libraries, once all of them are found."""
    from scratchbuild import rootfs
    from scratchbuild.plan import libraries, sources
    from scratchbuild.plan.merge import merge
    from scratchbuild.plan.place import Places, implied

    definition = image.defined
    root = record.root()
    places = Places(definition, root)
    before = _entries.read(image, record, "rootfs", "binaries")
    found = libraries.find(definition, root, os.environ.get("LD_LIBRARY_PATH", ""))
    for note in found.notes:
        record.note(note)
    placed = libraries.Layout(definition, places, root, before).place(found)
    placed = merge([*placed, *implied([entry.path for entry in placed])])
    merge([*before, *placed])
    known = {entry.path for entry in before}
    entries = rootfs.linked([entry for entry in placed if entry.path not in known], sources.inodes(placed, root))
    rootfs.stage(entries, image.root, record)
    record.write(image.file("libraries.json"), rootfs.dump(entries, notes=list(found.notes)))
