"""What the sandbox keeps: a tag means a whole image or nothing, whoever was interrupted and whoever else is at it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from scratchbuild.engines.sandbox import Sandbox, Store
from scratchbuild.errors import ScratchbuildError
from tests.engines.conftest import TAG, Box, item, make_archive, tree, without_bubblewrap

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A sandbox that is not asked to run anything."""
    return Sandbox(str(tmp_path / "store"), None)


def images(sandbox: Sandbox) -> list[str]:
    """Return the folders of images."""
    return os.listdir(os.path.join(sandbox._store.folder, "images"))


def test_a_tag_means_nothing_before_and_the_image_after_a_load(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    assert sandbox.image_id(TAG) is None
    identity = make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    assert sandbox.image_id(TAG) == identity


def test_all_tags_mean_one_image_kept_once(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    identity = make_archive(archive, [item("a", b"1")], tags=("a:1", "b:2"))
    sandbox.load(archive, ["a:1", "b:2"])
    assert sandbox.image_id("a:1") == sandbox.image_id("b:2") == identity
    assert len(images(sandbox)) == 1


def test_a_new_image_takes_the_tag_and_the_old_one_goes(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    identity = make_archive(archive, [item("a", b"2")])
    sandbox.load(archive, [TAG])
    assert sandbox.image_id(TAG) == identity
    assert len(images(sandbox)) == 1


def test_an_image_stays_as_long_as_one_tag_means_it(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    old = make_archive(archive, [item("a", b"1")], tags=("a:1", "b:2"))
    sandbox.load(archive, ["a:1", "b:2"])
    new = make_archive(archive, [item("a", b"2")], tags=("a:1",))
    sandbox.load(archive, ["a:1"])
    assert (sandbox.image_id("a:1"), sandbox.image_id("b:2")) == (new, old)


def test_a_tag_that_the_archive_does_not_name_is_an_error(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    make_archive(archive, [item("a", b"1")])
    with pytest.raises(ScratchbuildError, match="no image other:v1"):
        sandbox.load(archive, ["other:v1"])
    assert images(sandbox) == []


def test_a_bad_archive_leaves_the_old_image_and_nothing_else(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    identity = make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    before = tree(sandbox._store.folder)
    make_archive(archive, [item("b", b"1"), item("../c", b"2")])
    with pytest.raises(ScratchbuildError, match=r"\.\. in it"):
        sandbox.load(archive, [TAG])
    assert sandbox.image_id(TAG) == identity
    assert tree(sandbox._store.folder) == before


def test_nobody_else_can_reach_what_is_in_the_store(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    make_archive(archive, [item("suid", b"1", 0o4755)])
    before = os.umask(0)
    try:
        sandbox.load(archive, [TAG])
    finally:
        os.umask(before)
    assert stat.S_IMODE(os.stat(sandbox._store.folder).st_mode) == 0o700


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"engine-test:v1": 1}', b'{"engine-test:v1": {}}'])
def test_a_damaged_record_means_that_nothing_is_there_and_a_load_mends_it(
    sandbox: Sandbox, tmp_path: Path, content: bytes
) -> None:
    archive = str(tmp_path / "image.tar")
    identity = make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    (tmp_path / "store/tags.json").write_bytes(content)
    assert sandbox.image_id(TAG) is None
    sandbox.load(archive, [TAG])
    assert sandbox.image_id(TAG) == identity
    assert len(images(sandbox)) == 1


def test_a_record_cannot_lead_outside_the_store(sandbox: Sandbox, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "outside/rootfs").mkdir(parents=True)
    record = '{"engine-test:v1": {"image": "sha256:0", "folder": "../../outside"}}'
    (tmp_path / "store/tags.json").write_text(record)
    assert sandbox.image_id(TAG) is None


def test_an_image_whose_folder_was_removed_is_not_there(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    (name,) = images(sandbox)
    os.rename(tmp_path / "store/images" / name, tmp_path / "moved")
    assert sandbox.image_id(TAG) is None


def test_only_the_tags_that_are_kept_keep_their_images(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    for tag in ("a:1", "b:1"):
        make_archive(archive, [item("f", tag.encode())], tags=(tag,))
        sandbox.load(archive, [tag])
    store = Store(str(tmp_path / "store"))
    store.keep_only(["a:1"])
    assert sandbox.image_id("a:1") is not None
    assert sandbox.image_id("b:1") is None
    assert len(images(sandbox)) == 1


def test_an_image_in_use_stays_until_it_is_not(sandbox: Sandbox, tmp_path: Path) -> None:
    archive = str(tmp_path / "image.tar")
    make_archive(archive, [item("a", b"1")])
    sandbox.load(archive, [TAG])
    with sandbox._store.using(TAG) as held:
        assert held is not None
        make_archive(archive, [item("a", b"2")])
        sandbox.load(archive, [TAG])
        assert os.path.exists(os.path.join(held.folder, "rootfs/a"))
    sandbox.load(archive, [TAG])
    assert len(images(sandbox)) == 1


def test_many_loads_at_once_leave_one_whole_image(sandbox: Sandbox, tmp_path: Path) -> None:
    identities = set()
    threads = []
    for number in range(6):
        archive = str(tmp_path / f"{number}.tar")
        identities.add(make_archive(archive, [item("a", str(number).encode())]))
        threads.append(threading.Thread(target=sandbox.load, args=(archive, [TAG])))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sandbox.image_id(TAG) in identities
    last = str(tmp_path / "0.tar")
    sandbox.load(last, [TAG])
    assert len(images(sandbox)) == 1


@pytest.mark.engine("unshare", "setpriv")
@without_bubblewrap
def test_a_load_killed_at_any_time_leaves_the_old_image_and_the_next_cleans_up(box: Box) -> None:
    identity = make_archive(box.archive, [item("a", b"old")])
    assert box.load() == ""
    new = make_archive(box.archive, [item(f"closed/{number}", b"x" * 5000) for number in range(3000)])
    environment = os.environ | {"PYTHONPATH": os.environ.get("PYTHONPATH", "") or os.getcwd()}
    for delay in (0.1, 0.2, 0.3, 0.4):
        command = box.command("load", box.archive, [TAG])
        with subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
        ) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
        assert box.image_id() in {identity, new}
    assert box.load() == ""
    assert box.image_id() == new
    assert len(os.listdir(os.path.join(box.store, "images"))) == 1


@pytest.mark.engine("unshare", "setpriv")
@without_bubblewrap
def test_a_closed_directory_can_be_replaced_by_its_owner(box: Box) -> None:
    for content in (b"1", b"2"):
        make_archive(box.archive, [item("closed/a", content)], [item("closed", kind=b"5", mode=0o000)])
        assert box.load() == ""
    assert len(os.listdir(os.path.join(box.store, "images"))) == 1


@pytest.mark.engine("unshare", "setpriv")
def test_a_store_of_another_user_is_an_error_that_says_so(open_folder: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("there is no other user without root")
    box = Box(open_folder, "root", "namespaces")
    make_archive(box.archive, [item("a", b"1")])
    box.load()
    box.who = "ordinary"
    assert "belongs to another user" in str(box.image_id())
    assert "must belong to the user who runs this" in box.load()
