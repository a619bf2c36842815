"""Binaries, files, directories, links and libraries, as a definition writes them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.spec import parse
from scratchbuild.spec.definition import Binary, Directory, File, Library, Owner, Symlink

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


def test_a_binary_is_a_path_or_a_table(defined: Callable[..., Definition]) -> None:
    text = """tags = ["hello:v1"]
binaries = [
  "/usr/bin/env",
  { source = "/bin/echo", target = "/bin/say", mode = "4755" },
  { source = "/bin/echo", target = "/opt/" },
  { source = "/bin/cat" },
]"""
    assert defined(text, alone=True).binaries == (
        Binary("/usr/bin/env", "binaries[0]"),
        Binary("/bin/echo", "binaries[1]", "/bin/say", 0o4755),
        Binary("/bin/echo", "binaries[2]", "/opt/echo"),
        Binary("/bin/cat", "binaries[3]"),
    )


def test_a_relative_binary_lies_beside_the_definition_and_goes_to_bin(defined: Callable[..., Definition]) -> None:
    text = 'tags = ["hello:v1"]\nbinaries = ["../build/./hello", { source = "x", mode = "0700" }, "./~y"]'
    assert defined(text, alone=True).binaries == (
        Binary("/build/hello", "binaries[0]", "/bin/hello"),
        Binary("/p/x", "binaries[1]", "/bin/x", 0o700),
        Binary("/p/~y", "binaries[2]", "/bin/~y"),
    )


def test_the_folder_of_a_definition_given_by_a_relative_path_counts_from_where_one_stands(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir("/usr")
    text = 'tags = ["hello:v1"]\nbinaries = ["hello"]'
    assert parse(text, path="configs/a.toml", environment={}).binaries[0].source == "/usr/configs/hello"
    assert parse(text, path="a.toml", environment={}).binaries[0].source == "/usr/hello"


@pytest.mark.parametrize(("written", "path"), [("//bin//x", "/bin/x"), ("/./a/../bin/x", "/bin/x"), ("/a$$b", "/a$b")])
def test_a_source_is_made_normal_as_text(defined: Callable[..., Definition], written: str, path: str) -> None:
    assert defined(f'tags = ["hello:v1"]\nbinaries = ["{written}"]', alone=True).binaries[0].source == path


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", 'the path is empty\n  Write it like this: binaries = ["/bin/echo", { source'),
        (
            "~/bin/x",
            (
                '"~/bin/x": "~" is not expanded\n'
                '  Write the whole path, or "./~/bin/x" for a file beside the definition that is called so.'
            ),
        ),
        ("~me/x", '"~me/x": "~" is not expanded'),
        ("$HOME/x", '"$HOME/x": variables are not expanded\n  Write the path itself; "$$" stands for a real "$".'),
        ("/opt/x-${VERSION}", '"/opt/x-${VERSION}": variables are not expanded'),
        ("/a/$$$B", '"/a/$$$B": variables are not expanded'),
        ("/bin/", '"/bin/" is a folder, not a program\n  Name the file itself; folders go in files.'),
        ("..", '".." is a folder, not a program'),
        ("/a\\u0000b", '"/a\\x00b" holds a NUL byte'),
    ],
)
def test_a_source_that_would_not_be_what_it_seems_is_refused(
    refused: Callable[..., list[str]], source: str, message: str
) -> None:
    for text, key in ((f'["{source}"]', "binaries[0]"), (f'[{{ source = "{source}" }}]', "binaries[0].source")):
        (error,) = refused(f'tags = ["hello:v1"]\nbinaries = {text}', alone=True)
        assert error.startswith(f"{key}: {message}")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("bin/x", '"bin/x" is not an absolute path in the image\n  Write "/bin/x".'),
        ("", '"" is not an absolute path in the image\n  Write the whole path, from / on.'),
        ("~/x", '"~/x" is not an absolute path in the image\n  Write the whole path, from / on.'),
        ("/a/../b", '"/a/../b" has ".." in it, which could leave the image\n  Write the path without it.'),
        ("/..", '"/.." has ".." in it'),
        ("/", '"/" is the root directory itself\n  Name something in it.'),
        ("/a\\u0000", '"/a\\x00" holds a NUL byte'),
        ("/a/.wh.b", '"/a/.wh.b": a name that starts with ".wh." removes a file when a layer is unpacked'),
        ("/" + "\u00e4" * 128, "a name in it is longer than 255 bytes"),
        ("/a" * 2048, "is longer than 4095 bytes"),
    ],
)
def test_a_target_that_no_image_can_hold_is_refused(
    refused: Callable[..., list[str]], target: str, message: str
) -> None:
    (error,) = refused(f'tags = ["x:1"]\nbinaries = [{{ source = "/x", target = "{target}" }}]', alone=True)
    assert error.startswith("binaries[0].target: ")
    assert message in error


@pytest.mark.parametrize("written", ["//x", "/./x", "/x/.//."])
def test_a_target_is_made_normal(defined: Callable[..., Definition], written: str) -> None:
    (directory,) = defined(f'directories = ["{written}"]').directories
    assert directory.path == "/x"


def test_a_file_is_a_path_a_table_or_its_content(defined: Callable[..., Definition]) -> None:
    text = """
