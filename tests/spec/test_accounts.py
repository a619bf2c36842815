"""Users, groups and owners, as passwd(5) and group(5) can hold them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.spec.definition import Group, Owner, User

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


def test_a_user_needs_a_name_and_a_number(
    defined: Callable[..., Definition], refused: Callable[..., list[str]]
) -> None:
    assert defined('users = [{ name = "app", uid = 1000 }]').users == (
        User("app", 1000, 1000, "", "/", "/sbin/nologin"),
    )
    text = '[[users]]\nname = "app$"\nuid = 0\ngid = 4294967294\nhome = "/srv/"\nshell = ""\ncomment = "An App, x"'
    assert defined(text).users == (User("app$", 0, 4294967294, "An App, x", "/srv", ""),)
    mend = 'Write it like this: users = [{ name = "app", uid = 1000 }]'
    assert refused("users = [{}]") == [
        f'users[0]: "name" is missing\n  {mend}',
        f'users[0]: "uid" is missing\n  {mend}',
    ]


def test_a_user_whose_group_nobody_names_gets_one_of_the_same_name(defined: Callable[..., Definition]) -> None:
    text = """
users = [{ name = "app", uid = 7 }, { name = "two", uid = 8, gid = 7 }, { name = "web", uid = 9, gid = 50 }]
groups = [{ name = "staff", gid = 50, members = ["app", "root"] }]
"""
    assert defined(text).groups == (Group("staff", 50, ("app", "root")), Group("app", 7))


def test_the_group_zero_needs_no_name(defined: Callable[..., Definition]) -> None:
    assert defined('users = [{ name = "app", uid = 7, gid = 0 }]').groups == ()


def test_a_user_and_a_group_of_one_name_must_agree(refused: Callable[..., list[str]]) -> None:
    assert refused('users = [{ name = "app", uid = 7 }]\ngroups = [{ name = "app", gid = 8 }]') == [
        (
            "users[0].gid: no group has the number 7, and the group app has 8\n"
            "  Write gid = 8 here, or add a group with gid = 7."
        )
    ]


def test_a_member_must_be_a_user_when_the_definition_lists_users(
    defined: Callable[..., Definition], refused: Callable[..., list[str]]
) -> None:
    groups = 'groups = [{ name = "staff", gid = 50, members = ["app", "ap"] }]'
    assert defined(groups).groups[0].members == ("app", "ap")
    assert refused(f'users = [{{ name = "app", uid = 7 }}]\n{groups}') == [
        "groups[0].members[1]: no user is called ap\n  Add it to users, or leave it out. Known: app, root."
    ]


def test_names_and_numbers_are_there_once(refused: Callable[..., list[str]]) -> None:
    text = """
