"""Definitions written as text, in a file that is nowhere: parsing looks at nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.errors import ScratchbuildError, SeveralErrors
from scratchbuild.spec import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from scratchbuild.spec import Definition

TWO_LINES = 'tags = ["hello:v1"]\nbinaries = ["/bin/hello"]\n'


@pytest.fixture
def defined() -> Callable[..., Definition]:
    """Parse a text as `/p/NAME.toml`, after two lines that any definition may begin with unless it stands `alone`."""

    def define(
        text: str, *, name: str = "a", alone: bool = False, environment: Mapping[str, str] | None = None
    ) -> Definition:
        whole = text if alone else TWO_LINES + text
        return parse(whole, path=f"/p/{name}.toml", environment=environment or {})

    return define


@pytest.fixture
def refused(defined: Callable[..., Definition]) -> Callable[..., list[str]]:
    """Parse as `defined` does, and return each error as a person reads it, without the file's name before a key."""

    def refuse(text: str, **settings: object) -> list[str]:
        with pytest.raises(ScratchbuildError) as caught:
            defined(text, **settings)
        error = caught.value
        found = error.errors if isinstance(error, SeveralErrors) else (error,)
        name = settings.get("name", "a")
        return [str(single).replace(f"/p/{name}.toml: ", "", 1) for single in found]

    return refuse
