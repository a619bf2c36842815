"""Running an image of the sandbox by hand: `python .../sandbox/__main__.py STORE TAG [ARGUMENT...]`."""

from __future__ import annotations

import os
import sys

_PROJECT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
_A_DAY = 86400.0
_USAGE = 2


def main(arguments: list[str]) -> int:
    """Run an image, show what it printed, and return its exit status."""
    from scratchbuild.engines.sandbox import connect  # noqa: PLC0415 - only now can it be found
    from scratchbuild.errors import ScratchbuildError  # noqa: PLC0415

    if len(arguments) < 2:  # noqa: PLR2004 - a store and a tag
        sys.stderr.write(f"{__doc__}\n")
        return _USAGE
    store, tag, *rest = arguments
    try:
        outcome = connect(store, os.environ).run(tag, rest, _A_DAY)
    except ScratchbuildError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.buffer.write(outcome.stdout)
    sys.stdout.flush()
    sys.stderr.buffer.write(outcome.stderr)
    return outcome.status


if __name__ == "__main__":
    # Run by its path, this folder is first where modules are looked for; the project's own must be.
    sys.path[0] = _PROJECT
    sys.exit(main(sys.argv[1:]))
