"""Programs that are waited for: none outlives the wait."""

from __future__ import annotations

import os
import sys
import threading
import time

import pytest

from scratchbuild.engines import process
from scratchbuild.errors import ScratchbuildError

SHELL = "/bin/sh"


def shell(script: str, timeout: float = 20.0) -> process.Answer:
    """Run a line of shell."""
    return process.call([SHELL, "-c", script], {"PATH": "/usr/bin:/bin"}, timeout)


def test_status_output_and_time_are_told() -> None:
    answer = shell("echo out; echo err >&2; exit 3")
    assert answer[:3] == (3, b"out\n", b"err\n")
    assert 0 < answer.seconds < 20
    assert answer.message == "err"


def test_a_signal_is_a_status_of_128_and_its_number() -> None:
    assert shell("kill -9 $$").status == 137


def test_it_has_no_input_and_only_the_environment_that_is_given() -> None:
    assert shell("cat; env | sort").stdout.replace(b"_=/usr/bin/env\n", b"") == (
        f"PATH=/usr/bin:/bin\nPWD={os.getcwd()}\n".encode()
    )


def test_what_does_not_end_is_stopped_with_what_it_started() -> None:
    started = time.monotonic()
    with pytest.raises(process.TimedOut) as caught:
        shell("echo begun; sleep 600 & echo $! >&2; sleep 600", 0.5)
    assert time.monotonic() - started < 5
    assert caught.value.stdout == b"begun\n"
    _gone(int(caught.value.stderr))


def test_what_ignores_being_told_to_end_is_killed() -> None:
    with pytest.raises(process.TimedOut) as caught:
        shell("trap '' TERM; echo $$; while :; do sleep 0.1; done", 0.3)
    _gone(int(caught.value.stdout))


def test_what_closes_its_output_is_still_waited_for_no_longer_than_allowed() -> None:
    assert shell("exec >&- 2>&-; sleep 0.3; exit 4").status == 4
    with pytest.raises(process.TimedOut):
        shell("exec >&- 2>&-; sleep 600", 0.3)


def test_a_child_that_holds_the_output_open_does_not_hold_up_the_end() -> None:
    started = time.monotonic()
    answer = shell("sleep 600 & echo $!")
    assert time.monotonic() - started < 5
    os.kill(int(answer.stdout), 9)


def test_output_without_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MOST_OUTPUT_BYTES", 1 << 20)
    with pytest.raises(process.TooMuchOutput):
        shell("exec cat /dev/zero")


def test_much_output_on_both_streams_is_whole() -> None:
    script = "head -c 3000000 /dev/zero & head -c 2000000 /dev/zero >&2; wait"
    answer = shell(script)
    assert (len(answer.stdout), len(answer.stderr)) == (3000000, 2000000)


def test_a_program_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ScratchbuildError, match="cannot start /no/such/program: no such file"):
        process.call(["/no/such/program"], {}, 1.0)


def test_descriptors_are_not_inherited_unless_named() -> None:
    readable, writable = os.pipe()
    os.set_inheritable(writable, True)  # noqa: FBT003 - it has no name for it
    code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
    try:
        named = process.call([sys.executable, "-c", code], {}, 20.0, [writable]).stdout
        unnamed = process.call([sys.executable, "-c", code], {}, 20.0).stdout
    finally:
        os.close(readable)
        os.close(writable)
    assert str(writable) in named.decode()
    assert unnamed == b"[0, 1, 2, 3]\n"


def test_several_at_once_do_not_wait_for_each_other() -> None:
    started = time.monotonic()
    threads = [threading.Thread(target=shell, args=("sleep 1",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started < 6


def _gone(number: int) -> None:
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with open(f"/proc/{number}/stat", encoding="ascii") as file:
                if file.read().rpartition(")")[2].split()[0] == "Z":
                    return  # its parent was killed, and whoever inherits it has not looked yet
        except OSError:
            return
        time.sleep(0.02)
    pytest.fail(f"process {number} is still there")
