"""The documents of an image: structs in, bytes out, the same bytes every time (OCI image-spec, config.md).

Field names and their order are those a person meets in the tutorial: what the image is, how it starts, what it is
made of, how it came to be. What is empty is left out. Texts stay readable UTF-8.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from collections.abc import Sequence

# 9999-12-31T23:59:59Z: engines refuse a year of five digits, RFC 3339 cannot say it.
LAST_SECOND = 253402300799


class Healthcheck(NamedTuple):
    """Docker's health check. `test` is an argument vector with `NONE`, `CMD` or `CMD-SHELL` first; times nanoseconds.

    0 leaves the engine's default.
    """

    test: tuple[str, ...]
    interval: int = 0
    timeout: int = 0
    start_period: int = 0
    retries: int = 0


class History(NamedTuple):
    """How a layer came to be (config.md, "history"); `created` is seconds since 1970, None leaves it out."""

    created: int | None = None
    created_by: str = ""
    author: str = ""
    comment: str = ""
    empty_layer: bool = False


class ImageConfig(NamedTuple):
    """What an image's configuration says (config.md, "Properties"). Only `architecture` is required.

    `created` is seconds since 1970, None leaves it out. `diff_ids` are the layers' digests, lowest layer first.
    `exposed_ports` are `PORT` or `PORT/PROTOCOL`. Labels, ports and volumes are sets: the document has them sorted.
    """

    architecture: str
    variant: str = ""
    os: str = "linux"
    created: int | None = None
    author: str = ""
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = ()
    workdir: str = ""
    user: str = ""
    labels: tuple[tuple[str, str], ...] = ()
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    stop_signal: str = ""
    healthcheck: Healthcheck | None = None
    diff_ids: tuple[str, ...] = ()
    history: tuple[History, ...] = ()


def config(image: ImageConfig) -> bytes:
    """Return the document `config.json`. Raises ScratchbuildError for a time or text that it cannot say."""
    document = {
        **_filled({"created": _time(image.created), "author": image.author}),
        "architecture": image.architecture,
        **_filled({"variant": image.variant}),
        "os": image.os,
        "config": _filled(
            {
                "Entrypoint": list(image.entrypoint),
                "Cmd": list(image.cmd),
                "Env": [f"{name}={value}" for name, value in image.env],
                "WorkingDir": image.workdir,
                "User": image.user,
                "Labels": dict(sorted(image.labels)),
                "ExposedPorts": {port: {} for port in sorted(image.exposed_ports)},
                "Volumes": {volume: {} for volume in sorted(image.volumes)},
                "StopSignal": image.stop_signal,
                "Healthcheck": _healthcheck(image.healthcheck),
            }
        ),
        "rootfs": {"type": "layers", "diff_ids": list(image.diff_ids)},
        **_filled({"history": [_history(entry) for entry in image.history]}),
    }
    return document_bytes(document)


def docker_manifest(config_name: str, tags: Sequence[str], layer_names: Sequence[str]) -> bytes:
    """Return the `manifest.json` of a docker-archive with one image: names of its members, lowest layer first.

    Raises ScratchbuildError for a text that it cannot say.
    """
    return document_bytes([{"Config": config_name, "RepoTags": list(tags), "Layers": list(layer_names)}])


def document_bytes(document: dict[str, Any] | list[Any]) -> bytes:
    """Return a JSON document for machines and people: two spaces a level, UTF-8, a line feed at the end.

    Raises ScratchbuildError for text that UTF-8 cannot say.
    """
    text = json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        around = text[max(0, error.start - 20) : error.end + 20]
        raise ScratchbuildError(
            f"an image's configuration is UTF-8, which cannot say {around!r}", mend="Use valid UTF-8."
        ) from None


def rfc3339(seconds: int) -> str:
    """Return seconds since 1970 as `2024-06-18T00:00:00Z` (RFC 3339).

    Raises ScratchbuildError for a time before 1970 or after the year 9999.
    """
    if not 0 <= seconds <= LAST_SECOND:
        raise ScratchbuildError(
            f"{seconds} is no time that an image can have: expected seconds since 1970, 0 to {LAST_SECOND}"
        )
    moment = time.gmtime(seconds)
    return "{:04d}-{:02d}-{:02d}T{:02d}:{:02d}:{:02d}Z".format(*moment[:6])


def _time(seconds: int | None) -> str:
    return "" if seconds is None else rfc3339(seconds)


def _filled(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that say something."""
    return {key: value for key, value in fields.items() if value}


def _history(entry: History) -> dict[str, Any]:
    return _filled(
        {
            "created": _time(entry.created),
            "created_by": entry.created_by,
            "author": entry.author,
            "comment": entry.comment,
            "empty_layer": entry.empty_layer,
        }
    )


def _healthcheck(check: Healthcheck | None) -> dict[str, Any]:
    if check is None:
        return {}
    return _filled(
        {
            "Test": list(check.test),
            "Interval": check.interval,
            "Timeout": check.timeout,
            "StartPeriod": check.start_period,
            "Retries": check.retries,
        }
    )
