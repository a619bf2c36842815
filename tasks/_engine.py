"""The engine of this run, found when it is first needed."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

import doit

if TYPE_CHECKING:
    from scratchbuild.engines import Engine
    from scratchbuild.tasks._project import Image


def choice() -> str | None:
    """Return what `engine=NAME` on the command line says, or None."""
    name: str | None = doit.get_var("engine")
    return name or None


def of(image: Image) -> Engine:
    """Return the engine for an image. Raises ScratchbuildError when none answers."""
    return _found(image.file("sandbox"))


@functools.cache
def _found(store: str) -> Engine:
    from scratchbuild import engines

    return engines.find(choice(), store=store, environment=os.environ)
