"""Builds that are killed, interrupted, or not alone: nothing half-made, nothing lost, the same bytes."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import time
from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import BUILT, Workshop, program, settle, sha256

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

pytestmark = pytest.mark.timeout(120)

IMAGES = [f"image{number}" for number in range(4)]
# What another program runs: not rootfs, not manifest.
WORK = ["binaries", "libraries", "layer", "digest", "config", "archive"]
KILLS = 30


@pytest.fixture
def many(shop: Workshop) -> Workshop:
    """A workshop of four images, none of them built, each with a folder of files."""
    shop.source("hello", program())
    for number in range(20):
        shop.source(f"tree/{number % 7}/{number}", str(number) * 1000)
    for name in IMAGES:
        shop.define(
            name,
            f'binaries = ["SRC/hello"]\nfiles = [{{ source = "SRC/tree", target = "/{name}" }}]\n',
        )
    return shop


def partial(shop: Workshop) -> list[Path]:
    return list(shop.cache.rglob("*.partial"))


def finished(shop: Workshop, since: int) -> set[str]:
    """Return the stages, `layer:image0`, whose seal was written after `since` (nanoseconds)."""
    return {
        f"{path.stem}:{path.parents[1].name}"
        for path in shop.cache.glob("*/.seals/*.json")
        if path.stat().st_mtime_ns > since and b'"uses"' in path.read_bytes()
    }


def start_and_wait(shop: Workshop, lines: int, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a run, and return once it has written so many lines: it is in the middle of its work."""
    process = shop.start(*arguments)
    assert process.stdout is not None
    for _ in range(lines):
        process.stdout.readline()
    return process


def test_killed_at_any_moment_the_next_build_ends_as_a_clean_one(many: Workshop) -> None:
    texts = ("hello\n", "another\n")
    wanted = []
    for text in texts:
        many.source("hello", program(text))
        wanted.append(many.clean_build())
    moments = random.Random(4711)  # noqa: S311  # no secret
    killed_between = 0
    for number in range(KILLS):
        many.source("hello", program(texts[number % 2]))
        settle()
        since = time.time_ns()
        settle()
        process = start_and_wait(many, moments.randrange(25), "-n", str(1 + number // 2 % 2), "build")
        time.sleep(moments.uniform(0, 0.004))
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        done = finished(many, since)
        killed_between += 0 < len(done) < len(IMAGES) * len(WORK)
        ended = many.build()
        assert many.digests() == wanted[number % 2]
        assert partial(many) == []
        assert done & set(ended.ran) == set(), "what was finished was made again"
    assert killed_between > KILLS // 2
    assert many.build().ran == []


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("threads", ["1", "2"])
def test_an_interrupted_build_ends_soon_and_leaves_nothing_half_made(
    many: Workshop, number: signal.Signals, status: int, threads: str
) -> None:
    wanted = many.clean_build()
    struck = 0
    for lines in (1, 7, 20):
        many.doit("clean")
        process = start_and_wait(many, lines, "-n", threads, "build")
        process.send_signal(number)
        out, err = process.communicate(timeout=40)
        if process.returncode == 0 and lines > 1:
            continue  # on a busy machine the build may have ended before the signal came
        struck += 1
        assert process.returncode == status, (out, err)
        assert b"Traceback" not in out + err
        assert number.name.encode() in err
        assert len(err.splitlines()) == 1
        assert partial(many) == []
        for path in many.cache.glob("*/*.tar"):
            assert sha256(path) == wanted[str(path.relative_to(many.cache))]
    assert struck
    many.build()
    assert many.digests() == wanted


def test_a_signal_while_doit_starts_gives_no_traceback(many: Workshop) -> None:
    launcher = many.dodo.parent / "tasks/_start.py"
    for number in (signal.SIGINT, signal.SIGTERM):
        for delay in (0.03, 0.06, 0.09, 0.12, 0.15):
            many.launcher = launcher
            process = many.start("build")
            time.sleep(delay)
            process.send_signal(number)
            out, err = process.communicate(timeout=20)
            assert process.returncode in {0, 1, 128 + number, -number}, (delay, out, err)
            # Before Python comes to the launcher, its own start may be interrupted.
            assert b"Traceback" not in err or b'_start.py", line' not in err or b"in main" not in err, (delay, err)
    many.build()


class Held:
    """The cache's lock in this process's hands."""

    def __init__(self, shop: Workshop) -> None:
        shop.cache.mkdir(exist_ok=True)
        self._file = (shop.cache / ".lock").open("w")
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def release(self) -> None:
        """Let go of it."""
        self._file.close()


def wait_for_line(process: subprocess.Popen[bytes], text: bytes) -> None:
    assert process.stderr is not None
    line = process.stderr.readline()
    assert text in line, line


@pytest.mark.parametrize("command", ["build", "clean"])
def test_a_second_one_says_that_it_waits_and_then_goes_on(many: Workshop, command: str) -> None:
    many.build()
    held = Held(many)
    process = many.start(command)
    wait_for_line(process, b"waiting for another build")
    before = many.digests()
    time.sleep(0.1)
    assert process.poll() is None
    assert many.digests() == before
    held.release()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert many.digests() == (before if command == "build" else {})


def test_one_that_waits_can_be_interrupted(many: Workshop) -> None:
    held = Held(many)
    for number in (signal.SIGINT, signal.SIGTERM):
        process = many.start("build")
        wait_for_line(process, b"waiting for another build")
        process.send_signal(number)
        _, err = process.communicate(timeout=20)
        assert process.returncode == 128 + number
        assert b"Traceback" not in err
    process = many.start("clean")
    wait_for_line(process, b"waiting for another build")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (-signal.SIGINT, b"")
    held.release()


def test_two_builds_at_once_both_end_well_and_the_work_is_done_once(many: Workshop) -> None:
    wanted = many.clean_build()
    first = start_and_wait(many, 3, "build")
    second = many.start("build")
    out, _ = first.communicate(timeout=60)
    also, said = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert many.digests() == wanted
    assert also.count(b"nothing to rebuild") == len(IMAGES)
    assert not said or b"waiting for another build" in said
    assert b"archive" in out


def test_clean_while_a_build_works_waits_for_its_end(many: Workshop) -> None:
    build = start_and_wait(many, 3, "build")
    clean = many.doit("clean")
    _, err = build.communicate(timeout=60)
    assert (build.returncode, err) == (0, b"")
    assert clean.status == 0
    assert not many.cache.exists()
    many.build()


def test_a_build_that_waited_for_clean_builds(many: Workshop) -> None:
    many.build()
    held = Held(many)
    process = many.start("build")
    wait_for_line(process, b"waiting for another build")
    (many.cache / ".lock").unlink()  # as `doit clean` does before it ends
    held.release()
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (0, b"")
    assert (many.cache / ".lock").exists()


def test_two_threads_and_four_give_the_same_bytes(many: Workshop) -> None:
    wanted = many.clean_build()
    for threads in ("2", "4"):
        many.doit("clean")
        ran = many.build("-n", threads)
        assert {name: ran.stages(name) for name in IMAGES} == {name: list(BUILT) for name in IMAGES}
        assert many.digests() == wanted
        assert many.build("-n", threads).ran == []
