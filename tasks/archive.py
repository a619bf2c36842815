"""Step 8, `tar -cf basic.tar demo-image.tar config.json manifest.json`: the finished archive.

Reads the layer, the config and the manifest; makes `NAME.tar`, which every engine loads.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    return Stage(
        image,
        "archive",
        make,
        reads=[image.layer, image.file("config.json"), image.file("manifest.json")],
        makes=[image.archive],
        uses={"created": image.defined.created},
    )


def make(image: Image, record: Record) -> None:
    """Put the archive together."""
    from scratchbuild.formats import docker_archive

    config, manifest = image.file("config.json"), image.file("manifest.json")
    for path in (image.layer, config, manifest):
        record.depend(path)
    written = docker_archive.write(
        image.archive, layers=[image.layer], config=config, manifest=manifest, mtime=image.defined.created
    )
    record.confirm()
    record.wrote(image.archive, written.size, written.fingerprint)
