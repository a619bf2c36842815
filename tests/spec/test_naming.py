"""Names of images, layers and architectures."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.naming import image_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


@pytest.mark.parametrize(
    ("path", "name"),
    [("configs/a.toml", "a"), ("0.toml", "0"), ("/x/a.b_c-d.toml", "a.b_c-d"), ("a.toml.toml", "a.toml")],
)
def test_an_image_is_called_as_its_file(path: str, name: str) -> None:
    assert image_name(path) == name


@pytest.mark.parametrize(
    "name", ["", "A", ".a", "_a", "-a", "a b", "a:b", "a*", "a=b", "\u00e4", "a\n", "x" * 201, "\udcff"]
)
def test_a_file_whose_name_could_be_no_folder_and_no_task_is_refused(name: str) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        image_name(f"configs/{name}.toml")
    assert caught.value.where == f"configs/{name}.toml"
    assert caught.value.what.endswith(" cannot be the name of an image")
    assert caught.value.mend == (
        'Call the file by 1 to 200 of a-z, 0-9, ".", "_" and "-", with a letter or digit first.'
    )


def test_a_file_of_another_kind_is_refused() -> None:
    with pytest.raises(ScratchbuildError) as caught:
        image_name("configs/a.json")
    assert str(caught.value) == 'configs/a.json: "a.json" is not an image definition\n  Call the file NAME.toml.'


def test_the_layer_is_called_layer_tar_unless_the_archive_is(defined: Callable[..., Definition]) -> None:
    assert defined("").layer_name == "layer.tar"
    assert defined("", name="layer").layer_name == "rootfs.tar"
    assert defined('layer_name = "demo-image.tar"').layer_name == "demo-image.tar"


@pytest.mark.parametrize(
    "name", ["", "layer", ".tar", ".x.tar", "a/b.tar", "../x.tar", "a b.tar", "x.tar.gz", "config.json", "x.TAR",
             "a\\u0000.tar", "\u00e4.tar", "x" * 197 + ".tar"]
)  # fmt: skip
def test_a_layer_is_called_by_a_plain_file_name(refused: Callable[..., list[str]], name: str) -> None:
    (error,) = refused(f'layer_name = "{name}"')
    assert error.startswith("layer_name: ")


def test_a_layer_is_not_called_as_the_archive(refused: Callable[..., list[str]]) -> None:
    assert refused('layer_name = "a.tar"') == [
        'layer_name: "a.tar" is the name of the finished archive\n  Choose another name.'
    ]
    # On a file system that does not tell letters' case, it would be.
    assert refused('layer_name = "A.tar"')[0].startswith('layer_name: "A.tar" is the name of the finished archive')
    assert refused('layer_name = "layer.tar"', name="layer") == [
        'layer_name: "layer.tar" is the name of the finished archive\n  Choose another name.'
    ]
    assert refused('layer_name = "../x.tar"') == [
        (
            'layer_name: "../x.tar" cannot be the name of a layer\'s file\n  Write a plain file name that ends in '
            '".tar": letters, digits, ".", "_" and "-", with no "." first.'
        )
    ]


def test_an_architecture_has_its_name_in_go(defined: Callable[..., Definition]) -> None:
    assert defined("").architecture is None
    for name in (
        "amd64",
        "386",
        "arm64",
        "arm",
        "riscv64",
        "ppc64le",
        "s390x",
        "mips64le",
        "loong64",
        "arm/v7",
        "arm64/v8",
    ):
        assert defined(f'architecture = "{name}"').architecture == name


@pytest.mark.parametrize(
    ("written", "meant"),
    [("x86_64", "amd64"), ("aarch64", "arm64"), ("linux/amd64", "amd64"),
     ("linux/arm/v7", "arm/v7"), ("armv7l", "arm/v7"), ("amd64/v9", "amd64"), ("AMD64", "amd64"),
     ("i686", "386")],
)  # fmt: skip
def test_an_architecture_called_otherwise_is_told_its_name(
    refused: Callable[..., list[str]], written: str, meant: str
) -> None:
    assert refused(f'architecture = "{written}"') == [
        f'architecture: "{written}" is not an architecture\'s name here\n  Write "{meant}".'
    ]


def test_an_architecture_that_nobody_knows_is_told_all(refused: Callable[..., list[str]]) -> None:
    assert refused('architecture = "vax"') == [
        (
            'architecture: "vax" is not an architecture\'s name here\n  Known are 386, amd64, arm, arm64, loong64, '
            "mips, mips64, mips64le, mipsle, ppc64, ppc64le, riscv64, s390x."
        )
    ]
