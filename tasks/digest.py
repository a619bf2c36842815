"""Step 5, `sha256sum demo-image.tar`: the layer's diff_id (OCI image-spec, config.md, "Layer DiffID").

Reads the layer; makes `LAYER.tar.sha256`, which `sha256sum --check` understands.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild import digest
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    return Stage(image, "digest", make, reads=[image.layer], makes=[image.layer + ".sha256"])


def make(image: Image, record: Record) -> None:
    """Hash the layer."""
    with record.root().opened(image.layer) as file:
        diff_id = digest.sha256_of_descriptor(file.descriptor)
    record.write(image.layer + ".sha256", digest.checksum_line(diff_id, os.path.basename(image.layer)))
