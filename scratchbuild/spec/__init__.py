"""The image definition: one TOML file to one frozen, checked `Definition`."""

from scratchbuild.spec.definition import Definition
from scratchbuild.spec.parse import parse, read

__all__ = ["Definition", "parse", "read"]
