"""Scripts: that the interpreter which a `#!` line names is in the image too (execve(2), "Interpreter scripts")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError

if TYPE_CHECKING:
    from scratchbuild.plan.tree import Tree
    from scratchbuild.root import Root

_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin", "/usr/local/sbin", "/usr/sbin", "/sbin")


def check_interpreter(script: str, line: tuple[str, str | None], tree: Tree, root: Root | None) -> None:
    """Raise ScratchbuildError unless the image has the interpreter of `script`, whose `#!` line is `line`.

    `root` is where one that it lacks could be taken from.
    """
    interpreter, argument = line
    said = f"{script} is a script for {interpreter}{' ' + argument if argument else ''}"
    if interpreter.endswith("\r") or (argument or "").endswith("\r"):
        raise ScratchbuildError(
            f"the first line of {script} ends in a carriage return, so that the kernel looks for {interpreter!r}",
            mend="Save it with Unix line ends: sed -i 's/\\r$//' " + script,
        )
    if not interpreter.startswith("/"):
        raise ScratchbuildError(
            f"{said}, which is relative to whatever directory it is started in",
            mend="Write the interpreter's whole path in its first line.",
        )
    missing = [] if tree.find(interpreter) else [interpreter]
    if interpreter.rsplit("/", 1)[-1] == "env" and argument:
        # env(1) looks its program up itself; which one it finds depends on the image's PATH.
        program = next((word for word in argument.split() if not word.startswith("-") and "=" not in word), "")
        if program and not tree.has_name(program):
            missing.append(_found(program, root) if root else program)
    if not missing:
        return
    raise ScratchbuildError(
        f"{said}, and the image has no {' and no '.join(missing)}",
        mend=_mend(interpreter, missing, root),
    )


def _mend(interpreter: str, missing: list[str], root: Root | None) -> str:
    if root and interpreter in missing and root.resolve(interpreter).status is None:
        return f"This machine has no {interpreter} either: install it, or name another in the script's first line."
    return f"Add to binaries: {', '.join(missing)}."


def _found(program: str, root: Root) -> str:
    """Return where this machine has a program that env(1) would look up, or just its name."""
    paths = [f"{folder}/{program}" for folder in _FOLDERS]
    return next((path for path in paths if root.resolve(path).is_file), program)
