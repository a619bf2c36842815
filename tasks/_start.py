"""What ./doit starts in .venv: doit's own program, quicker.

Of the 80 ms of a build with nothing to do, doit spends 25 on two imports that it hardly ever uses: importlib.metadata,
only to ask for plugins, and pdb, only for ``--pdb``. Here both wait until they are needed. Everything else is
doit's: `doit` typed in an activated environment does the same.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from types import ModuleType
from typing import Any


def entry_points(*, group: str) -> Any:
    """Return what importlib.metadata.entry_points does for a group named `doit.*`.

    Raises nothing of its own. An installed package announces plugins in its entry_points.txt (Python packaging,
    "Entry points specification"): where no such file names doit, there are none to look for.
    """
    for folder in sys.path:
        try:
            packages = [name for name in os.listdir(folder) if name.endswith((".dist-info", ".egg-info"))]
        except OSError:
            continue
        for package in packages:
            try:
                with open(os.path.join(folder, package, "entry_points.txt"), "rb") as file:
                    announced = b"[doit." in file.read()
            except OSError:
                continue  # it announces nothing
            if announced:
                from importlib.metadata import entry_points as real_entry_points

                return real_entry_points(group=group)
    return ()


def _real_pdb(name: str) -> Any:
    """Return pdb's attribute of this name, from the real module. Raises AttributeError."""
    import pdb  # noqa: T100

    return getattr(pdb, name)


def main() -> int:
    """Run doit on the command line. Return its exit status: 0 to 3, see doit's documentation, "return codes"."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # and not ignored, as nohup(1) has it
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # until a run makes something, Ctrl-C needs no traceback
    metadata, debugger = ModuleType("importlib.metadata"), ModuleType("pdb")
    metadata.entry_points = entry_points  # type: ignore[attr-defined]
    debugger.__getattr__ = _real_pdb  # type: ignore[method-assign]
    stand_ins = {module.__name__: module for module in (metadata, debugger) if module.__name__ not in sys.modules}
    sys.argv[0] = "doit"  # what its messages call it
    gc.disable()  # importing makes many objects and no garbage
    sys.modules.update(stand_ins)
    try:
        from doit.doit_cmd import DoitMain
    finally:
        for name in stand_ins:
            del sys.modules[name]
        gc.freeze()  # what is imported stays: no need to look through it again
        gc.enable()
    return int(DoitMain().run(sys.argv[1:]) or 0)


if __name__ == "__main__":
    sys.exit(main())
