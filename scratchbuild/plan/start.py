"""How the image starts: its entrypoint, found as an engine would find it, and its user."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.plan.accounts import GROUP, PASSWD, check_user
from scratchbuild.plan.programs import check_bytes
from scratchbuild.plan.tree import Tree
from scratchbuild.root import normal
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scratchbuild.rootfs import Entry
    from scratchbuild.spec import Definition

# What engines use for an image whose config has no PATH (moby, oci.DefaultPathEnv).
DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ANY_EXECUTE = 0o111


def entrypoint(definition: Definition) -> tuple[str, ...]:
    """Return the argument vector that the config gets: the definition's own, or the first binary."""
    if definition.entrypoint is not None:
        return definition.entrypoint
    if not definition.binaries:
        return ()
    first = definition.binaries[0]
    return (first.target or normal(first.source),)


def check(definition: Definition, entries: Sequence[Entry], content: Callable[[str], bytes]) -> None:
    """Check that the image's program and user are in it. `content` gives a file's bytes by its path in the image.

    Raises ScratchbuildError, for all that is wrong at once.
    """
    errors: list[ScratchbuildError] = []
    tree = Tree(entries)
    vector = entrypoint(definition)
    key = "cmd" if definition.cmd and not vector else "entrypoint"
    program = next(iter(vector or definition.cmd), None)
    try:
        if program is not None:
            search = dict(definition.env).get("PATH", DEFAULT_PATH)
            found = _program(program, tree, entries, search, definition.workdir)
            if found.reason not in {binary.key for binary in definition.binaries}:  # those are checked already
                check_bytes(found.path, content(found.path), tree)
        elif definition.entrypoint is None:
            raise ScratchbuildError(  # noqa: TRY301
                "the image has nothing to run",
                mend='Name a program: entrypoint = ["/path/in/image"]. Mere data? entrypoint = [].',
            )
    except ScratchbuildError as error:
        errors.append(error.at(f"{definition.path}: {key}"))
    try:
        _check_user(definition.user, tree, content)
    except ScratchbuildError as error:
        error.where = f"{definition.path}: user"
        errors.append(error)
    raise_all(errors)


def _check_user(user: str, tree: Tree, content: Callable[[str], bytes]) -> None:
    if all(not name or name.isdigit() for name in user.split(":")):
        return
    found = [tree.find(path) for path in (PASSWD, GROUP)]
    check_user(user, *(content(file.path) if file is not None and file.kind == "file" else None for file in found))


def _program(program: str, tree: Tree, entries: Sequence[Entry], search: str, workdir: str) -> Entry:
    """Return the file that an engine would run. Raises ScratchbuildError."""
    if "/" in program:
        return _executable(normal(program if program.startswith("/") else f"{workdir}/{program}"), tree, entries)
    passed: list[ScratchbuildError] = []
    for folder in search.split(":"):
        path = normal(f"{folder or workdir}/{program}")
        try:
            if tree.find(path) is None:
                continue
            return _executable(path, tree, entries)
        except ScratchbuildError as error:
            passed.append(error)  # as execvp(3) does, which goes on to the next folder
    if passed:
        raise passed[0]
    mend = _similar(program, entries) or "Write its whole path."
    if " " in program:
        mend = f"Each argument is a string of its own: [{', '.join(map(quote, program.split()))}]."
    raise ScratchbuildError(f"{quote(program)} is not in the image's PATH ({search})", mend=mend)


def _executable(path: str, tree: Tree, entries: Sequence[Entry]) -> Entry:
    found = tree.find(path)
    if found is None:
        raise ScratchbuildError(
            f"{quote(path)} is not in the image", mend=_similar(path, entries) or "Add it to binaries, or name another."
        )
    if found.kind == "directory":
        raise ScratchbuildError(f"{quote(path)} is a directory", mend="Name a program in it.")
    if not found.mode & ANY_EXECUTE:
        raise ScratchbuildError(
            f"{quote(path)} is not executable: its mode is {found.mode:04o}",
            mend='Give it mode = "0755" where the definition packs it.',
        )
    return found


def _similar(path: str, entries: Sequence[Entry]) -> str:
    """Return the sentence that names the program of the image which has this name, or one near to it."""
    tree = Tree(entries)
    programs: dict[str, str] = {}
    for entry in entries:
        try:
            found = tree.find(entry.path)
        except ScratchbuildError:
            continue
        if found is not None and found.kind == "file" and found.mode & ANY_EXECUTE:
            programs.setdefault(entry.path.rsplit("/", 1)[-1], entry.path)
    near = difflib.get_close_matches(path.rsplit("/", 1)[-1], programs, n=1, cutoff=0.7)
    return f"Did you mean {programs[near[0]]}?" if near else ""
