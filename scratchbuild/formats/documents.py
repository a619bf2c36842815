"""Reading config.json and manifest.json that nobody vouches for; all that is wrong with one is told at once.

What some engine refuses, or accepts and fails on later, is refused here.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from scratchbuild import digest
from scratchbuild.errors import ScratchbuildError
from scratchbuild.oci import Healthcheck, History, ImageConfig

if TYPE_CHECKING:
    from collections.abc import Callable

# What containerd takes for a manifest or configuration; real ones are a thousandth of it.
MOST_DOCUMENT_BYTES = 8 << 20

# RFC 3339; engines read years of four digits only.
_TIME = re.compile(r"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d+)?(Z|[+-]\d{2}:\d{2})", re.ASCII)

# A name that an engine can find the image by: lower case, with a tag (distribution, reference grammar).
_COMPONENT = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_TAGGED = re.compile(
    rf"(?:[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/)?{_COMPONENT}(?:/{_COMPONENT})*:[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}"
)
_MOST_NAME = 255


class Manifest(NamedTuple):
    """What a docker-archive's manifest.json says of its one image: names of members, lowest layer first."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def parse_manifest(data: bytes, errors: list[ScratchbuildError]) -> Manifest:
    """Return what `manifest.json` says; all that is wrong with it joins `errors`, and nothing takes its place.

    Raises ScratchbuildError if it is no array with one image.
    """
    images = _parsed(data)
    if not isinstance(images, list) or len(images) != 1:
        found = f"{len(images)} of them" if isinstance(images, list) else _kind(images)
        raise ScratchbuildError(f"it must be an array with one image, and it is {found}")
    fields = _Fields(images[0], "[0]", errors)
    manifest = Manifest(fields.text("Config", required=True), fields.texts("RepoTags"), fields.texts("Layers"))
    for i, tag in enumerate(manifest.tags):
        if len(tag) > _MOST_NAME or not _TAGGED.fullmatch(tag):
            fields.wrong(f"RepoTags[{i}]", f"{tag!r} is not a name with a tag, in lower case, such as basic:v1")
    if not manifest.layers:
        fields.wrong("Layers", "the image has no layers")
    for name in (manifest.config, *manifest.layers):
        if name and not is_clean(name):
            fields.wrong("", f"{name!r} is not a clean relative name of a member: no /, ./ or .. in front or between")
    return manifest


def parse_config(data: bytes, errors: list[ScratchbuildError]) -> ImageConfig:
    """Return what `config.json` says; all that is wrong with it joins `errors`, and nothing takes its place.

    Raises ScratchbuildError if it is no JSON.
    """
    top = _Fields(_parsed(data), "", errors)
    run = top.fields("config")
    rootfs = top.fields("rootfs", required=True)
    if rootfs.text("type") not in {"layers", ""} or "type" not in rootfs:
        rootfs.wrong("type", 'it must be "layers"')
    diff_ids = rootfs.texts("diff_ids", required=True)
    for i, diff_id in enumerate(diff_ids):
        rootfs.attempt(f"diff_ids[{i}]", digest.parse, diff_id)
    image = ImageConfig(
        architecture=top.text("architecture", required=True),
        variant=top.text("variant"),
        os=top.text("os", required=True),
        created=top.time("created"),
        author=top.text("author"),
        entrypoint=run.texts("Entrypoint"),
        cmd=run.texts("Cmd"),
        env=_environment(run),
        workdir=run.text("WorkingDir"),
        user=run.text("User"),
        labels=tuple(run.mapping("Labels", str).items()),
        exposed_ports=tuple(run.mapping("ExposedPorts", dict)),
        volumes=tuple(run.mapping("Volumes", dict)),
        stop_signal=run.text("StopSignal"),
        healthcheck=_healthcheck(run),
        diff_ids=diff_ids,
        history=_history(top),
    )
    if image.workdir and not image.workdir.startswith("/"):
        run.wrong("WorkingDir", f"{image.workdir!r} is not absolute: the image would load, and not run")
    filled = sum(not entry.empty_layer for entry in image.history)
    if filled > len(diff_ids):
        top.wrong(
            "history", f"it has {filled} entries that are not empty_layer, and there are {len(diff_ids)} diff_ids"
        )
    return image


def is_clean(name: str) -> bool:
    """Return whether a member's name is relative, without empty parts, `.` and `..`."""
    return "\0" not in name and not {"", ".", ".."} & set(name.split("/"))


def _environment(run: _Fields) -> tuple[tuple[str, str], ...]:
    pairs = []
    for i, text in enumerate(run.texts("Env")):
        name, equals, value = text.partition("=")
        if not equals or not name:
            run.wrong(f"Env[{i}]", f"{text!r} is not of the form NAME=value")
        pairs.append((name, value))
    return tuple(pairs)


def _healthcheck(run: _Fields) -> Healthcheck | None:
    check = run.fields("Healthcheck")
    times = [check.number(key) for key in ("Interval", "Timeout", "StartPeriod", "Retries")]
    return Healthcheck(check.texts("Test"), *times) if "Healthcheck" in run else None


