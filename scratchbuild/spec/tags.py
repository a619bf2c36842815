"""Image tags: the reference grammar of container engines (distribution/reference, "Grammar")."""

from __future__ import annotations

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.field import Field, quote, twice

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789")
_LABEL = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ_.-")
# `docker.io/library/hello` together; engines count the full name (reference.NameTotalLengthMax).
MOST_NAME = 255
MOST_TAG = 128
MOST_PORT = 65535
_MOST_DIGITS = 5


def tags(field: Field) -> tuple[str, ...]:
    """Return the image's tags as written. Raises ScratchbuildError for bad ones, doubles, and for none."""
    full = field.each(lambda item: canonical_tag(item.text()), "an array of strings")
    if not full:
        raise field.error("an image needs a tag, and the array is empty", f"Write it like this: {field.example}")
    twice(field.items(), full, "tag")
    return field.each(Field.text)


def canonical_tag(tag: str) -> str:
    """Return `tag` in full: `hello:v1` is `docker.io/library/hello:v1`. Two tags are the same when these are equal.

    Raises ScratchbuildError when it is no tag: not lower case, without a tag part, with a digest, too long.
    """
    if "@" in tag:
        raise ScratchbuildError(
            f"{quote(tag)} has a digest, which nobody can choose", mend='Write a name and a tag, such as "hello:v1".'
        )
    name, colon, label = tag.rpartition(":")
    if not colon or "/" in label:
        example = f'"{tag}:latest" or "{tag}:v1"' if tag else '"hello:latest" or "hello:v1"'
        raise ScratchbuildError(f"{quote(tag)} has no tag", mend=f"Write {example}.")
    if label[:1] in {"", ".", "-"} or len(label) > MOST_TAG or not _LABEL.issuperset(label):
        raise ScratchbuildError(
            f"{quote(tag)}: {quote(label)} cannot be a tag",
            mend=f'A tag is 1 to {MOST_TAG} letters, digits, "_", "." and "-", with neither "." nor "-" first.',
        )
    host, path = _split_host(name)
    if name != name.lower():
        raise ScratchbuildError(
            f"{quote(tag)}: the name must be lower case", mend=f"Write {quote(f'{name.lower()}:{label}')}."
        )
    _check_host(tag, host)
    _check_path(tag, path)
    if host in {"", "docker.io", "index.docker.io"}:
        host = "docker.io"
        path = path if "/" in path else f"library/{path}"
    full = f"{host}/{path}"
    if len(full) > MOST_NAME:
        raise ScratchbuildError(f"{quote(tag)}: {full[:20]}... is {len(full)} characters long, {MOST_NAME} at most")
    return f"{full}:{label}"


def _split_host(name: str) -> tuple[str, str]:
    """Return the registry (or nothing) and the rest, told apart as engines do: by a dot, a port or `localhost`."""
    first, slash, rest = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost"):
        return first, rest
    return "", name


def _check_path(tag: str, path: str) -> None:
    for part in path.split("/"):
        if not _is_component(part):
            raise ScratchbuildError(
                f"{quote(tag)}: {quote(part)} cannot be part of a name",
                mend='A part is lower-case letters and digits, with ".", "_", "__" or dashes between them.',
            )


def _check_host(tag: str, host: str) -> None:
    if not host:
        return
    name, colon, port = host.partition(":")
    if colon and not (port.isascii() and port.isdigit() and len(port) <= _MOST_DIGITS and 1 <= int(port) <= MOST_PORT):
        raise ScratchbuildError(
            f"{quote(tag)}: the registry's port must be 1 to {MOST_PORT}, not {quote(port)}",
            mend='Write it like this: "localhost:5000/hello:v1".',
        )
    for part in name.split("."):
        if not part or not _LOWER.issuperset(part.replace("-", "")) or part[0] == "-" or part[-1] == "-":
            raise ScratchbuildError(
                f"{quote(tag)}: {quote(host)} is not a registry's host name",
                mend='Write it like this: "registry.example:5000/hello:v1".',
            )


def _is_component(part: str) -> bool:
    """Whether `part` is letters and digits, joined by `.`, `_`, `__` or any number of `-`."""
    runs: list[str] = []
    joint = ""
    for letter in part:
        if letter in _LOWER:
            if joint:
                runs.append(joint)
            joint = ""
        elif letter in "._-":
            joint += letter
        else:
            return False
    return (
        bool(part)
        and not joint
        and part[0] in _LOWER
        and all(run in {".", "_", "__"} or not run.strip("-") for run in runs)
    )
