"""What a person is told when something cannot be done: what, where, and what mends it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class ScratchbuildError(Exception):
    """A failure that its reader can mend; shown as a message, never as a traceback.

    `what` says what is wrong, with the value; `where` the file and key (`configs/a.toml: binaries[0]`); `mend` what
    would put it right. Only `what` is required.
    """

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.mend = mend

    def at(self, where: str) -> ScratchbuildError:
        """Return this error, telling `where` if it did not know its place yet."""
        self.where = self.where or where
        return self

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        return f"{text}\n  {self.mend}" if self.mend else text


class SeveralErrors(ScratchbuildError):
    """All the errors of one document or stage, in the order they were found; at least one."""

    def __init__(self, errors: Iterable[ScratchbuildError]) -> None:
        self.errors = tuple(flatten(errors))
        super().__init__("\n".join(str(error) for error in self.errors))

    def at(self, where: str) -> SeveralErrors:
        """Return these errors, each of them telling `where` if it did not know its place yet."""
        return SeveralErrors([error.at(where) for error in self.errors])


def flatten(errors: Iterable[ScratchbuildError]) -> Iterator[ScratchbuildError]:
    """Yield each single error, those inside a `SeveralErrors` too."""
    for error in errors:
        if isinstance(error, SeveralErrors):
            yield from error.errors
        else:
            yield error


def raise_all(errors: list[ScratchbuildError]) -> None:
    """Raise nothing for none, the error itself for one, `SeveralErrors` for more."""
    found = list(flatten(errors))
    if len(found) == 1:
        raise found[0]
    if found:
        raise SeveralErrors(found)


_MENDS = {
    errno.EACCES: "Change its permissions, or build as a user who may.",
    errno.EDQUOT: "Free some space, or build elsewhere: cache=DIR.",
    errno.ENOSPC: "Free some space, or build elsewhere: cache=DIR.",
    errno.EPERM: "Change its permissions, or build as a user who may.",
    errno.EROFS: "Build elsewhere: cache=DIR.",
}


def from_os_error(error: OSError, doing: str, *, where: str = "", mend: str = "") -> ScratchbuildError:
    """Return the error a person is shown for `error` met while `doing` (`"read /bin/x"`)."""
    what = f"cannot {doing}: {(error.strerror or str(error)).lower()}"
    return ScratchbuildError(what, where=where, mend=mend or _MENDS.get(error.errno or 0, ""))
