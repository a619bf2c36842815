"""The programs of an image: that each is one, which architecture they have, and which interpreter a script wants."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import elf
from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.scripts import check_interpreter
from scratchbuild.plan.tree import Tree
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scratchbuild.root import Root
    from scratchbuild.rootfs import Entry
    from scratchbuild.spec import Definition
    from scratchbuild.spec.definition import Binary

NO_PROGRAM = "A program is an ELF file, or a script whose first line is #!INTERPRETER; what is neither goes in files."
# A processor that runs the first runs the second too, and the image is one for the first.
_COMPANIONS = {("amd64", "386"), ("arm64", "arm"), ("ppc64", "ppc"), ("mips64", "mips"), ("mips64le", "mipsle")}


def check(definition: Definition, entries: Sequence[Entry], root: Root) -> str:
    """Return the image's architecture in OCI terms (`amd64`, `arm/v7`), read from its binaries if it is not given.

    `entries` is what the image has so far, in which a script's interpreter must be. Raises ScratchbuildError, for all
    binaries that are wrong at once.
    """
    errors: list[ScratchbuildError] = []
    found: dict[str, Binary] = {}
    for binary in definition.binaries:
        try:
            architecture = _architecture(binary, Tree(entries), root)
            if architecture:
                found.setdefault(architecture, binary)
        except ScratchbuildError as error:
            errors.append(error.at(f"{definition.path}: {binary.key}"))
    raise_all(errors)
    return _one(definition, found)


def _architecture(binary: Binary, tree: Tree, root: Root) -> str:
    """Return a binary's architecture, or nothing for a script whose interpreter is in the image."""
    with root.opened(binary.source) as file:
        if not file.size:
            raise ScratchbuildError(f"{binary.source} is an empty file, not a program", mend="Build it again.")
        first = file.at(0, elf.INTERPRETER_LINE_BYTES)
        try:
            script = None if elf.is_elf(first) else elf.interpreter_line(first)
            if script is None:
                facts = elf.read(file)
                return f"{facts.architecture}/{facts.variant}" if facts.variant else facts.architecture
        except ScratchbuildError as error:
            mend = error.mend or ("Build it again, or copy it anew." if elf.is_elf(first) else NO_PROGRAM)
            raise ScratchbuildError(f"{binary.source}: {error.what}", mend=mend) from error
    check_interpreter(binary.source, script, tree, root)
    return ""


class _Bytes(NamedTuple):
    """A file in memory, to read ELF from."""

    data: bytes

    @property
    def size(self) -> int:
        """The size in bytes."""
        return len(self.data)

    def at(self, offset: int, count: int, /) -> bytes:
        """Return up to `count` bytes from `offset`."""
        return self.data[offset : offset + count]


def check_bytes(path: str, data: bytes, tree: Tree) -> None:
    """Check that `data`, a file of the image that no binary is, would start there. Raises ScratchbuildError."""
    line = None
    try:
        line = None if elf.is_elf(data) else elf.interpreter_line(data)
        facts = None if line else elf.read(_Bytes(data))
    except ScratchbuildError as error:
        raise ScratchbuildError(f"{path}: {error.what}", mend=error.mend or NO_PROGRAM) from error
    if line:
        check_interpreter(path, line, tree, None)
    elif facts and facts.interpreter and not tree.find(facts.interpreter):
        raise ScratchbuildError(
            f"{path} needs {facts.interpreter}, and the image has none",
            mend="Name the program in binaries instead of files: its libraries and their loader come with it.",
        )


def _one(definition: Definition, found: dict[str, Binary]) -> str:
    given = definition.architecture
    if not found:
        return given or native()
    wanted = given.partition("/")[0] if given else ""
    others = [name for name in found if name.partition("/")[0] != wanted]
    if given:
        if others and not all((wanted, other) in _COMPANIONS for other in others):
            binary = found[others[0]]
            raise ScratchbuildError(
                f"the image is for {quote(given)}, but {binary.source} is a program for {others[0]}",
                where=f"{definition.path}: architecture",
                mend="Leave architecture out, and it is read from the binaries; or pack a program for it.",
            )
        return given
    for name in found:
        if all(name == other or (name, other) in _COMPANIONS for other in found):
            return name
    listed = "; ".join(f"{binary.key} {binary.source} is for {name}" for name, binary in found.items())
    raise ScratchbuildError(
        f"the binaries are for different machines: {listed}",
        where=f"{definition.path}: binaries",
        mend="One image has one architecture: make an image for each.",
    )


def elsewhere(architecture: str) -> str:
    """Return the note that this machine does not run programs of an architecture, or nothing where it does."""
    here = native()
    base = architecture.partition("/")[0]
    if base == here.partition("/")[0] or (here, base) in _COMPANIONS:
        return ""
    return f"the image is for {architecture}, and this machine is {here}: it may not run here"


def native() -> str:
    """Return the architecture of this machine in OCI terms, for an image that has no program to tell."""
    import os  # noqa: PLC0415  # only here

    names = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm/v7", "ppc64le": "ppc64le"}
    machine = os.uname().machine
    return names.get(machine, machine)
