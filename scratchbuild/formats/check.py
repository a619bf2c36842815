"""Whether a finished archive is one that every engine takes and can run, whoever made it.

Engines differ in what they refuse, and some accept what fails later; here all of it is refused before any engine
sees it. Everything is computed again from the archive's bytes.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild import tar
from scratchbuild.errors import ScratchbuildError, from_os_error, raise_all
from scratchbuild.formats import reading, recognise
from scratchbuild.formats.reading import gathered
from scratchbuild.layer import path_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.formats.reading import Archive, PackedLayer
    from scratchbuild.untar import Found


def check(path: str) -> None:
    """Check the docker-archive `path`. Raises ScratchbuildError for all that is wrong with it."""
    errors: list[ScratchbuildError] = []
    try:
        with reading.opened(path) as archive:
            for layer in dict.fromkeys(archive.layers):
                with gathered(errors, f"{path}: {layer.name}"):
                    check_layer(archive, layer)
    except OSError as error:
        raise from_os_error(error, f"read {path}") from error
    raise_all(errors)


def check_layer(archive: Archive, layer: PackedLayer) -> None:
    """Check the bytes of one layer. Raises ScratchbuildError for all that is wrong with it, OSError."""
    if name := recognise.compression(os.pread(archive.descriptor, 8, layer.offset)):
        raise ScratchbuildError(
            f"the layer is compressed with {name}",
            mend="Archives here have plain tar layers: skopeo copy docker-archive:OLD.tar docker-archive:NEW.tar",
        )
    errors: list[ScratchbuildError] = []
    with gathered(errors, ""):
        check_tree(archive.members(layer))
    digest = archive.digest(layer)
    if digest != layer.diff_id:
        errors.append(ScratchbuildError(f"its digest is {digest}, and the configuration says {layer.diff_id}"))
    raise_all(errors)


def check_tree(members: Iterable[Found]) -> None:
    """Check that a layer's members are a tree: one member a path, links to what came before, directories above.

    Raises ScratchbuildError for all that is wrong.
    """
    errors: list[ScratchbuildError] = []
    kinds: dict[str, bytes] = {}
    above: set[str] = set()
    with gathered(errors, ""):
        for found in members:
            with gathered(errors, ""):
                _check_member(found.member, kinds, above)
    raise_all(errors)


def _check_member(member: tar.Member, kinds: dict[str, bytes], above: set[str]) -> None:
    """Check one member against the kinds of those before it and all the directories `above` them; add it to both."""
    path = path_of(member.name)
    if path in kinds:
        raise ScratchbuildError(f"{path} is there twice")
    if member.kind != tar.DIRECTORY and path in above:
        raise ScratchbuildError(f"{path} is a file or a link, and a member before it is inside")
    if member.kind == tar.HARDLINK and kinds.get(path_of(member.linkname)) not in {tar.FILE, tar.HARDLINK}:
        raise ScratchbuildError(f"{path} is a hard link to {member.linkname!r}, which is no file before it")
    kinds[path] = member.kind
    while (path := path.rpartition("/")[0]) and path not in above:
        if kinds.get(path, tar.DIRECTORY) != tar.DIRECTORY:
            raise ScratchbuildError(f"{member.name!r} has no directory to be in: {path} is a file or a link")
        above.add(path)
