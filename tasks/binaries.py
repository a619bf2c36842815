"""Step 2, `cp /bin/bash /bin/echo rootfs/bin/`: programs and files, from this machine or from the definition.

Reads the sources and the links that lead to them; makes their copies under `rootfs/`, and `binaries.json`, which
says of each why it is there, and which architecture the programs have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.spec.paths import is_pattern
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    definition = image.defined
    given = [binary.source for binary in definition.binaries]
    given += [file.source for file in definition.files if file.source and not is_pattern(file.source)]
    return Stage(
        image,
        "binaries",
        make,
        reads=[image.file("rootfs.json"), *given],
        makes=[image.file("binaries.json")],
        uses={
            "binaries": definition.binaries,
            "files": definition.files,
            "directories": definition.directories,
            "symlinks": definition.symlinks,
            "users": definition.users,
            "groups": definition.groups,
            "architecture": definition.architecture,
            "libraries": definition.layout,
        },
    )


def make(image: Image, record: Record) -> None:
    """Copy what the definition names, once all of it is known to be right."""
    from scratchbuild import rootfs
    from scratchbuild.plan import accounts, programs, sources
    from scratchbuild.plan.merge import merge
    from scratchbuild.plan.place import Places, implied
    from scratchbuild.tasks._entries import read

    definition = image.defined
    root = record.root()
    places = Places(definition, root)
    skeleton = read(image, record, "rootfs")
    taken = sources.taken(definition, places, root)
    taken += accounts.entries(definition)
    taken = merge([*taken, *implied([entry.path for entry in taken])])
    whole = merge([*skeleton, *taken])
    architecture = programs.check(definition, whole, root)
    if note := programs.elsewhere(architecture):
        record.note(note)
    known = {entry.path for entry in skeleton}
    entries = rootfs.linked([entry for entry in taken if entry.path not in known], sources.inodes(taken, root))
    rootfs.stage(entries, image.root, record)
    record.write(image.file("binaries.json"), rootfs.dump(entries, architecture=architecture))
