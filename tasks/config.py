"""Step 6, `config.json`: how the image runs, and which layers it is made of (OCI image-spec, config.md).

Reads the layer's digest, the lists of entries and the definition; makes `config.json`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild import digest, oci
from scratchbuild.plan import start
from scratchbuild.tasks import _entries
from scratchbuild.tasks._stage import Stage

if TYPE_CHECKING:
    from scratchbuild.spec import Definition
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
        uses={
            **{key: getattr(definition, key) for key in KEYS},
            "entrypoint": start.entrypoint(definition),
        },
    )


def make(image: Image, record: Record) -> None:
    """Check that the image would find its program and user, and write its config."""
    definition = image.defined
    entries = _entries.read(image, record, *_entries.LISTS)
    start.check(definition, entries, lambda path: record.contents(image.root + path))
    architecture = str(_entries.fact(image, record, "binaries", "architecture"))
    diff_id = digest.from_checksum_line(record.contents(image.layer + ".sha256"))
    record.write(image.file("config.json"), oci.config(described(definition, architecture, diff_id)))


def described(definition: Definition, architecture: str, diff_id: str) -> oci.ImageConfig:
    """Return the config of a one-layer image; `architecture` may have its variant behind a slash: `arm/v7`."""
    machine, _, variant = architecture.partition("/")
    check = definition.healthcheck
    history = oci.History(
        created=definition.created,
        created_by=definition.author or "scratchbuild",
        comment=definition.comment,
    )
    return oci.ImageConfig(
        architecture=machine,
        variant=variant,
        created=definition.created,
        author=definition.author,
        entrypoint=start.entrypoint(definition),
        cmd=definition.cmd,
        env=definition.env,
        workdir=definition.workdir,
        user=definition.user,
        labels=definition.labels,
        exposed_ports=definition.exposed_ports,
        volumes=definition.volumes,
        stop_signal=definition.stop_signal,
        healthcheck=check
        and oci.Healthcheck(check.test, check.interval, check.timeout, check.start_period, check.retries),
        diff_ids=(diff_id,),
        history=(history,),
    )
