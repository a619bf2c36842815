"""Step 7, `manifest.json`: which file is the config, which are the layers, and what the image is called.

Reads the definition; makes `manifest.json`, as `docker load` wants it.
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
    return Stage(
        image,
        "manifest",
        make,
        reads=[image.path],
        makes=[image.file("manifest.json")],
        uses={"tags": image.defined.tags, "layer_name": image.defined.layer_name},
    )


def make(image: Image, record: Record) -> None:
    """Write the manifest."""
    from scratchbuild import oci

    manifest = oci.docker_manifest("config.json", image.defined.tags, [os.path.basename(image.layer)])
    record.write(image.file("manifest.json"), manifest)