users = [{ name = "a", uid = 1 }, { name = "a", uid = 2 }, { name = "b", uid = 1 }]
groups = [{ name = "g", gid = 5 }, { name = "g", gid = 5 }]
"""
    mend = "Leave one of them out."
    assert refused(text) == [
        f"users[1]: the same name as users[0]: a\n  {mend}",
        f"users[2]: the same uid as users[0]: 1\n  {mend}",
        f"groups[1]: the same name as groups[0]: g\n  {mend}",
        f"groups[1]: the same gid as groups[0]: 5\n  {mend}",
    ]


@pytest.mark.parametrize("name", ["", "App", "1a", "-a", "a b", "a:b", "a\\n", "a$b", "$", "x" * 33, "\u00e4"])
def test_what_is_no_name_is_refused(refused: Callable[..., list[str]], name: str) -> None:
    for key, number in (("users", "uid"), ("groups", "gid")):
        (error,) = refused(f'{key} = [{{ name = "{name}", {number} = 1 }}]')
        assert error.startswith(f"{key}[0].name: ")
        assert 'is not a name\n  A name is 1 to 32 of a-z, 0-9, "_" and "-", with a letter or "_" first.' in error


@pytest.mark.parametrize(
    ("number", "got"),
    [
        ("-1", "the integer -1"),
        ("4294967295", "the integer 4294967295"),
        ("0x" + "f" * 5000, "an integer of more than"),
    ],
)
def test_numbers_are_those_of_the_system(refused: Callable[..., list[str]], number: str, got: str) -> None:
    (error,) = refused(f'users = [{{ name = "a", uid = {number} }}]')
    assert error.startswith(f"users[0].uid: expected an integer from 0 to 4294967294, got {got}")


@pytest.mark.parametrize("number", ["true", '"5"', "5.0"])
def test_a_number_is_an_integer(refused: Callable[..., list[str]], number: str) -> None:
    (error,) = refused(f'users = [{{ name = "a", uid = {number} }}]')
    assert error.startswith("users[0].uid: expected an integer from 0 to 4294967294, got ")


@pytest.mark.parametrize("key", ["home", "shell", "comment"])
@pytest.mark.parametrize(("letter", "called"), [(":", "a colon"), ("\\n", "an end of line"), ("\\r", "an end of line")])
def test_nothing_can_split_the_line_of_a_user(
    refused: Callable[..., list[str]], key: str, letter: str, called: str
) -> None:
    (error,) = refused(f'users = [{{ name = "a", uid = 1, {key} = "/x{letter}y" }}]')
    assert error == (
        f'users[0].{key}: "/x{letter}y" holds {called}, which would split its line of /etc/passwd\n  Leave it out.'
    )


@pytest.mark.parametrize(
    ("written", "owner"),
    [
        ("1000", Owner(1000, 1000)),
        ('"1000"', Owner(1000, 1000)),
        ('"007:5"', Owner(7, 5)),
        ('"app"', Owner("app", 50)),
        ('"app:app"', Owner("app", "app")),
        ('"www-data"', Owner("www-data", "www-data")),
        ('"root"', Owner("root", 0)),
        ('"app:4294967294"', Owner("app", 4294967294)),
    ],
)
def test_an_owner_without_a_group_has_the_group_of_its_user(
    defined: Callable[..., Definition], written: str, owner: Owner
) -> None:
    text = f"""
users = [{{ name = "app", uid = 7, gid = 50 }}]
files = [{{ target = "/x", content = "", owner = {written} }}]
directories = [{{ path = "/d", owner = {written} }}]
"""
    found = defined(text)
    assert (found.files[0].owner, found.directories[0].owner) == (owner, owner)


@pytest.mark.parametrize("owner", ["", ":", "a:", ":b", "a:b:c", "a b", "4294967295", "99999999999", "A", "-1"])
def test_what_is_no_owner_is_refused(refused: Callable[..., list[str]], owner: str) -> None:
    assert refused(f'directories = [{{ path = "/d", owner = "{owner}" }}]') == [
        (
            f'directories[0].owner: "{owner}" is not an owner such as "app", "app:staff", "1000:1000" or 1000\n'
            "  Numbers are 0 to 4294967294; names are as in users and groups."
        )
    ]


@pytest.mark.parametrize(
    ("written", "user"),
    [("1000", "1000"), ('"1000:5"', "1000:5"), ('"app"', "app"), ('"app:staff"', "app:staff"), ("0", "0")],
)
def test_the_user_of_the_container(defined: Callable[..., Definition], written: str, user: str) -> None:
    assert defined(f"user = {written}").user == user


def test_the_user_of_the_container_is_one_that_engines_take(refused: Callable[..., list[str]]) -> None:
    assert refused('user = "2147483648"') == [
        (
            'user: "2147483648" is not a user such as "app", "app:staff", "1000:1000" or 1000\n'
            "  Numbers are 0 to 2147483647; names are as in users and groups."
        )
    ]
    assert refused("user = 2147483648") == [
        "user: expected an integer from 0 to 2147483647, got the integer 2147483648"
    ]
    assert refused("user = []") == [
        (
            'user: expected a user such as "app", "app:staff", "1000:1000" or 1000, got an empty array\n'
            '  Write it like this: user = "1000:1000"'
        )
    ]
