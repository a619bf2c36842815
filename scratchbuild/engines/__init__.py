"""Engines: what an image is loaded into and run by. The only room that starts programs; none of them asks a network."""

from __future__ import annotations

from scratchbuild.engines.engine import Engine, Outcome
from scratchbuild.engines.find import NAMES, find

__all__ = ["NAMES", "Engine", "Outcome", "find"]
