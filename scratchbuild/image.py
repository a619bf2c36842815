"""An image is its configuration and its layers; everything else about it follows from these."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from scratchbuild.digest import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Layer(NamedTuple):
    """One layer, an uncompressed tar archive on disk: its file, its digest (its diff_id) and its size in bytes."""

    path: str
    diff_id: str
    size: int


class Image(Protocol):
    """What every format of an image is made from."""

    @property
    def config(self) -> bytes:
        """The configuration's bytes."""

    @property
    def layers(self) -> Sequence[Layer]:
        """The layers, lowest first."""


class Parts(NamedTuple):
    """An image whose parts are at hand."""

    config: bytes
    layers: tuple[Layer, ...]


def image_id(image: Image) -> str:
    """Return the image ID: the digest of the configuration (OCI image-spec, config.md, "ImageID")."""
    return sha256(image.config)


def chain_ids(diff_ids: Iterable[str]) -> list[str]:
    """Return, for each layer, the digest that names it on top of all below it (config.md, "Layer ChainID")."""
    chain: list[str] = []
    for diff_id in diff_ids:
        chain.append(sha256(f"{chain[-1]} {diff_id}".encode()) if chain else diff_id)
    return chain


def total_size(image: Image) -> int:
    """Return the bytes of configuration and layers together."""
    return len(image.config) + sum(layer.size for layer in image.layers)
