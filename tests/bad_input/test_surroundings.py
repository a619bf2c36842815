"""What is wrong around the definitions: folders, the command line, the disk."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HELLO = 'binaries = ["../src/hello"]\n'
VARIABLES = (
    "  configs=  the folder of image definitions (default: configs beside dodo.py)\n"
    "  cache=  the folder that everything is built in (default: rootfs_cache beside dodo.py)\n"
    "  engine=  docker, podman or sandbox (default: the first that answers)\n"
)


def test_folder_of_definitions_that_does_not_exist_is_told(project: Any) -> None:
    run = project.doit("build", configs="cofnigs")
    assert run.err == "ERROR: cannot read the folder of image definitions cofnigs: no such file or directory\n"
    assert run.status == 3
    project.assert_last_good()


def test_folder_of_definitions_that_is_a_file_is_told(project: Any) -> None:
    run = project.doit("build", configs="dodo.py")
    assert run.err == "ERROR: cannot read the folder of image definitions dodo.py: not a directory\n"
    assert run.status == 3
    project.assert_last_good()


@pytest.mark.engine("setpriv")
def test_folder_of_definitions_that_cannot_be_read_is_told(project: Any, ordinary_user: Any) -> None:
    (project.folder / "closed").mkdir(exist_ok=True)
    (project.folder / "closed").chmod(0o311)
    run = project.doit("build", configs="closed", before=ordinary_user)
    (project.folder / "closed").rmdir()
    assert run.err == "ERROR: cannot read the folder of image definitions closed: permission denied\n"
    assert run.status == 3


@pytest.mark.parametrize("command", ["build", "load", "verify"])
def test_folder_without_a_definition_is_told(fresh: Any, command: str) -> None:
    (fresh.configs / "hello.toml").rename(fresh.configs / "hello.tml")
    run = fresh.doit(command)
    assert run.err == (
        "error: configs: there is no image definition, which is a file called NAME.toml\n"
        "  Write one there, or name the folder that has them: configs=DIR.\n"
    )
    assert run.status == 2


def test_last_definition_that_is_gone_leaves_nothing_behind(fresh: Any) -> None:
    fresh.doit("build")
    (fresh.configs / "hello.toml").unlink()
    assert fresh.doit("build").status == 2
    assert not (fresh.cache / "hello").exists()


@pytest.mark.parametrize(
    ("command", "said"), [("build", "cahce=. Did you mean cache=?"), ("list", "cahce=. Did you mean cache=?")]
)
def test_variable_with_a_typing_error_is_told_by_every_command(project: Any, command: str, said: str) -> None:
    run = project.doit(command, "cahce=elsewhere")
    assert run.err == f"ERROR: there is no variable {said}\n{VARIABLES}"
    assert run.status == 3
    assert not (project.folder / "elsewhere").exists()


def test_engine_that_does_not_exist_is_told(project: Any) -> None:
    run = project.doit("load", "engine=dokcer")
    assert run.err == (
        "error: configs/hello.toml: there is no engine 'dokcer'\n"
        "  Did you mean docker? Engines are docker, podman, sandbox.\n"
    )
    assert run.status == 2


@pytest.mark.parametrize("cache", ["dodo.py", "dodo.py/cache"])
def test_cache_that_is_a_file_is_told(project: Any, cache: str) -> None:
    run = project.doit("build", cache=cache)
    assert run.err == (
        f"error: the cache {cache} cannot be a folder: there is a file of that name, or on the way to it\n"
        "  Choose another folder with cache=DIR.\n"
    )
    assert run.status == 2


@pytest.mark.engine("setpriv")
def test_cache_that_cannot_be_made_is_told(project: Any, ordinary_user: Any) -> None:
    project.source("closed/x").parent.chmod(0o555)
    run = project.doit("build", cache="src/closed/cache", before=ordinary_user)
    (project.src / "closed").chmod(0o755)
    assert run.err == (
        "error: cannot write in the cache src/closed/cache: permission denied\n"
        "  Choose another folder with cache=DIR, or make this one writable.\n"
    )
    assert run.status == 2


@pytest.mark.engine("setpriv")
def test_image_of_a_cache_that_became_read_only_is_kept_and_told(project: Any, ordinary_user: Any) -> None:
    folder = project.cache / "hello"
    folder.chmod(0o555)
    project.refuses(
        HELLO + 'labels = { a = "b" }\n',
        "error: configs/hello.toml: cannot write cache/hello/config.json: permission denied\n"
        "  Change its permissions, or build as a user who may.\n",
        before=ordinary_user,
    )
    folder.chmod(0o755)


@pytest.mark.engine("setpriv")
def test_cache_that_cannot_be_written_still_tells_that_nothing_is_to_do(project: Any, ordinary_user: Any) -> None:
    project.doit("build")
    project.cache.chmod(0o555)
    try:
        run = project.doit("build", before=ordinary_user)
    finally:
        project.cache.chmod(0o755)
    assert (run.status, run.err) == (0, "")


def partials(folder: Path) -> list[Path]:
    """Return what a killed writer would have left behind."""
    return [path for path in folder.rglob("*") if path.name.endswith(".partial")]


def digest(path: Path) -> str:
    """Return a file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.engine("mount")
def test_full_disk_is_told_and_keeps_the_last_good_image_wherever_it_strikes(
    fresh: Any, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("size=160k")
    filler = fresh.source("filler", bytes(4096), 0o644)
    fresh.define(f'{HELLO}files = [{{ source = "../src/filler", target = "/filler" }}]\n')
    assert fresh.doit("build", cache=str(disk)).err == ""
    archive = disk / "hello" / "hello.tar"
    good = digest(archive)
    told = set()
    for pages in (7, 8, 9, 11, 14, 17, 20):
        filler.write_bytes(bytes(4096 * pages))
        run = fresh.doit("build", cache=str(disk))
        assert run.status == 2, run.out
        assert run.err.startswith("error: configs/hello.toml: cannot ")
        assert run.err.endswith(": no space left on device\n  Free some space, or build elsewhere: cache=DIR.\n")
        told.add(run.err.split(" ")[3])
        assert digest(archive) == good
        assert partials(disk) == []
        filler.write_bytes(bytes(4096))
        assert fresh.doit("build", cache=str(disk)).err == ""
        assert digest(archive) == good
    assert told == {"copy", "write"}


@pytest.mark.engine("mount")
def test_disk_that_is_full_from_the_start_is_told_by_whatever_finds_it(
    fresh: Any, small_disk: Callable[[str], Path]
) -> None:
    for inodes in range(4, 48, 4):
        disk = small_disk(f"size=1m,nr_inodes={inodes}")
        run = fresh.doit("build", cache=str(disk / "cache"))
        if run.status == 0:
            break
        assert run.status == 2
        assert run.err.startswith(("error: cannot write in the cache ", "error: configs/hello.toml: cannot "))
        assert ": no space left on device\n  " in run.err
        assert ".partial" not in run.err
        assert partials(disk) == []
        assert {digest(path) for path in disk.rglob("hello.tar")} <= {fresh.good}
    else:
        pytest.fail("no disk was large enough")


@pytest.mark.engine("mount")
def test_read_only_disk_is_told(fresh: Any, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("ro")
    run = fresh.doit("build", cache=str(disk / "cache"))
    assert run.err == (
        "error: cannot write in the cache disk0/cache: read-only file system\n"
        "  Choose another folder with cache=DIR, or make this one writable.\n"
    )
    assert run.status == 2
