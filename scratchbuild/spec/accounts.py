"""Users, groups and owners: names and numbers as passwd(5) and group(5) hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.spec import paths
from scratchbuild.spec.definition import Group, Owner, User
from scratchbuild.spec.field import quote, twice

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scratchbuild.spec.field import Field

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz_")
_REST = _FIRST | frozenset("0123456789-")
MOST_LETTERS = 32
# The number above means "no change" to chown(2).
MOST_ID = 2**32 - 2
# What engines take for the user of a container.
MOST_RUN_ID = 2**31 - 1
_MOST_DIGITS = 10


def is_name(text: str) -> bool:
    """Whether `text` can be a user or group: a lower-case letter or `_` first, then digits and `-` too; a `$` last."""
    body = text.removesuffix("$")
    return bool(body) and body[0] in _FIRST and _REST.issuperset(body) and len(text) <= MOST_LETTERS


def name(field: Field) -> str:
    """Return a user's or group's name. Raises ScratchbuildError for one that passwd(5) could not hold."""
    text = field.text()
    if not is_name(text):
        raise field.error(
            f"{quote(text)} is not a name",
            f'A name is 1 to {MOST_LETTERS} of a-z, 0-9, "_" and "-", with a letter or "_" first.',
        )
    return text


def number(field: Field) -> int:
    """Return a user's or group's number."""
    return field.integer(0, MOST_ID)


def line(field: Field) -> str:
    """Return a part of a line of passwd(5): text without colons and ends of lines."""
    text = field.text()
    for letter, called in ((":", "a colon"), ("\n", "an end of line"), ("\r", "an end of line")):
        if letter in text:
            raise field.error(
                f"{quote(text)} holds {called}, which would split its line of /etc/passwd", "Leave it out."
            )
    return text


def place(field: Field) -> str:
    """Return a path of the image that a line of passwd(5) can hold."""
    return paths.image_path(line(field))


def _shell(field: Field) -> str:
    return place(field) if field.value != "" else ""


_USER = {"name": name, "uid": number, "gid": number, "home": place, "shell": _shell, "comment": line}
_GROUP = {"name": name, "gid": number, "members": lambda field: field.each(name)}


def users(field: Field) -> tuple[User, ...]:
    """Return the users; one without a `gid` has its `uid`. Raises ScratchbuildError, names and numbers twice too."""
    found = field.each(_user, "an array of tables")
    _unique(field, [(user.name, user.uid) for user in found], "uid")
    return found


def _user(field: Field) -> User:
    values = field.record(_USER, ("name", "uid"))
    values.setdefault("gid", values["uid"])
    return User(**values)


def groups(field: Field) -> tuple[Group, ...]:
    """Return the groups. Raises ScratchbuildError, names and numbers twice too."""
    found = field.each(_group, "an array of tables")
    _unique(field, [(group.name, group.gid) for group in found], "gid")
    return found


def _group(field: Field) -> Group:
    return Group(**field.record(_GROUP, ("name", "gid")))


def _unique(field: Field, accounts: Sequence[tuple[str, int]], number_key: str) -> None:
    errors = []
    for index, what in ((0, "name"), (1, number_key)):
        try:
            twice(field.items(), [account[index] for account in accounts], what)
        except ScratchbuildError as error:
            errors.append(error)
    raise_all(errors)


def with_own_groups(users_found: Sequence[User], groups_found: Sequence[Group], path: str) -> tuple[Group, ...]:
    """Return the groups, and one more of a user's name for each user whose number no group has.

    Raises ScratchbuildError when a group of that name has another number, and for a member that is no user although
    the definition lists users.
    """
    found = list(groups_found)
    errors = []
    for index, user in enumerate(users_found):
        if any(group.gid == user.gid for group in found) or user.gid == 0:
            continue
        namesake = next((group for group in found if group.name == user.name), None)
        if namesake is None:
            found.append(Group(user.name, user.gid))
            continue
        errors.append(
            ScratchbuildError(
                f"no group has the number {user.gid}, and the group {user.name} has {namesake.gid}",
                where=f"{path}: users[{index}].gid",
                mend=f"Write gid = {namesake.gid} here, or add a group with gid = {user.gid}.",
            )
        )
    known = {"root", *(user.name for user in users_found)}
    for index, group in enumerate(groups_found):
        errors.extend(
            ScratchbuildError(
                f"no user is called {member}",
                where=f"{path}: groups[{index}].members[{place}]",
                mend=f"Add it to users, or leave it out. Known: {', '.join(sorted(known))}.",
            )
            for place, member in enumerate(group.members)
            if users_found and member not in known
        )
    raise_all(errors)
    return tuple(found)


def owner(field: Field) -> Owner:
    """Return a user and a group from `"user:group"`, `"user"` or a number.

    The group of a number alone is the same number; that of a name alone is left empty, for `settled`.
    """
    user, group = _pair(field, MOST_ID, 'an owner such as "app", "app:staff", "1000:1000" or 1000')
    if group is None:
        group = user if isinstance(user, int) else ""
    return Owner(user, group)


def settled(found: Owner, users_found: Sequence[User]) -> Owner:
    """Return the owner with the group that its user has in the definition, else the group of the same name."""
    if found.group != "":
        return found
    own = {user.name: user.gid for user in users_found} | {"root": 0}
    assert isinstance(found.user, str)  # noqa: S101 - `owner` leaves the group of names alone empty
    return Owner(found.user, own.get(found.user, found.user))


def run_as(field: Field) -> str:
    """Return the config's `User` (OCI image-spec, config.md): a name or number, and perhaps a group after a colon."""
    user, group = _pair(field, MOST_RUN_ID, 'a user such as "app", "app:staff", "1000:1000" or 1000')
    return str(user) if group is None else f"{user}:{group}"


def _pair(field: Field, most: int, expected: str) -> tuple[int | str, int | str | None]:
    if isinstance(field.value, int) and not isinstance(field.value, bool):
        return field.integer(0, most), None
    if not isinstance(field.value, str):
        raise field.wrong(expected)
    text = field.text()
    user, colon, group = text.partition(":")
    both = [_name_or_number(part, most) for part in ([user, group] if colon else [user])]
    if None in both:
        raise field.error(
            f"{quote(text)} is not {expected}", f"Numbers are 0 to {most}; names are as in users and groups."
        )
    return both[0] or 0, (both[1] if colon else None)


def _name_or_number(text: str, most: int) -> int | str | None:
    if text.isascii() and text.isdigit():
        return int(text) if len(text) <= _MOST_DIGITS and int(text) <= most else None
    return text if is_name(text) else None