def _history(top: _Fields) -> tuple[History, ...]:
    return tuple(
        History(
            entry.time("created"),
            entry.text("created_by"),
            entry.text("author"),
            entry.text("comment"),
            entry.flag("empty_layer"),
        )
        for entry in top.each("history")
    )


class _Fields:
    """The fields of one JSON object; what is wrong with one joins `errors`, and an empty value takes its place.

    null is as good as absent, as it is for every engine.
    """

    def __init__(self, value: Any, place: str, errors: list[ScratchbuildError]) -> None:
        self._place = place
        self._errors = errors
        self._values: dict[str, Any] = {}
        if isinstance(value, dict):
            self._values = {key: item for key, item in value.items() if item is not None}
        else:
            self.wrong("", f"it must be an object, and it is {_kind(value)}")

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def wrong(self, key: str, what: str) -> None:
        """Note what is wrong with a field, or with the object itself if `key` is empty."""
        self._errors.append(ScratchbuildError(what, where=".".join(filter(None, (self._place, key)))))

    def attempt(self, key: str, check: Callable[[str], object], text: str) -> None:
        """Note what `check` raises for `text`."""
        try:
            check(text)
        except ScratchbuildError as error:
            self.wrong(key, error.what)

    def text(self, key: str, *, required: bool = False) -> str:
        """Return a text, empty where there is none."""
        text = str(self._get(key, str, ""))
        if required and not text and isinstance(self._values.get(key, ""), str):
            self.wrong(key, "it is missing" if key not in self else "it is empty")
        return text

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """Return an array of texts, empty where there is none."""
        if required and key not in self:
            self.wrong(key, "it is missing")
        items = self._get(key, list, [])
        for i, item in enumerate(items):
            if not isinstance(item, str):
                self.wrong(f"{key}[{i}]", f"it must be a string, and it is {_kind(item)}")
        return tuple(item for item in items if isinstance(item, str))

    def mapping(self, key: str, kind: type[Any]) -> dict[str, Any]:
        """Return an object whose values are all of one kind, empty where there is none."""
        items: dict[str, Any] = self._get(key, dict, {})
        for name, item in items.items():
            if not isinstance(item, kind):
                self.wrong(f"{key}.{name}", f"it must be {_NAMES[kind]}, and it is {_kind(item)}")
        return {name: item for name, item in items.items() if isinstance(item, kind)}

    def fields(self, key: str, *, required: bool = False) -> _Fields:
        """Return the fields of an object, none where there is none."""
        if required and key not in self:
            self.wrong(key, "it is missing")
        return _Fields(self._values.get(key, {}), ".".join(filter(None, (self._place, key))), self._errors)

    def each(self, key: str) -> list[_Fields]:
        """Return the fields of each object of an array."""
        return [_Fields(item, f"{key}[{i}]", self._errors) for i, item in enumerate(self._get(key, list, []))]

    def number(self, key: str) -> int:
        """Return a whole number from 0 on, 0 where there is none."""
        number = self._get(key, int, 0)
        if isinstance(number, bool) or number < 0:
            self.wrong(key, f"it must be a whole number from 0 on, and it is {number!r}")
            return 0
        return int(number)

    def flag(self, key: str) -> bool:
        """Return a truth value, False where there is none."""
        return bool(self._get(key, bool, fallback=False))

    def time(self, key: str) -> int | None:
        """Return a time as seconds since 1970, fractions cut off; None where there is none."""
        text = self.text(key)
        if not text:
            return None
        seconds = _seconds(text)
        if seconds is None:
            self.wrong(key, f"{text!r} is not a time such as 2024-06-18T00:00:00Z (RFC 3339)")
        return seconds

    def _get(self, key: str, kind: type[Any], fallback: Any) -> Any:
        value = self._values.get(key, fallback)
        if isinstance(value, kind):
            return value
        self.wrong(key, f"it must be {_NAMES[kind]}, and it is {_kind(value)}")
        return fallback


_NAMES = {
    str: "a string",
    list: "an array",
    dict: "an object",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    type(None): "null",
}


def _kind(value: object) -> str:
    return f"the string {value[:60]!r}" if isinstance(value, str) else _NAMES[type(value)]


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data.decode(), object_pairs_hook=_once, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ScratchbuildError("it is not UTF-8") from None
    except RecursionError:
        raise ScratchbuildError("it is nested too deeply") from None
    except ValueError as error:
        raise ScratchbuildError(f"it is not valid JSON: {error}") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"{twice!r} stands twice in one object")
    return fields


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _seconds(text: str) -> int | None:
    """Return an RFC 3339 time as seconds since 1970, or None if it is none."""
    match = _TIME.fullmatch(text)
    try:
        moment = datetime.fromisoformat("".join(match.groups())) if match else None
    except ValueError:
        return None
    if moment is None:
        return None
    apart = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return apart.days * 86400 + apart.seconds
