"""Users and groups of the image."""

from __future__ import annotations

from typing import Any

import pytest

from scratchbuild.errors import ScratchbuildError
from scratchbuild.plan.accounts import check_user, entries, identity
from scratchbuild.spec.definition import Owner

USERS = """
users = [{ name = "app", uid = 1000, home = "/srv", shell = "/bin/sh", comment = "The App" }, { name = "b", uid = 7 }]
groups = [{ name = "staff", gid = 50, members = ["app", "b"] }]
"""


def test_passwd_and_group_have_the_definitions_users_and_root(define: Any) -> None:
    passwd, group = entries(define(USERS))
    assert (passwd.path, passwd.mode, passwd.content.decode()) == (
        "/etc/passwd",
        0o644,
        "root:x:0:0:root:/:/sbin/nologin\napp:x:1000:1000:The App:/srv:/bin/sh\nb:x:7:7::/:/sbin/nologin\n",
    )
    assert (group.path, group.content.decode()) == (
        "/etc/group",
        "root:x:0:\nstaff:x:50:app,b\napp:x:1000:\nb:x:7:\n",
    )


def test_root_of_the_definition_is_the_only_root(define: Any) -> None:
    passwd, _ = entries(define('users = [{ name = "root", uid = 0, shell = "/bin/sh" }]'))
    assert passwd.content == b"root:x:0:0::/:/bin/sh\n"


def test_definition_without_users_gets_no_files(define: Any) -> None:
    assert entries(define()) == []


@pytest.mark.parametrize(
    ("owner", "numbers"),
    [
        (Owner(5, 6), (5, 6)),
        (Owner("app", "staff"), (1000, 50)),
        (Owner("root", "root"), (0, 0)),
        (Owner("app", 9), (1000, 9)),
    ],
)
def test_owner_by_name_is_a_number_of_the_definition(define: Any, owner: Owner, numbers: tuple[int, int]) -> None:
    assert identity(owner, define(USERS), "key") == numbers


@pytest.mark.parametrize(
    ("owner", "what"), [(Owner("x", 0), 'user is called "x"'), (Owner(0, "y"), 'group is called "y"')]
)
def test_owner_that_nobody_defines_is_an_error(define: Any, owner: Owner, what: str) -> None:
    with pytest.raises(ScratchbuildError, match=f"^files.0.: no {what}\n"):
        identity(owner, define(USERS), "files[0]")


PASSWD = b"root:x:0:0::/:\nbroken\napp:x:1000:1000::/:\nnumberless:x:::\nlatin:x:1:1:J\xf6rg:/:\n"
GROUP = b"staff:x:50:\n"


@pytest.mark.parametrize("user", ["", "app", "app:staff", "1234", "1234:5", "1234:staff", "app:5", "latin"])
def test_user_that_engines_know_is_known(user: str) -> None:
    check_user(user, PASSWD, GROUP)


@pytest.mark.parametrize("user", ["1234", "1234:5", ""])
def test_numbers_need_no_file(user: str) -> None:
    check_user(user, None, None)


@pytest.mark.parametrize(
    ("user", "passwd", "group", "what"),
    [
        ("nobody", PASSWD, GROUP, 'user "nobody" is not known in the image: /etc/passwd of the image does not have it'),
        ("broken", PASSWD, GROUP, 'user "broken" is not known in the image: /etc/passwd of the image does not have it'),
        ("numberless", PASSWD, GROUP, 'user "numberless" is not known'),
        ("app", None, GROUP, 'user "app" is not known in the image: the image has no /etc/passwd'),
        ("app:grp", PASSWD, GROUP, 'group "grp" is not known in the image: /etc/group of the image does not have it'),
        ("5:grp", PASSWD, None, 'group "grp" is not known in the image: the image has no /etc/group'),
    ],
)
def test_user_that_engines_do_not_know_is_an_error(
    user: str, passwd: bytes | None, group: bytes | None, what: str
) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        check_user(user, passwd, group)
    assert caught.value.what.startswith(what)
