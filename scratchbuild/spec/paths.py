"""Paths as a definition writes them: those of this machine, those of the image, and modes."""

from __future__ import annotations

import os.path
import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from scratchbuild.spec.field import Field

_OCTAL = frozenset("01234567")
_VARIABLE_START = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_{")
# What makes a source a pattern (glob(7)).
MAGIC = frozenset("*?[")
# Limits of Linux, in bytes (limits.h): a longer name could be in no file system that unpacks the image.
MOST_PATH = 4095
MOST_NAME = 255
_MODE_DIGITS = (3, 4, 5)
MOST_MODE = 0o7777


def source(field: Field) -> str:
    """Return a path on this machine: absolute, and normal as text (`..` taken out without a look at links).

    A relative one is relative to the definition's folder. Neither `~` nor `$NAME` is expanded, so both are refused;
    `$$` stands for a real `$`. Raises ScratchbuildError.
    """
    return _absolute(field, field.document.folder)


def source_or_pattern(field: Field) -> str:
    """Return a path on this machine as `source` does, where `*`, `?` and `[` make a pattern.

    Those characters in the definition's own folder stay themselves.
    """
    folder = field.document.folder
    if not MAGIC.isdisjoint(folder):
        folder = "".join(f"[{letter}]" if letter in MAGIC else letter for letter in folder)
    return _absolute(field, folder)


def is_pattern(text: object) -> bool:
    """Whether a source as written is a pattern."""
    return isinstance(text, str) and not MAGIC.isdisjoint(text)


def is_relative(text: object) -> bool:
    """Whether a source as written is relative to the definition's folder."""
    return isinstance(text, str) and not text.startswith("/")


def _absolute(field: Field, folder: str) -> str:
    text = field.text()
    if not text:
        raise field.error("the path is empty", f"Write it like this: {field.example}")
    if text.startswith("~"):
        raise field.error(
            f'{quote(text)}: "~" is not expanded',
            f"Write the whole path, or {quote('./' + text)} for a file beside the definition that is called so.",
        )
    pieces = text.split("$$")
    for piece in pieces:
        for rest in piece.split("$")[1:]:
            if rest and rest[0] in _VARIABLE_START:
                raise field.error(
                    f"{quote(text)}: variables are not expanded",
                    'Write the path itself; "$$" stands for a real "$".',
                )
    return slashed(os.path.normpath(os.path.join(folder, "$".join(pieces))))


def slashed(path: str) -> str:
    """Return the absolute `path` with one slash at its start, where POSIX would keep two."""
    return "/" + path.lstrip("/")


def image_path(text: str) -> str:
    """Return a path of the image, normal: `//x` and `/./x` are `/x`. Raises ScratchbuildError without a place.

    Refused are relative paths, `..`, names longer than Linux takes, and names that a layer cannot hold because they
    mean a removed file there (OCI image-spec, layer.md, "Whiteouts").
    """
    if not text.startswith("/"):
        mend = f"Write {quote('/' + text)}." if text and text[0] not in "~$." else "Write the whole path, from / on."
        raise ScratchbuildError(f"{quote(text)} is not an absolute path in the image", mend=mend)
    parts = [part for part in text.split("/") if part not in {"", "."}]
    for part in parts:
        if part == "..":
            raise ScratchbuildError(
                f'{quote(text)} has ".." in it, which could leave the image', mend="Write the path without it."
            )
        if part.startswith(".wh."):
            raise ScratchbuildError(
                f'{quote(text)}: a name that starts with ".wh." removes a file when a layer is unpacked',
                mend="Use another name.",
            )
        if len(part.encode()) > MOST_NAME:
            raise ScratchbuildError(f"{quote(text)}: a name in it is longer than {MOST_NAME} bytes")
    path = "/" + "/".join(parts)
    if len(path.encode()) > MOST_PATH:
        raise ScratchbuildError(f"{quote(text)} is longer than {MOST_PATH} bytes")
    return path


def absolute(field: Field) -> str:
    """Return a path of the image (see `image_path`)."""
    return image_path(field.text())


def below_root(field: Field) -> str:
    """Return a path of the image other than `/` itself."""
    path = absolute(field)
    if path == "/":
        raise field.error(f"{quote(field.text())} is the root directory itself", "Name something in it.")
    return path


def target(field: Field) -> str:
    """Return a path of the image; one that ends in `/` keeps it, and is a folder to copy into."""
    path = absolute(field)
    if path != "/" and field.text().endswith(("/", "/.")):
        return path + "/"
    return path


def into(folder: str, path: str) -> str:
    """Return where `path`'s last part goes when it is copied into `folder`."""
    return posixpath.join(folder, posixpath.basename(path))


def link_text(field: Field, path: str) -> str:
    """Return what the symbolic link `path` says, as written.

    Raises ScratchbuildError when it is empty, longer than Linux takes, or climbs above the root: where
    such a link leads depends on who unpacks the layer, so absolute ones are refused too.
    """
    text = field.text()
    if not text:
        raise field.error("the link is empty", f"Write it like this: {field.example}")
    if len(text.encode()) > MOST_PATH:
        raise field.error(f"{quote(text)} is longer than {MOST_PATH} bytes")
    depth = 0 if text.startswith("/") else path.count("/") - 1
    for part in text.split("/"):
        if part == "..":
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            raise field.error(
                f"{quote(text)} climbs out of the image from {quote(path)}",
                'Write fewer "..", or an absolute path in the image.',
            )
    return text


def mode(field: Field) -> int:
    """Return permission, setuid, setgid and sticky bits from a string of octal digits. Raises ScratchbuildError."""
    mend = 'Write the mode as a string of octal digits, such as "0755" or "1777".'
    if isinstance(field.value, int) and not isinstance(field.value, bool):
        raise field.error("a mode is a string: an integer would not say whether it is octal", mend)
    text = field.text()
    if len(text) not in _MODE_DIGITS or not _OCTAL.issuperset(text) or int(text, 8) > MOST_MODE:
        raise field.error(f"{quote(text)} is not a mode", mend)
    return int(text, 8)
