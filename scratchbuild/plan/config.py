"""The image's config as the definition wants it (OCI image-spec, config.md)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild import oci
from scratchbuild.plan import start

if TYPE_CHECKING:
    from scratchbuild.spec import Definition


def image_config(definition: Definition, architecture: str, diff_id: str) -> oci.ImageConfig:
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
