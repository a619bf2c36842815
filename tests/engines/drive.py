"""Has a sandbox do one thing and prints what came of it as JSON: `drive.py HOW STORE REQUEST`."""

from __future__ import annotations

import json
import os
import shutil
import sys

from scratchbuild.engines.sandbox import Sandbox, connect
from scratchbuild.errors import ScratchbuildError


def main(how: str, store: str, request: str) -> None:
    """Do it."""
    if how == "bubblewrap":
        path = shutil.which("bwrap")
        assert path
        sandbox = Sandbox(store, path)
    else:
        sandbox = connect(store, os.environ)
        assert "namespaces" in sandbox.where
    operation, *arguments = json.loads(request)
    try:
        answer = getattr(sandbox, operation)(*arguments)
    except ScratchbuildError as error:
        answer = [-1, "", "", str(error)] if operation == "run" else str(error)
    else:
        if operation == "run":
            answer = [answer.status, answer.stdout.decode("latin-1"), answer.stderr.decode("latin-1"), ""]
        elif operation == "load":
            answer = ""
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