files = [
  "/etc/ssl/",
  "/etc/*.conf",
  { source = "site", target = "/srv/www", owner = "33:33" },
  { source = "conf/*.ini", target = "/etc/app", mode = "0640" },
  { target = "/etc/motd", content = "h\\u00e9llo\\u0000\\n", mode = "0644" },
  { target = "/empty", content = "" },
  { source = "/etc/*.d", mode = "0600" },
]""".replace('"/etc/app"', '"/etc/app/"')
    assert defined(text).files == (
        File("files[0]", "/etc/ssl"),
        File("files[1]", "/etc/*.conf"),
        File("files[2]", "/p/site", "/srv/www", owner=Owner(33, 33)),
        File("files[3]", "/p/conf/*.ini", "/etc/app/", mode=0o640),
        File("files[4]", target="/etc/motd", content="h\u00e9llo\0\n".encode(), mode=0o644),
        File("files[5]", target="/empty", content=b""),
        File("files[6]", "/etc/*.d", mode=0o600),
    )


def test_a_folder_with_wild_letters_in_its_name_is_no_pattern() -> None:
    text = 'tags = ["x:1"]\nfiles = [{ source = "a*", target = "/b/" }, { source = "c", target = "/c" }]'
    first, second = parse(text, path="/p[1]/a.toml", environment={}).files
    assert (first.source, second.source) == ("/p[[]1]/a*", "/p[[]1]/c")


@pytest.mark.parametrize(
    ("file", "error"),
    [
        (
            '"rel/x"',
            (
                'files[0]: "rel/x" is relative to this file, so it has no path in the image yet\n'
                '  Write { source = "rel/x", target = "/path/in/image" }.'
            ),
        ),
        (
            '{ source = "rel/x" }',
            (
                'files[0]: "target" is missing: "rel/x" is relative to this file, so it has no path in the image yet\n'
                '  Add target = "/path/in/image".'
            ),
        ),
        (
            '{ source = "/etc/*.conf", target = "/etc" }',
            (
                'files[0].target: "/etc" would be one name for all that matches "/etc/*.conf"\n'
                '  Write "/etc/" to copy into that folder.'
            ),
        ),
        (
            '{ content = "x" }',
            'files[0]: "target" is missing: content has no path of its own\n  Add target = "/path/in/image".',
        ),
        (
            '{ target = "/x/", content = "x" }',
            'files[0].target: "/x/" is a folder, and content needs a name\n  Add a file name.',
        ),
        (
            '{ source = "/a", content = "x", target = "/b" }',
            "files[0]: source and content are both there\n  Keep one: what to copy, or the text itself.",
        ),
        ('"/"', "files[0]: the root of this machine cannot be packed as a whole\n  Name what is wanted in it."),
    ],
)
def test_a_file_that_says_too_little_or_too_much_is_refused(
    refused: Callable[..., list[str]], file: str, error: str
) -> None:
    assert refused(f"files = [{file}]") == [error]


def test_a_file_needs_a_source_or_a_content(refused: Callable[..., list[str]]) -> None:
    (error,) = refused('files = [{ target = "/x" }]')
    assert error.startswith("files[0]: neither source nor content is there\n  Write it like this: files = [")


def test_content_must_be_a_string(refused: Callable[..., list[str]]) -> None:
    (error,) = refused('files = [{ target = "/x", content = 5 }]')
    assert error.startswith("files[0].content: expected a string, got the integer 5\n")


@pytest.mark.parametrize(
    ("mode", "value"), [("0755", 0o755), ("755", 0o755), ("1777", 0o1777), ("4755", 0o4755), ("04755", 0o4755)]
)
def test_a_mode_is_octal_digits(defined: Callable[..., Definition], mode: str, value: int) -> None:
    assert defined(f'directories = [{{ path = "/x", mode = "{mode}" }}]').directories[0].mode == value


@pytest.mark.parametrize("mode", ["", "7", "0o755", "0855", "10000", "77777", "u+x", " 755", "\u0667\u0665\u0665"])
def test_what_is_no_mode_is_refused(refused: Callable[..., list[str]], mode: str) -> None:
    assert refused(f'directories = [{{ path = "/x", mode = "{mode}" }}]') == [
        (
            f'directories[0].mode: "{mode}" is not a mode\n'
            '  Write the mode as a string of octal digits, such as "0755" or "1777".'
        )
    ]


@pytest.mark.parametrize("mode", ["755", "0o755", "493"])
def test_a_mode_that_is_an_integer_is_refused_because_it_could_mean_two_things(
    refused: Callable[..., list[str]], mode: str
) -> None:
    assert refused(f'directories = [{{ path = "/x", mode = {mode} }}]') == [
        (
            "directories[0].mode: a mode is a string: an integer would not say whether it is octal\n"
            '  Write the mode as a string of octal digits, such as "0755" or "1777".'
        )
    ]


def test_directories(defined: Callable[..., Definition]) -> None:
    text = 'directories = ["/dev", { path = "/var/spool", mode = "1777" }, { path = "/srv", owner = 1000 }]'
    assert defined(text).directories == (
        Directory("/dev", "directories[0]"),
        Directory("/var/spool", "directories[1]", 0o1777),
        Directory("/srv", "directories[2]", owner=Owner(1000, 1000)),
    )


def test_links_keep_their_text(defined: Callable[..., Definition]) -> None:
    text = '[symlinks]\n"/bin/sh" = "bash"\n"/usr//lib/x" = "../../lib/x"\n"/a" = "/no/such"'
    assert defined(text).symlinks == (
        Symlink("/bin/sh", "bash", 'symlinks."/bin/sh"'),
        Symlink("/usr/lib/x", "../../lib/x", 'symlinks."/usr//lib/x"'),
        Symlink("/a", "/no/such", 'symlinks."/a"'),
    )


@pytest.mark.parametrize(
    ("path", "text", "error"),
    [
        ("/a", "", 'symlinks."/a": the link is empty\n  Write it like this: symlinks = { "/bin/sh" = "bash" }'),
        ("/a", "b\\u0000", 'symlinks."/a": "b\\x00" holds a NUL byte\n  Leave it out: no system call takes one.'),
        ("sh", "bash", 'symlinks.sh: "sh" is not an absolute path in the image\n  Write "/sh".'),
        ("/", "bash", 'symlinks."/": the root directory cannot be a link\n  Name something in it.'),
        (
            "/a\\u0000",
            "b",
            ('symlinks."/a\\x00": the path holds a NUL byte\n  Write it like this: symlinks = { "/bin/sh" = "bash" }'),
        ),
    ],
)
def test_a_link_that_no_file_system_holds_is_refused(
    refused: Callable[..., list[str]], path: str, text: str, error: str
) -> None:
    assert refused(f'symlinks = {{ "{path}" = "{text}" }}') == [error]


@pytest.mark.parametrize("text", ["../../x", "../x/../../y", "/../x", "a/../../.."])
def test_a_link_that_climbs_out_of_the_image_is_refused(refused: Callable[..., list[str]], text: str) -> None:
    assert refused(f'symlinks = {{ "/bin/sh" = "{text}" }}') == [
        (
            f'symlinks."/bin/sh": "{text}" climbs out of the image from "/bin/sh"\n'
            '  Write fewer "..", or an absolute path in the image.'
        )
    ]


def test_a_link_may_climb_to_the_root(defined: Callable[..., Definition]) -> None:
    assert defined('symlinks = { "/usr/bin/sh" = "../../x/.." }').symlinks[0].text == "../../x/.."


def test_a_link_longer_than_linux_takes_is_refused(refused: Callable[..., list[str]]) -> None:
    (error,) = refused(f'symlinks = {{ "/a" = "{"b/" * 2048}" }}')
    assert error.endswith("is longer than 4095 bytes")


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_library_has_a_name(refused: Callable[..., list[str]], name: str) -> None:
    (error,) = refused(f'libraries = ["{name}"]')
    assert error.startswith(f'libraries[0]: "{name}" is not a library\'s name\n  Write it like this: libraries = ')


def test_libraries_are_sonames_and_paths(defined: Callable[..., Definition]) -> None:
    found = defined('libraries = ["libnss_files.so.2", "/opt/liba.so", "./libb.so", "sub/libc.so"]')
    assert found.layout == "host"
    assert found.libraries == (
        Library("libnss_files.so.2", "libraries[0]"),
        Library("/opt/liba.so", "libraries[1]"),
        Library("/p/libb.so", "libraries[2]"),
        Library("/p/sub/libc.so", "libraries[3]"),
    )


def test_libraries_may_all_go_to_one_directory(defined: Callable[..., Definition]) -> None:
    found = defined('libraries = { layout = "//lib64/", extra = ["libx.so"] }')
    assert (found.layout, found.libraries) == ("/lib64", (Library("libx.so", "libraries.extra[0]"),))
    assert defined('libraries = { layout = "host" }').layout == "host"


@pytest.mark.parametrize(
    ("libraries", "error"),
    [
        (
            '{ layout = "lib64" }',
            'libraries.layout: "lib64" is not a layout\n  Write "host", or a directory of the image such as "/lib64".',
        ),
        ('{ layout = "/" }', 'libraries.layout: "/" is the root directory itself\n  Name something in it.'),
        (
            '{ layout = "/a/.." }',
            ('libraries.layout: "/a/.." has ".." in it, which could leave the image\n  Write the path without it.'),
        ),
        (
            '["~/x.so"]',
            (
                'libraries[0]: "~/x.so": "~" is not expanded\n'
                '  Write the whole path, or "./~/x.so" for a file beside the definition that is called so.'
            ),
        ),
        (
            '["$ORIGIN/x.so"]',
            (
                'libraries[0]: "$ORIGIN/x.so": variables are not expanded\n'
                '  Write the path itself; "$$" stands for a real "$".'
            ),
        ),
    ],
)
def test_libraries_that_cannot_be_meant_are_refused(
    refused: Callable[..., list[str]], libraries: str, error: str
) -> None:
    assert refused(f"libraries = {libraries}") == [error]
