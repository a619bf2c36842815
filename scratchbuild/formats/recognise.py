"""What a file is that is no docker-archive, and what to do with it: said before an engine fails on it less clearly."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from scratchbuild import untar
from scratchbuild.errors import ScratchbuildError
from scratchbuild.tar import BLOCK

if TYPE_CHECKING:
    from collections.abc import Sequence

# How a file begins, what it then is, and what unpacks it.
_COMPRESSED = (
    (b"\x1f\x8b", "gzip", "gzip -dk"),
    (b"\x28\xb5\x2f\xfd", "zstd", "zstd -dk"),
    (b"\xfd7zXZ\0", "xz", "xz -dk"),
    (b"BZh", "bzip2", "bzip2 -dk"),
)
_OTHERS = (
    (b"\x7fELF", "a program or library (ELF)"),
    (b"PK\x03\x04", "a zip archive"),
    (b"{", "a JSON document"),
    (b"[", "a JSON document"),
    (b"#!", "a script"),
)

# Names at the top of a root file system (hier(7)).
_ROOT_NAMES = frozenset(
    {"bin", "dev", "etc", "lib", "lib64", "opt", "proc", "root", "run", "sbin", "sys", "tmp", "usr", "var"}
)

_MOST_SHOWN = 5


def compression(start: bytes) -> str:
    """Return what a file that starts with these bytes is compressed with (`gzip`), or an empty text."""
    return next((name for magic, name, _ in _COMPRESSED if start.startswith(magic)), "")


def unreadable(path: str, descriptor: int, cause: ScratchbuildError) -> ScratchbuildError:
    """Return the error for an open file that could not be read as a tar archive to its end, for `cause`."""
    start = os.pread(descriptor, BLOCK, 0)
    if not start:
        return ScratchbuildError("it is an empty file, not a docker-archive", where=path, mend="Build it again.")
    for magic, name, unpack in _COMPRESSED:
        if start.startswith(magic):
            return ScratchbuildError(
                f"it is compressed with {name}, and not every engine loads such an archive",
                where=path,
                mend=f"Unpack it first: {unpack} {path}",
            )
    if untar.is_header(start) or not any(start):
        return ScratchbuildError(
            f"it is a damaged tar archive: {cause.what}",
            where=f"{path}: {cause.where}" if cause.where else path,
            mend="Build it again, or copy it again from where it came.",
        )
    what = next((what for magic, what in _OTHERS if start.startswith(magic)), "no tar archive")
    return ScratchbuildError(f"it is {what}, not a docker-archive", where=path)


def other_archive(path: str, names: Sequence[str]) -> ScratchbuildError:
    """Return the error for a whole tar archive with members of these `names`, manifest.json not among them."""
    top = {name.removeprefix("./").partition("/")[0] for name in names} - {""}
    if not names:
        what, mend = "it is a tar archive with nothing in it", "Build it again."
    elif {"oci-layout", "index.json"} <= top:
        what = "it is an OCI layout without the manifest.json that docker load looks for"
        mend = f"Convert it: skopeo copy oci-archive:{path} docker-archive:NEW.tar:NAME:TAG"
    elif "./manifest.json" in names:
        what = "its members' names begin with ./, which not every engine takes"
        mend = "Pack it again with plain names: tar -cf NEW.tar LAYER.tar config.json manifest.json"
    elif nested := sorted(name for name in names if name.endswith("/manifest.json")):
        folder = nested[0].removesuffix("/manifest.json")
        what = f"its members are inside the folder {folder}/, where no engine looks for them"
        mend = f"Pack it again from inside that folder: cd {folder} && tar -cf NEW.tar *"
    elif ".dockerenv" in top:
        what = "it is the file system of a container (docker export), not an image"
        mend = f"Make it an image: docker import {path} NAME:TAG; or save the image itself with docker save."
    elif top & _ROOT_NAMES:
        what = "it is a root file system or a layer, not an image: it has no manifest.json"
        mend = f"Make it an image: docker import {path} NAME:TAG; or build the archive that goes with it."
    else:
        shown = ", ".join(sorted(top)[:_MOST_SHOWN])
        what, mend = f"it is a tar archive, but no docker-archive: it has no manifest.json, but {shown}", ""
    return ScratchbuildError(what, where=path, mend=mend)
