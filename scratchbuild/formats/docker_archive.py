"""The docker-archive: what `docker load` reads, one tar of layers, configuration and manifest.

Its members are regular files with clean relative names, uncompressed, one image an archive: the form that docker,
podman, skopeo, umoci and containerd all take. Reading one is in `reading`, judging one in `check`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import files, tar
from scratchbuild.digest import Mapped, fingerprint
from scratchbuild.errors import ScratchbuildError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Sequence

MANIFEST = "manifest.json"


class ArchiveFacts(NamedTuple):
    """An archive that was written: its size in bytes, and its XXH3-128."""

    size: int
    fingerprint: str


def write(path: str, *, layers: Sequence[str], config: str, manifest: str, mtime: int) -> ArchiveFacts:
    """Write the archive `path`, in one step, from files on disk; return its facts.

    Each member has its file's own name, so these must differ; the layers come first, lowest first. `mtime` is every
    member's time, in seconds since 1970. Raises ScratchbuildError if a file cannot be read or changes meanwhile.
    """
    sources = [*layers, config, manifest]
    names = [os.path.basename(source) for source in sources]
    if len(set(names)) < len(names):
        raise ScratchbuildError(f"two members of {path} would have one name: {', '.join(sorted(names))}")
    try:
        with files.beside(path) as file:
            writer = tar.Writer(file)
            for name, source in zip(names, sources, strict=True):
                writer.add_file(tar.Member(name, mtime=mtime), source)
            writer.finish()
            with Mapped(file.fileno()) as data:
                return ArchiveFacts(len(data), fingerprint(data))
    except OSError as error:
        raise from_os_error(error, f"write {path}") from error
