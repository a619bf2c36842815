"""Opening a docker-archive that nobody vouches for: what it says, and where its layers' bytes lie.

Only archives in the form that every engine takes are opened: whole, uncompressed, clean relative names, one image whose
documents are regular files and agree with each other. Members that the image does not name, such as the links that
older forms of the archive have beside it, are passed over.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import tar, untar
from scratchbuild.errors import ScratchbuildError, flatten, from_os_error, raise_all
from scratchbuild.files import kind_of
from scratchbuild.formats import documents, recognise
from scratchbuild.formats.docker_archive import MANIFEST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.oci import ImageConfig
    from scratchbuild.untar import Found

_PIECE_BYTES = 1 << 20


class PackedLayer(NamedTuple):
    """A layer inside an archive: its member's name, the digest that the configuration says it has, where it lies."""

    name: str
    diff_id: str
    offset: int
    size: int


class Archive(NamedTuple):
    """An archive open for reading, as its documents describe it; its layers' bytes have not been looked at.

    Offsets are those of the open file `descriptor`.
    """

    path: str
    descriptor: int
    tags: tuple[str, ...]
    config: bytes
    image: ImageConfig
    layers: tuple[PackedLayer, ...]

    def members(self, layer: PackedLayer) -> Iterator[Found]:
        """Yield the members of a layer. Raises ScratchbuildError as `untar.members` does."""
        return untar.members(self.descriptor, layer.offset, layer.size)

    def digest(self, layer: PackedLayer) -> str:
        """Return the digest that a layer's bytes have. Raises OSError."""
        digest = hashlib.sha256()
        piece = memoryview(bytearray(_PIECE_BYTES))
        offset, end = layer.offset, layer.offset + layer.size
        while offset < end and (count := os.preadv(self.descriptor, [piece[: end - offset]], offset)):
            digest.update(piece[:count])
            offset += count
        return "sha256:" + digest.hexdigest()


@contextlib.contextmanager
def opened(path: str) -> Iterator[Archive]:
    """Yield the docker-archive `path`, whoever made it, after a check of all but its layers' bytes.

    Raises ScratchbuildError, for all that is wrong at once, if it is not one that every engine takes: what it is
    instead, and what to do.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise ScratchbuildError(f"{path} is {kind_of(status.st_mode)}, not a docker-archive")
        yield _read(path, descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def gathered(errors: list[ScratchbuildError], place: str) -> Iterator[None]:
    """Add to `errors` what is raised inside, each with `place` before its own place."""
    try:
        yield
    except ScratchbuildError as raised:
        for error in flatten([raised]):
            where = ": ".join(filter(None, (place, error.where)))
            errors.append(ScratchbuildError(error.what, where=where, mend=error.mend))


def _read(path: str, descriptor: int) -> Archive:
    errors: list[ScratchbuildError] = []
    wrong: list[ScratchbuildError]
    members = _members(path, descriptor)

    def member(name: str) -> Found | None:
        if name not in members:
            errors.append(ScratchbuildError(f"{MANIFEST} names {name!r}, which is not in the archive", where=path))
        elif members[name].member.kind != tar.FILE:
            errors.append(ScratchbuildError(f"the member {name!r} is not a regular file", where=path))
        else:
            return members[name]
        return None

    manifest, image, config = documents.Manifest("", (), ()), None, b""
    with gathered(errors, f"{path}: {MANIFEST}"):
        if found := member(MANIFEST):
            manifest = documents.parse_manifest(_bytes(descriptor, found), wrong := [])
            raise_all(wrong)
    if manifest.config and (found := member(manifest.config)):
        with gathered(errors, f"{path}: {manifest.config}"):
            config = _bytes(descriptor, found)
            image = documents.parse_config(config, wrong := [])
            raise_all(wrong)
    places = [found for name in manifest.layers if (found := member(name))]
    diff_ids = image.diff_ids if image else ()
    if diff_ids and len(diff_ids) != len(manifest.layers):
        what = f"it has {len(diff_ids)} diff_ids, and {MANIFEST} has {len(manifest.layers)} layers"
        errors.append(ScratchbuildError(what, where=f"{path}: {manifest.config}: rootfs.diff_ids"))
    raise_all(errors)
    assert image  # noqa: S101 - no error, so it was read
    layers = [
        PackedLayer(name, diff_id, found.offset, found.member.size)
        for name, diff_id, found in zip(manifest.layers, diff_ids, places, strict=True)
    ]
    return Archive(path, descriptor, manifest.tags, config, image, tuple(layers))


def _members(path: str, descriptor: int) -> dict[str, Found]:
    """Return all members but directories by name. Raises ScratchbuildError if it is no docker-archive."""
    members: dict[str, Found] = {}
    errors: list[ScratchbuildError] = []
    names: list[str] = []
    try:
        for found in untar.members(descriptor):
            name = found.member.name
            names.append(name)
            if found.member.kind == tar.DIRECTORY:
                continue
            if name in members:
                errors.append(ScratchbuildError(f"the member {name!r} is there twice", where=path))
            elif not documents.is_clean(name):
                what = f"the member {name!r} has no clean relative name: no /, ./ or .. in front or between"
                errors.append(ScratchbuildError(what, where=path))
            members[name] = found
    except ScratchbuildError as error:
        raise recognise.unreadable(path, descriptor, error) from error
    if MANIFEST not in members:
        raise recognise.other_archive(path, names)
    raise_all(errors)
    return members


def _bytes(descriptor: int, found: Found) -> bytes:
    """Return a document's bytes."""
    if found.member.size > documents.MOST_DOCUMENT_BYTES:
        raise ScratchbuildError(
            f"it has {found.member.size} bytes, more than the {documents.MOST_DOCUMENT_BYTES} engines take"
        )
    return os.pread(descriptor, found.member.size, found.offset)
