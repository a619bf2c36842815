"""The image's users and groups: /etc/passwd and /etc/group (passwd(5), group(5)), and whom a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.rootfs import Entry
from scratchbuild.spec.field import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scratchbuild.spec import Definition
    from scratchbuild.spec.definition import Owner

PASSWD = "/etc/passwd"  # noqa: S105  # a file
GROUP = "/etc/group"


def entries(definition: Definition) -> list[Entry]:
    """Return the two files, if the definition has users or groups; root is in them unless the definition says so."""
    if not definition.users and not definition.groups:
        return []
    users = [
        f"{user.name}:x:{user.uid}:{user.gid}:{user.comment}:{user.home}:{user.shell}" for user in definition.users
    ]
    if all(user.uid != 0 and user.name != "root" for user in definition.users):
        users.insert(0, "root:x:0:0:root:/:/sbin/nologin")
    groups = [f"{group.name}:x:{group.gid}:{','.join(group.members)}" for group in definition.groups]
    if all(group.gid != 0 and group.name != "root" for group in definition.groups):
        groups.insert(0, "root:x:0:")
    return [
        Entry(PASSWD, "file", 0o644, "users", content=_lines(users)),
        Entry(GROUP, "file", 0o644, "groups", content=_lines(groups)),
    ]


def _lines(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines).encode()


def identity(owner: Owner, definition: Definition, key: str) -> tuple[int, int]:
    """Return the numeric user and group of `owner`. Raises ScratchbuildError for a name that nobody defines."""
    users = {"root": 0} | {user.name: user.uid for user in definition.users}
    groups = {"root": 0} | {group.name: group.gid for group in definition.groups}
    return _number(owner.user, users, "user", key), _number(owner.group, groups, "group", key)


def _number(name: int | str, known: dict[str, int], kind: str, key: str) -> int:
    if isinstance(name, int):
        return name
    if name not in known:
        raise ScratchbuildError(
            f"no {kind} is called {quote(name)}",
            where=key,
            mend=f"Add it to {kind}s, or write its number. Known: {', '.join(sorted(known))}.",
        )
    return known[name]


def check_user(user: str, passwd: bytes | None, group: bytes | None) -> None:
    """Check that an engine would know the config's `user` (`name`, `uid`, either with `:group`).

    `passwd` and `group` are the image's own files, None where it has none. Lines that are malformed are passed over,
    as engines do. Raises ScratchbuildError.
    """
    name, _, group_name = user.partition(":")
    if name and not name.isdigit():
        _known(name, passwd, PASSWD, "user", "users")
    if group_name and not group_name.isdigit():
        _known(group_name, group, GROUP, "group", "groups")


def _known(name: str, text: bytes | None, path: str, kind: str, key: str) -> None:
    names = _names((text or b"").decode("utf-8", "replace").splitlines())
    if name not in names:
        lack = "the image has no " + path if text is None else f"{path} of the image does not have it"
        raise ScratchbuildError(
            f"{kind} {quote(name)} is not known in the image: {lack}",
            where="user",
            mend=f"Add it to {key}, or write its number, which needs no {path}.",
        )


def _names(lines: Sequence[str]) -> set[str]:
    fields = [line.split(":") for line in lines]
    return {parts[0] for parts in fields if len(parts) >= 3 and parts[2].isdigit()}  # noqa: PLR2004  # name, password, id
