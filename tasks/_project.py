"""The images of this run: the variables on the command line, the definitions, and where everything lies."""

from __future__ import annotations

import functools
import os
from typing import NamedTuple

import doit

from scratchbuild import spec
from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.spec.field import quote
from scratchbuild.spec.tags import canonical_tag
from scratchbuild.state.imprint import Imprints
from scratchbuild.state.lock import Lock
from scratchbuild.tasks import _interrupt

# The variables that may stand on the command line as NAME=VALUE. A dodo.py of one's own adds its own names here.
variables = {
    "configs": "the folder of image definitions (default: configs beside dodo.py)",
    "cache": "the folder that everything is built in (default: rootfs_cache beside dodo.py)",
    "engine": "docker, podman or sandbox (default: the first that answers)",
}


# What stands before a path that a message tells; what it quotes or puts in brackets is a value, and stays.
_BEFORE = frozenset({"", " ", "\n"})


class Image(NamedTuple):
    """One image of this run: its definition, or the error that its definition has."""

    name: str
    path: str
    folder: str
    definition: spec.Definition | None
    error: ScratchbuildError | None = None

    @property
    def defined(self) -> spec.Definition:
        """The definition. Raises the error that it has."""
        if self.definition is None:
            assert self.error is not None  # noqa: S101  # one of the two is there
            raise self.error
        return self.definition

    @property
    def root(self) -> str:
        """The folder that holds the staged root file system."""
        return os.path.join(self.folder, "rootfs")

    @property
    def layer(self) -> str:
        """The layer's tar file."""
        return self.file(self.definition.layer_name if self.definition else "layer.tar")

    @property
    def archive(self) -> str:
        """The finished archive."""
        return self.file(self.name + ".tar")

    def file(self, name: str) -> str:
        """Return the path of something that is built for this image."""
        return os.path.join(self.folder, name)


class Project:
    """A folder of definitions and the cache that they are built in, as the command line names them."""

    def __init__(self, configs: str, cache: str) -> None:
        self.configs = configs
        self.cache = cache
        self.lock = Lock(cache)
        self.imprints = Imprints()
        self.images = self._images()

    def _images(self) -> list[Image]:
        try:
            names = sorted(name for name in os.listdir(self.configs) if name.endswith(".toml") and name[0] != ".")
        except OSError as error:
            if isinstance(error, FileNotFoundError) and not doit.get_var("configs"):
                return []  # a project that has none yet: `build` says so, a person's own tasks run
            reason = (error.strerror or str(error)).lower()
            message = f"cannot read the folder of image definitions {shown(self.configs)}: {reason}"
            raise doit.exceptions.InvalidDodoFile(message) from None
        images = [self._image(name) for name in names]
        return _without_shared_tags(images)

    def _image(self, file: str) -> Image:
        # doit takes no "=" in the name of a task; the definition's error says what the file should be called.
        name = file.removesuffix(".toml").replace("=", "%3D")
        path = os.path.join(self.configs, file)
        folder = os.path.join(self.cache, name)
        try:
            return Image(name, path, folder, spec.read(shown(path), os.environ))
        except ScratchbuildError as error:
            return Image(name, path, folder, None, error)


def _without_shared_tags(images: list[Image]) -> list[Image]:
    """Return the images; those that share a tag with another have an error instead of a definition."""
    owners: dict[str, list[tuple[Image, int, str]]] = {}
    for image in images:
        for number, tag in enumerate(image.definition.tags if image.definition else ()):
            owners.setdefault(canonical_tag(tag), []).append((image, number, tag))
    errors: dict[str, list[ScratchbuildError]] = {}
    for sharers in owners.values():
        for image, number, tag in sharers if len(sharers) > 1 else ():
            others = [
                shown(other.path) + (f" (as {quote(theirs)})" if theirs != tag else "")
                for other, _, theirs in sharers
                if other is not image
            ]
            error = ScratchbuildError(
                f"the tag {quote(tag)} is also in {', '.join(others)}",
                where=f"{shown(image.path)}: tags[{number}]",
                mend="Two images cannot have one tag: change one of them.",
            )
            errors.setdefault(image.name, []).append(error)
    return [
        image._replace(definition=None, error=SeveralErrors(errors[image.name])) if image.name in errors else image
        for image in images
    ]


def shown(path: str) -> str:
    """Return a path as a person reads it best: relative to the folder of dodo.py if it is below it."""
    relative = os.path.relpath(path)
    return path if relative.startswith("..") else relative


def briefly(text: str, image: Image) -> str:
    """Return a message about an image with the paths of the project relative to the folder of dodo.py.

    Where the image itself keeps such paths they stay whole: nobody could tell the two apart.
    """
    here = os.getcwd() + "/"
    if image.definition:
        kept = [binary.source for binary in image.definition.binaries if not binary.target]
        kept += [file.source for file in image.definition.files if file.source and not file.target]
        if any(path.startswith(here) for path in kept):
            return text
    first, *others = text.split(here)
    told = first
    for other in others:
        bare = "/" not in other.split(" ")[0].split("\n")[0]
        told += (("./" if bare else "") if told[-1:] in _BEFORE else here) + other
    return told


@functools.cache
def current() -> Project:
    """Return the project that this run is about.

    `configs=DIR` and `cache=DIR` are relative to where the command was typed, the defaults to dodo.py's folder.
    """
    _interrupt.quietly()
    check_variables()
    typed_in = doit.get_initial_workdir() or os.getcwd()

    def folder(name: str, default: str) -> str:
        given = doit.get_var(name)
        return os.path.normpath(os.path.join(typed_in, given) if given else os.path.abspath(default))

    return Project(folder("configs", "configs"), folder("cache", "rootfs_cache"))


def check_variables() -> None:
    """Refuse names on the command line that nobody knows: doit would pass over them silently."""
    from doit import doit_cmd

    for name in doit_cmd._CMDLINE_VARS or ():  # noqa: SLF001  # get_var() tells one, nothing tells all
        if name not in variables:
            import difflib

            near = difflib.get_close_matches(name, variables, n=1)
            hint = f" Did you mean {near[0]}=?" if near else ""
            known = "".join(f"\n  {known}=  {text}" for known, text in variables.items())
            raise doit.exceptions.InvalidDodoFile(f"there is no variable {name}=.{hint}{known}")
