"""What `binaries` and `files` bring into the image."""

from __future__ import annotations

import os
import struct
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild import rootfs
from scratchbuild.errors import ScratchbuildError, flatten
from scratchbuild.plan import sources
from scratchbuild.plan.copied import portable
from scratchbuild.plan.existing import existing
from scratchbuild.plan.merge import merge
from scratchbuild.plan.place import Places
from scratchbuild.root import Root

if TYPE_CHECKING:
    from scratchbuild.rootfs import Entry


def taken(machine: Any, definition: Any) -> list[Entry]:
    """Return what a definition takes, one entry a path."""
    root = machine.root
    return merge(sources.taken(definition, Places(definition, root), root))


def wrong(machine: Any, definition: Any) -> list[str]:
    """Return all that is wrong with what a definition takes."""
    with pytest.raises(ScratchbuildError) as caught:
        taken(machine, definition)
    return [f"{error.where}: {error.what}" for error in flatten([caught.value])]


def test_folder_is_taken_with_all_that_is_in_it(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/srv/site/index.html", mode=0o640)
    machine.file("/srv/site/run.sh", mode=0o755)
    machine.folder("/srv/site/empty", 0o700)
    machine.link("/srv/site/home", "index.html")
    assert dump(taken(machine, define('files = [{ source = "/srv/site", target = "/www" }]'))) == [
        "/www/ 0755",
        "/www/empty/ 0700",
        "/www/home -> index.html",
        "/www/index.html 0640",
        "/www/run.sh 0755",
    ]


def test_mode_and_owner_of_a_line_are_for_all_its_files(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/srv/site/index.html", mode=0o640)
    machine.link("/srv/site/home", "index.html")
    line = '{ source = "/srv/site", target = "/www", mode = "0600", owner = "app:7" }'
    definition = define(f'files = [{line}]\nusers = [{{ name = "app", uid = 5 }}]')
    assert dump(taken(machine, definition)) == ["/www/ 0755 5:7", "/www/home -> index.html", "/www/index.html 0600 5:7"]


def test_setuid_bit_of_a_source_is_kept_only_where_it_is_asked_for(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/bin/su", mode=0o4755)
    assert dump(taken(machine, define('binaries = ["/bin/su"]'))) == ["/bin/su 0755"]
    assert dump(taken(machine, define('binaries = [{ source = "/bin/su", mode = "4755" }]'))) == ["/bin/su 4755"]


@pytest.mark.parametrize(
    ("target", "path"), [("/etc/motd", "/etc/motd"), ("/etc/", "/etc/hello.txt"), ("/", "/hello.txt")]
)
def test_target_with_a_slash_at_its_end_is_a_folder(
    machine: Any, define: Any, dump: Any, target: str, path: str
) -> None:
    machine.file("/srv/hello.txt")
    definition = define(f'files = [{{ source = "/srv/hello.txt", target = "{target}" }}]')
    assert dump(taken(machine, definition)) == [f"{path} 0644"]


def test_pattern_brings_each_match_into_the_folder(machine: Any, define: Any, dump: Any) -> None:
    for name in ("b.txt", "a.txt", "c.png", ".hidden.txt"):
        machine.file(f"/srv/{name}")
    definition = define('files = [{ source = "/srv/*.txt", target = "/data/" }]')
    assert dump(taken(machine, definition)) == ["/data/a.txt 0644", "/data/b.txt 0644"]


def test_pattern_without_a_target_keeps_the_paths(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/usr/share/a.txt")
    machine.link("/share", "usr/share")
    assert dump(taken(machine, define('files = ["/share/*.txt"]'))) == [
        "/share -> usr/share",
        "/usr/share/a.txt 0644",
    ]


def test_link_as_source_is_the_file_behind_it(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/opt/tool-2", mode=0o755)
    machine.link("/opt/tool", "tool-2")
    assert dump(taken(machine, define('binaries = [{ source = "/opt/tool", target = "/bin/tool" }]'))) == [
        "/bin/tool 0755"
    ]
    assert dump(taken(machine, define('binaries = ["/opt/tool"]'))) == ["/opt/tool -> tool-2", "/opt/tool-2 0755"]


def test_content_of_the_definition_is_a_file(machine: Any, define: Any, dump: Any) -> None:
    definition = define('files = [{ target = "/etc/motd", content = "hi\\n" }, { target = "/e", content = "" }]')
    assert dump(taken(machine, definition)) == ["/e 0644", "/etc/motd 0644 b'hi\\n'"]


def test_every_reason_is_the_key_of_the_line(machine: Any, define: Any) -> None:
    machine.file("/bin/a")
    machine.file("/srv/x")
    definition = define('binaries = ["/bin/a"]\nfiles = [{ target = "/e", content = "" }, "/srv"]')
    assert {entry.path: entry.reason for entry in taken(machine, definition)} == {
        "/bin/a": "binaries[0]",
        "/e": "files[0]",
        "/srv": "files[1]",
        "/srv/x": "files[1]",
    }


def test_names_of_one_file_are_hard_links_to_the_first(machine: Any, define: Any, dump: Any) -> None:
    machine.file("/bin/bzip2", b"x", 0o755)
    for name in ("bunzip2", "bzcat"):
        os.link(machine.base / "bin" / "bzip2", machine.base / "bin" / name)
    machine.file("/bin/other", b"x", 0o755)
    entries = taken(machine, define('binaries = ["/bin/bzip2", "/bin/bzcat", "/bin/other"]\nfiles = ["/bin/bunzip2"]'))
    assert dump(rootfs.linked(entries, sources.inodes(entries, machine.root))) == [
        "/bin/bunzip2 0755",
        "/bin/bzcat = /bin/bunzip2",
        "/bin/bzip2 = /bin/bunzip2",
        "/bin/other 0755",
    ]


def test_names_of_one_file_that_differ_in_the_image_are_files_of_their_own(
    machine: Any, define: Any, dump: Any
) -> None:
    machine.file("/bin/one", b"x", 0o755)
    os.link(machine.base / "bin" / "one", machine.base / "bin" / "two")
    entries = taken(machine, define('binaries = ["/bin/one", { source = "/bin/two", mode = "0700" }]'))
    assert dump(rootfs.linked(entries, sources.inodes(entries, machine.root))) == ["/bin/one 0755", "/bin/two 0700"]


def test_everything_wrong_is_told_at_once_with_its_key(machine: Any, define: Any) -> None:
    machine.file("/srv/fine")
    machine.link("/srv/bad", "../../../x")
    os.mkfifo(machine.base / "srv" / "fifo")
    definition = define(
        'binaries = ["/bin/nope", "/srv"]\nfiles = ["/srv", "/none/*", { source = "/n", target = "/m" }]'
    )
    assert wrong(machine, definition) == [
        "configs/t.toml: binaries[0]: /bin/nope does not exist: there is no /bin",
        "configs/t.toml: binaries[1]: /srv is a directory, not a program",
        "configs/t.toml: files[0]: the link /srv/bad -> ../../../x climbs out of the image from /srv/bad",
        "configs/t.toml: files[0]: /srv/fifo is a FIFO, and those are not packed",
        "configs/t.toml: files[1]: nothing matches /none/*: there is no /none",
        "configs/t.toml: files[2]: /n does not exist",
    ]


@pytest.mark.parametrize(
    ("path", "what", "mend"),
    [
        ("/usr/bin/bahs", "/usr/bin/bahs does not exist", "Did you mean /usr/bin/bash?"),
        ("/usr/bni/bash", "/usr/bni/bash does not exist: there is no /usr/bni", "Did you mean /usr/bin/bash?"),
        ("/usr/bni/zsh", "/usr/bni/zsh does not exist: there is no /usr/bni", "Did you mean /usr/bin?"),
        ("/usr/bin/bash/x", "/usr/bin/bash/x does not exist: /usr/bin/bash is a regular file", ""),
        ("/quite", "/quite does not exist", "Write the path that it has, or make it first."),
        (
            "/dead",
            "/dead is a dangling link: /dead -> usr/dead, and /usr/dead is missing",
            "Repair the link, or name the file itself.",
        ),
    ],
)
def test_path_that_is_not_there_is_told_with_what_was_meant(machine: Any, path: str, what: str, mend: str) -> None:
    machine.file("/usr/bin/bash")
    machine.link("/dead", "usr/dead")
    with pytest.raises(ScratchbuildError) as caught:
        existing(path, machine.root)
    assert (caught.value.what, caught.value.mend) == (what, mend)


class TestCapabilities:
    """`security.capability` as it is in the image."""

    ONE = struct.pack("<IIIII", 0x02000001, 1 << 10, 0, 0, 0)

    def test_revision_two_is_kept(self) -> None:
        """It means the same everywhere."""
        assert portable(self.ONE, "/x") == self.ONE

    def test_revision_three_becomes_two_without_its_user(self) -> None:
        """The user is one of this machine's."""
        assert portable(struct.pack("<IIIIII", 0x03000001, 1 << 10, 0, 0, 0, 1000), "/x") == self.ONE

    def test_none_is_none(self) -> None:
        """Most files have none."""
        assert portable(b"", "/x") == b""

    @pytest.mark.parametrize("attribute", [b"x", struct.pack("<III", 0x01000000, 0, 0), bytes(20), bytes(100)])
    def test_any_other_is_refused(self, attribute: bytes) -> None:
        """Nobody knows what it would mean."""
        with pytest.raises(ScratchbuildError, match="/x has file capabilities in a form that is not known"):
            portable(attribute, "/x")


def test_file_that_went_away_is_an_error(machine: Any, define: Any) -> None:
    class Forgetful(Root):
        """A root in which a file goes away once its folder was listed."""

        def names(self, path: str) -> list[str]:
            """Return one name more than there is."""
            return [*super().names(path), "gone"]

    machine.file("/srv/x")
    root = Forgetful(str(machine.base))
    definition = define('files = ["/srv"]')
    with pytest.raises(ScratchbuildError, match="/srv/gone went away while it was being read"):
        sources.taken(definition, Places(definition, root), root)
