"""Step 6, `config.json`: how the image runs, and which layers it is made of (OCI image-spec, config.md).

Reads the layer's digest, the lists of entries and the definition; makes `config.json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.tasks import _entries
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image

KEYS = (
    "entrypoint",
    "cmd",
    "env",
    "workdir",
    "user",
    "labels",
    "exposed_ports",
    "volumes",
    "stop_signal",
    "healthcheck",
    "author",
    "created",
    "comment",
)


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    definition = image.defined
    return Stage(
        image,
        "config",
        make,
        reads=[image.path, image.layer + ".sha256", *(image.file(f"{name}.json") for name in _entries.LISTS)],
        makes=[image.file("config.json")],
        # The first binary is the entrypoint where none is given.
        uses={key: getattr(definition, key) for key in KEYS} | {"binaries": definition.binaries[:1]},
    )


def make(image: Image, record: Record) -> None:
    """Check that the image would find its program and user, and write its config."""
    from scratchbuild import digest, oci
    from scratchbuild.plan import start
    from scratchbuild.plan.config import image_config

    definition = image.defined
    entries = _entries.read(image, record, *_entries.LISTS)
    start.check(definition, entries, lambda path: record.contents(image.root + path))
    architecture = str(_entries.fact(image, record, "binaries", "architecture"))
    diff_id = digest.from_checksum_line(record.contents(image.layer + ".sha256"))
    record.write(image.file("config.json"), oci.config(image_config(definition, architecture, diff_id)))
