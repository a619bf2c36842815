"""What follows from an image's configuration and layers."""

from __future__ import annotations

import hashlib

from scratchbuild import image

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")


def digest(text: str) -> str:
    """Return the digest of a text."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def test_the_image_id_is_the_digest_of_the_configuration() -> None:
    assert image.image_id(image.Parts(b"{}", ())) == digest("{}")


def test_a_chain_id_names_a_layer_on_top_of_all_below_it() -> None:
    assert image.chain_ids([]) == []
    assert image.chain_ids([A]) == [A]
    assert image.chain_ids([A, B, C]) == [A, digest(f"{A} {B}"), digest(f"{digest(f'{A} {B}')} {C}")]


def test_the_size_is_that_of_configuration_and_layers() -> None:
    assert image.total_size(image.Parts(b"{}", (image.Layer("a", A, 10), image.Layer("b", B, 20)))) == 32
