"""Hard links are a fact of the host: names of one file are one file in the image, separate copies are separate."""

from __future__ import annotations

import os
import tarfile
from typing import TYPE_CHECKING

from tests.graph.conftest import program

if TYPE_CHECKING:
    from tests.graph.conftest import Workshop

NAMES = ("bunzip2", "bzcat", "bzip2")


def members(shop: Workshop) -> list[tuple[str, bytes, str]]:
    """Return name, type and link of the layer's files."""
    with tarfile.open(shop.image("tool") / "layer.tar") as layer:
        return [(member.name, member.type, member.linkname) for member in layer if not member.isdir()]


def define(shop: Workshop, names: tuple[str, ...], extra: str = "") -> None:
    listed = ", ".join(f'{{ source = "SRC/{name}", target = "/bin/{name}"{extra} }}' for name in names)
    shop.define("tool", f'binaries = [{listed}]\nentrypoint = ["/bin/bzip2"]\n')


def linked(shop: Workshop) -> None:
    shop.source("bzip2", program())
    for name in ("bunzip2", "bzcat"):
        (shop.src / name).unlink(missing_ok=True)
        os.link(shop.src / "bzip2", shop.src / name)


def test_the_first_name_is_the_file_and_the_others_are_links_to_it(shop: Workshop) -> None:
    linked(shop)
    define(shop, NAMES)
    shop.build()
    expected = [
        ("bin/bunzip2", tarfile.REGTYPE, ""),
        ("bin/bzcat", tarfile.LNKTYPE, "bin/bunzip2"),
        ("bin/bzip2", tarfile.LNKTYPE, "bin/bunzip2"),
    ]
    assert members(shop) == expected
    assert (shop.image("tool") / "rootfs/bin/bzip2").stat().st_nlink == 3
    assert (shop.image("tool") / "rootfs/bin/bzip2").stat().st_ino != (shop.src / "bzip2").stat().st_ino
    first = shop.digests()
    define(shop, NAMES[::-1])
    shop.build()
    assert shop.digests() == first


def test_separate_copies_of_the_same_bytes_are_another_image(shop: Workshop) -> None:
    linked(shop)
    define(shop, NAMES)
    shop.build()
    first = shop.digests()
    for name in ("bunzip2", "bzcat"):
        (shop.src / name).unlink()
        shop.source(name, program())
    assert "binaries" in shop.build().stages("tool")
    assert [kind for _, kind, _ in members(shop)] == [tarfile.REGTYPE] * 3
    assert shop.digests() != first
    assert shop.digests() == shop.clean_build()
    linked(shop)
    shop.build()
    assert shop.digests() == first


def test_a_link_more_beside_the_source_is_none_of_the_images_business(shop: Workshop) -> None:
    shop.source("bzip2", program())
    define(shop, ("bzip2",))
    shop.build()
    first = shop.digests()
    os.link(shop.src / "bzip2", shop.src / "another")
    shop.build()
    assert shop.digests() == first
    assert [kind for _, kind, _ in members(shop)] == [tarfile.REGTYPE]


def test_names_whose_modes_differ_in_the_image_are_files_of_their_own(shop: Workshop) -> None:
    linked(shop)
    define(shop, NAMES)
    path = shop.configs / "tool.toml"
    path.write_text(path.read_text().replace('"/bin/bzcat"', '"/bin/bzcat", mode = "0700"'))
    shop.build()
    assert [kind for _, kind, _ in members(shop)] == [tarfile.REGTYPE, tarfile.REGTYPE, tarfile.LNKTYPE]


def test_a_damaged_staged_link_is_mended(shop: Workshop) -> None:
    linked(shop)
    define(shop, NAMES)
    shop.build()
    first = shop.digests()
    staged = shop.image("tool") / "rootfs/bin/bzcat"
    staged.unlink()
    staged.write_bytes(program("not this\n"))
    shop.build()
    assert shop.digests() == first
    assert staged.stat().st_nlink == 3
