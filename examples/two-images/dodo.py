from scratchbuild.dodo import *


def task_compile():
    """Compile the two programs, which binaries:server and binaries:client wait for."""
    for name in ("server", "client"):
        yield {
            "name": name,
            "file_dep": [f"{name}.c", "protocol.h"],
            "actions": ["mkdir -p build", f"cc -O2 -static -o build/{name} {name}.c"],
            "targets": [f"build/{name}"],
            "clean": True,
        }
