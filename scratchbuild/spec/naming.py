"""Names that end up in files and folders: the image's own, its layer's, and its architecture's."""

from __future__ import annotations

import os.path
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from scratchbuild.spec.field import Field

_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz0123456789._-")
_ANY = _LOWER | frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
SUFFIX = ".toml"
# Room for what is added to a name in the image's folder, in a file name of 255 bytes.
MOST_NAME = 200
DEFAULT_LAYER = "layer.tar"
# What the layer of the image that is itself called `layer` is called, because layer.tar is then its archive.
OTHER_LAYER = "rootfs.tar"

# GOARCH values that Linux has (OCI image-spec, config.md, "architecture"), and what others call some of them.
ARCHITECTURES = frozenset(
    {"386", "amd64", "arm", "arm64", "loong64", "mips", "mips64", "mips64le", "mipsle"}
    | {"ppc64", "ppc64le", "riscv64", "s390x"}
)
# Those that have variants, after a slash (OCI image-index.md, "platform").
_VARIANTS = frozenset({"arm/v5", "arm/v6", "arm/v7", "arm/v8", "arm64/v8"})
_MACHINES = {
    "aarch64": "arm64",
    "armhf": "arm",
    "armv6l": "arm/v6",
    "armv7l": "arm/v7",
    "i386": "386",
    "i686": "386",
    "loongarch64": "loong64",
    "x64": "amd64",
    "x86": "386",
    "x86-64": "amd64",
    "x86_64": "amd64",
}


def image_name(path: str) -> str:
    """Return the name of the image that the file `path` defines: the file's own, without `.toml`.

    It is the name of a folder and of tasks too. Raises ScratchbuildError when it cannot be that.
    """
    file = os.path.basename(path)
    name = file.removesuffix(SUFFIX)
    if name == file:
        raise ScratchbuildError(
            f"{quote(file)} is not an image definition", where=path, mend=f"Call the file NAME{SUFFIX}."
        )
    if not name or name[0] in "._-" or not _LOWER.issuperset(name) or len(name) > MOST_NAME:
        raise ScratchbuildError(
            f"{quote(name)} cannot be the name of an image",
            where=path,
            mend=f'Call the file by 1 to {MOST_NAME} of a-z, 0-9, ".", "_" and "-", with a letter or digit first.',
        )
    return name


def default_layer(name: str) -> str:
    """Return what the layer of the image `name` is called unless its definition says so."""
    return OTHER_LAYER if f"{name}.tar" == DEFAULT_LAYER else DEFAULT_LAYER


def layer_name(field: Field) -> str:
    """Return the layer's file name. Raises ScratchbuildError for one that the image's folder cannot hold."""
    text = field.text()
    if text[:1] in {"", "."} or not _ANY.issuperset(text) or not text.endswith(".tar") or len(text) > MOST_NAME:
        raise field.error(
            f"{quote(text)} cannot be the name of a layer's file",
            'Write a plain file name that ends in ".tar": letters, digits, ".", "_" and "-", with no "." first.',
        )
    if text.lower() == f"{field.document.name}.tar":
        raise field.error(f"{quote(text)} is the name of the finished archive", "Choose another name.")
    return text


def architecture(field: Field) -> str:
    """Return the architecture as Go calls it, which is the OCI's name, with its variant behind a slash: `arm/v7`.

    Raises ScratchbuildError for others.
    """
    text = field.text()
    known = ARCHITECTURES | _VARIANTS
    if text in known:
        return text
    plain = text.lower().removeprefix("linux/")
    meant = plain if plain in known else _MACHINES.get(plain, plain.partition("/")[0])
    mend = f'Write "{meant}".' if meant in known else f"Known are {', '.join(sorted(ARCHITECTURES))}."
    raise field.error(f"{quote(text)} is not an architecture's name here", mend)
