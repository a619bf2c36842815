from scratchbuild.dodo import *


def task_compile():
    """Compile main.c; binaries:hello waits for it, because it packs the file that this makes."""
    return {
        "file_dep": ["main.c"],
        "actions": ["mkdir -p build", "cc -O2 -o build/hello main.c"],
        "targets": ["build/hello"],
        "clean": True,
    }
