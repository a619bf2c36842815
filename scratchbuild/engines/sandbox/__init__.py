"""The sandbox: an engine for machines without one. It unpacks images into a folder and runs them in namespaces.

Containers are made by system calls of `inside.py`, as root or in a user namespace, or else by bubblewrap.
"""

from __future__ import annotations

from scratchbuild.engines.sandbox.engine import Sandbox, connect
from scratchbuild.engines.sandbox.store import Store

__all__ = ["Sandbox", "Store", "connect"]
