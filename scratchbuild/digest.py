"""Digests: SHA-256 names content (OCI image-spec, descriptor.md, "Digests"); XXH3-128 tells whether a file changed."""

from __future__ import annotations

import hashlib
import mmap
import os
import re

import xxhash

from scratchbuild.errors import ScratchbuildError

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}")


def sha256(data: bytes) -> str:
    """Return `data`'s digest as `sha256:` and 64 lower-case hexadecimal digits."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def sha256_of_descriptor(descriptor: int) -> str:
    """Return the digest of all bytes of an open regular file, whatever its offset."""
    with Mapped(descriptor) as data:
        return "sha256:" + hashlib.sha256(data).hexdigest()


def parse(text: str) -> str:
    """Return `text` if it is a SHA-256 digest (`sha256:` and 64 hexadecimal digits).

    Raises ScratchbuildError otherwise.
    """
    if not _SHA256.fullmatch(text):
        message = f"{text!r} is not a digest: expected sha256: and 64 lower-case hexadecimal digits"
        raise ScratchbuildError(message)
    return text


def checksum_line(digest: str, name: str) -> bytes:
    """Return the line that sha256sum(1) would write of the file `name`, which `sha256sum --check` understands."""
    return f"{digest.removeprefix('sha256:')}  {name}\n".encode()


def from_checksum_line(line: bytes) -> str:
    """Return the digest in a line of sha256sum(1). Raises ScratchbuildError."""
    return parse("sha256:" + line.decode("ascii", "replace").partition(" ")[0])


def fingerprint(data: bytes | memoryview | mmap.mmap) -> str:
    """Return the XXH3-128 of `data`, 32 hexadecimal digits: change detection only, never an identity."""
    return xxhash.xxh3_128_hexdigest(data)


class Mapped:
    """The bytes of an open regular file as one read-only buffer, mapped rather than read (empty files too)."""

    def __init__(self, descriptor: int) -> None:
        size = os.fstat(descriptor).st_size
        self._map = mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) if size else None

    def __enter__(self) -> mmap.mmap | bytes:
        return b"" if self._map is None else self._map

    def __exit__(self, *_: object) -> None:
        if self._map is not None:
            self._map.close()
