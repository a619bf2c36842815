#!/usr/bin/env python3
"""What importing a module costs, in milliseconds of processor time: `imports.py PYTHON MODULE...`.

Each is imported by a Python of its own that has imported doit, in turn, and compared with one that has imported no more
than doit in the same round. The default modules are those that this project uses, or could have used, when a build has
nothing to do.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys

ROUNDS = 15
DOIT = "doit.doit_cmd"
MODULES = ["tomllib", "xxhash", "msgspec", "rich.progress", "elftools.elf.elffile", "pydantic.main"]


def processor_seconds(python: str, code: str) -> float | None:
    """Return the user and system time of a Python that runs `code`, or None if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [python, "-c", code]
    done = subprocess.run(command, env=environment, stderr=subprocess.DEVNULL, check=False)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return None if done.returncode else spent


def main(python: str, modules: list[str], rounds: int = ROUNDS) -> None:
    """Print a line for each module that this Python has."""
    costs: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        nothing = processor_seconds(python, "pass")
        only_doit = processor_seconds(python, f"import {DOIT}")
        for module in [DOIT, *modules]:
            before = nothing if module == DOIT else only_doit
            spent = only_doit if module == DOIT else processor_seconds(python, f"import {DOIT}; import {module}")
            if number and spent is not None and before is not None:
                costs.setdefault(module, []).append(spent - before)
    for module in [DOIT, *modules]:
        cost = f"{statistics.median(costs[module]) * 1000:6.1f} ms" if module in costs else "   not installed"
        print(f"{module:<22} {cost}")  # noqa: T201  # a program that prints


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else sys.executable, sys.argv[2:] or MODULES)
