"""What a person is told when a library or an interpreter is not there: who needs it, where it was sought, the cure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.ldso import conf, defaults, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scratchbuild.elf import Elf
    from scratchbuild.ldso.loaded import Probe
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.ldso.process import Missing
    from scratchbuild.root import Root


def library(root: Root, missing: Missing, loader: Loader, shell_library_path: str) -> ScratchbuildError:
    """Return the error for a library that the loader does not find, with hints at where it may be."""
    name, chain, outcome = missing
    lines = [f"library {name} not found"]
    if outcome.stopped:
        last = outcome.probes[-1]
        lines = [f"library {name}: the loader stops at {last.path} ({last.outcome})"]
    if chain:
        lines[0] += f", needed by {chain[-1]}"
        lines.append("needed through: " + " -> ".join([chain[0], *map(posixpath.basename, chain[1:]), name]))
    lines.append("looked at, in the loader's order:")
    lines += [f"  {_probe(probe)}" for probe in outcome.probes]
    hints = list(_hints(root, name, outcome.probes, loader, shell_library_path))
    return ScratchbuildError("\n  ".join(lines), mend="\n  ".join(hints))


def _probe(probe: Probe) -> str:
    if not probe.path:
        return f"{probe.rule}: {probe.outcome}"
    return f"{probe.path}: {probe.outcome} ({probe.rule})"


def _hints(
    root: Root,
    name: str,
    probes: Iterable[Probe],
    loader: Loader,
    shell_library_path: str,
) -> Iterable[str]:
    base = posixpath.basename(name)
    if shell_library_path:
        yield from _shell_hint(root, base, shell_library_path)
    tried = {posixpath.dirname(probe.path) for probe in probes if probe.path and probe.path != loader.cache}
    if loader.family == "glibc" and "/" not in name:
        for directory in _configured(root):
            if directory not in tried and root.resolve(posixpath.join(directory, base)).is_file:
                yield f"{directory}, which {conf.CONF} lists, has it and {loader.cache} does not: run ldconfig."
    near = nearest.names(root, base, sorted({*loader.directories, *tried}))
    if near:
        yield f"Did you mean {' or '.join(near)}?"
    yield f"Install the package that has {base}, or link with -Wl,-rpath to the directory that has it."


def _configured(root: Root) -> list[str]:
    try:
        return conf.directories(root)
    except ScratchbuildError:
        return []


def _shell_hint(root: Root, name: str, shell_library_path: str) -> Iterable[str]:
    text = f"Your shell's LD_LIBRARY_PATH ({shell_library_path}) does not count: nobody sets it in the image"
    for directory in shell_library_path.replace(";", ":").split(":"):
        try:
            found = directory.startswith("/") and root.resolve(posixpath.join(directory, name)).is_file
        except ScratchbuildError:
            continue
        if found:
            text += f". {posixpath.join(directory, name)} is there: link the program with a RUNPATH to it, or set"
            text += f' env = {{ LD_LIBRARY_PATH = "{directory}" }} in the definition'
            break
    yield text + "."


def interpreter(program: str, elf: Elf, problem: str) -> ScratchbuildError:
    """Return the error for a program whose interpreter cannot be used."""
    path = elf.interpreter or ""
    if defaults.family(path) == "musl":
        package = f"musl for {elf.architecture} (package musl on Debian and Alpine)"
    else:
        package = f"glibc for {elf.architecture} (package libc6 on Debian, glibc on Fedora)"
    return ScratchbuildError(
        f"the interpreter {path} of {program} is not usable: {problem}",
        mend=f"It comes with {package}; or link the program statically.",
    )
