"""What a program finds when the sandbox runs it: as with an engine, whoever runs it and by whatever means."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.engines.conftest import (
    TAG,
    base_layer,
    directory,
    every_way,
    item,
    make_archive,
    shell_archive,
    symlink,
    tree,
    without_bubblewrap,
)

if TYPE_CHECKING:
    from tests.engines.conftest import Box

pytestmark = [pytest.mark.engine("busybox"), pytest.mark.engine("unshare", "setpriv")]


@every_way
def test_output_and_exit_status_are_the_programs_own(box: Box) -> None:
    shell_archive(box.archive)
    assert box.load() == ""
    assert box.run("echo hello; echo trouble >&2; exit 7") == (7, "hello\n", "trouble\n", "")


@every_way
def test_a_program_that_a_signal_ends_has_the_status_that_docker_gives_it(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    # A child's, as process 1 is deaf to its own signals.
    assert box.run("sh -c 'kill -SEGV $$'; exit $?").status == 139


@every_way
def test_arguments_take_the_place_of_cmd(box: Box) -> None:
    make_archive(box.archive, base_layer(), Entrypoint=["/bin/busybox", "echo"], Cmd=["from", "cmd"])
    box.load()
    assert box.run().stdout == "from cmd\n"
    assert box.run("two words", "").stdout == "two words \n"


@every_way
def test_the_program_is_found_in_the_images_path(box: Box) -> None:
    make_archive(box.archive, base_layer(), Cmd=["sh", "-c", "echo $0"], Env=["PATH=/nowhere:/bin"])
    box.load()
    assert box.run().stdout == "sh\n"


@every_way
def test_the_environment_is_the_images_and_nothing_of_the_machines(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "of the machine")
    shell_archive(box.archive, Env=["PATH=/bin", "GREETING=grüß = Gott", "LD_PRELOAD=/none.so"])
    box.load()
    lines = set(box.run("exec busybox env").stdout.encode("latin-1").decode().splitlines())
    assert lines == {
        *("PATH=/bin", "GREETING=grüß = Gott", "LD_PRELOAD=/none.so", "HOSTNAME=sandbox", "HOME=/"),
        *(line for line in lines if line.startswith(("PWD=", "SHLVL="))),
    }


@every_way
def test_it_starts_in_the_working_directory_which_is_made_if_need_be(box: Box) -> None:
    shell_archive(box.archive, WorkingDir="/srv/here")
    box.load()
    assert box.run("pwd").stdout == "/srv/here\n"


@every_way
def test_it_is_process_one_and_sees_no_other(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    assert box.run("echo $$; cd /proc; echo [0-9]*").stdout == "1\n1\n"


@every_way
def test_it_has_the_devices_of_a_container_and_no_others(box: Box) -> None:
    shell_archive(box.archive, [directory("dev"), item("dev/mine")])
    box.load()
    script = "echo x >/dev/null && busybox head -c 3 /dev/zero | busybox wc -c; echo $(busybox ls /dev); : >/dev/shm/x"
    names = "fd full null ptmx pts random shm stderr stdin stdout tty urandom zero"
    said = box.run(script)
    assert said.stdout.replace("core ", "").replace("console ", "") == f"3\n{names}\n", said


@every_way
def test_it_has_no_network_but_its_own_loopback(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    assert box.run("busybox grep -c : /proc/net/dev; busybox ip route").stdout == "1\n"
    assert "unreachable" in box.run("busybox nc -w 1 10.255.255.1 80").stderr
    assert box.run("busybox ip link show lo | busybox grep -c ',UP'").stdout == "1\n"


@every_way
def test_its_input_is_empty(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    assert box.run("busybox wc -c").stdout == "0\n"


@every_way
def test_what_it_writes_anywhere_is_gone_afterwards(box: Box) -> None:
    shell_archive(box.archive, [directory("tmp", 0o1777), item("etc/setting", b"first")])
    box.load()
    before = tree(box.store)
    script = (
        "echo x >/new && echo y >/tmp/new && echo changed >/etc/setting && rm /bin/sh && mkdir /d && cat /etc/setting"
    )
    said = box.run(script.replace("rm ", "busybox rm ").replace("mkdir", "busybox mkdir").replace("cat", "busybox cat"))
    assert said.stdout == "changed\n", said
    assert tree(box.store) == before
    assert box.run("busybox cat /etc/setting; busybox test -e /new || echo gone").stdout == "firstgone\n"


@every_way
def test_the_image_can_say_who_runs_it_by_number_and_by_name(box: Box) -> None:
    accounts = [
        directory("etc"),
        item("etc/passwd", b"nonsense\nroot:x:0:0::/root:/bin/sh\napp:x:1234:55:The app:/home/app:/bin/sh\n"),
        item("etc/group", b"root:x:0:\nbroken\nstaff:x:77:app,other\nteam:x:55:\n"),
    ]
    for user, expected in {
        "": "0 0 /root",
        "1234": "1234 55 /home/app",
        "4321": "4321 0 /",
        "4321:5": "4321 5 /",
        "app": "1234 55 /home/app",
        "app:staff": "1234 77 /home/app",
        "4321:staff": "4321 77 /",
    }.items():
        shell_archive(box.archive, accounts, User=user)
        assert box.load() == ""
        said = box.run("echo $(busybox id -u) $(busybox id -g) $HOME")
        assert said.stdout == f"{expected}\n", (user, said)


@without_bubblewrap
def test_root_gives_supplementary_groups_too(box: Box) -> None:
    if box.who != "root":
        pytest.skip("an ordinary user may not set groups")
    accounts = [
        directory("etc"),
        item("etc/passwd", b"app:x:1234:55::/:/bin/sh\n"),
        item("etc/group", b"a:x:77:app\nb:x:78:\nc:x:79:other,app\n"),
    ]
    shell_archive(box.archive, accounts, User="app")
    box.load()
    assert box.run("busybox id -G").stdout == "55 77 79\n"


@every_way
def test_an_unknown_user_is_an_error_that_offers_the_number(box: Box) -> None:
    shell_archive(box.archive, User="app")
    assert box.load() == ""
    said = box.run("echo").error
    assert "app" in said
    assert "is not known in the image" in said
    assert "write its number" in said


@every_way
def test_any_user_can_write_to_a_sticky_tmp(box: Box) -> None:
    shell_archive(box.archive, [directory("tmp", 0o1777)], User="1234")
    box.load()
    said = box.run("busybox touch /tmp/y && echo $(busybox stat -c '%a' /tmp)")
    assert said.stdout == "1777\n", said


@every_way
@pytest.mark.parametrize(
    ("entrypoint", "reason", "status"),
    [
        ("/nosuch", "no such file or directory", 127),
        ("nosuch", "not found in PATH (/bin)", 127),
        ("/bin", "it is a directory", 126),
        ("/plain", "not executable, its mode is 0644", 126),
        ("/dangling", "no such file or directory", 127),
        ("plain", "not found in PATH (/bin)", 127),
        ("./plain", "not executable", 126),
        ("/junk", "exec format error", 126),
        ("/loaderless", "", 127),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_with_dockers_status(
    box: Box, entrypoint: str, reason: str, status: int
) -> None:
    if (entrypoint, box.how) == ("/junk", "bubblewrap"):
        pytest.skip("bubblewrap gives what is no program to /bin/sh")
    more = [
        item("plain", b"#!/bin/sh\n"),
        item("junk", b"no program", 0o755),
        item("loaderless", b"#!/no/interpreter\n", 0o755),
        symlink("dangling", "/nowhere"),
    ]
    shell_archive(box.archive, more, Entrypoint=[entrypoint])
    box.load()
    said = box.run("echo")
    assert f"{TAG} does not start: " in said.error
    assert reason in said.error
    assert f"(exit status {status})" in said.error


@every_way
def test_a_status_of_127_of_the_program_itself_is_no_error(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    said = box.run("nosuchcommand")
    assert (said.status, said.error) == (127, "")
    assert "nosuchcommand: not found" in said.stderr


@every_way
def test_a_program_that_never_ends_is_stopped_with_all_its_children(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    mark = f"86400.{os.getpid()}"
    started = time.monotonic()
    said = box.run(f"trap '' TERM; busybox setsid busybox sleep {mark} & echo begun; busybox sleep {mark}", timeout=1.0)
    assert time.monotonic() - started < 10
    assert "did not end within 1 s" in said.error
    assert "begun" in said.error
    assert _processes_with(mark) == []


@every_way
def test_children_left_behind_end_with_the_program(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    mark = f"86401.{os.getpid()}"
    started = time.monotonic()
    assert box.run(f"busybox setsid busybox sleep {mark} & echo done").stdout == "done\n"
    assert time.monotonic() - started < 10
    assert _processes_with(mark) == []


@every_way
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_container_ends_with_the_process_that_runs_it(box: Box, number: signal.Signals) -> None:
    shell_archive(box.archive)
    box.load()
    mark = f"86402.{os.getpid()}{int(number)}"
    environment = os.environ | {"PYTHONPATH": os.getcwd()}
    command = box.command("run", TAG, [f"busybox sleep {mark}"], 60.0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment) as process:
        _wait_for(lambda: _processes_with(mark) != [])
        process.send_signal(number)
        process.wait(10)
    _wait_for(lambda: _processes_with(mark) == [])


@every_way
def test_nothing_stays_mounted_and_no_copy_stays(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    box.run("echo")
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        assert box.folder not in file.read()
    assert len(os.listdir(os.path.join(box.store, "images"))) == 1


@every_way
def test_endless_output_is_stopped_before_it_fills_the_memory(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    said = box.run("exec busybox yes", timeout=60.0)
    assert "printed more than 64 MiB and was stopped" in said.error


@every_way
def test_the_machines_settings_cannot_be_changed(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    # What is there already is written again: should it be possible after all, it does no harm.
    said = box.run(
        "cd /proc/sys/kernel; read had <printk_ratelimit_burst; echo $had >printk_ratelimit_burst && echo done"
    )
    assert (said.stdout, said.error) == ("", "")
    assert box.run("busybox mknod /disk b 8 0 && echo made").stdout == ""


@every_way
@pytest.mark.parametrize("name", ["proc", "dev"])
def test_an_image_cannot_lead_mounts_elsewhere_by_a_link(box: Box, name: str) -> None:
    shell_archive(box.archive, [symlink(name, "/bin")])
    box.load()
    said = box.run("echo hello")
    assert said.error or said.stdout == "hello\n"
    assert "Traceback" not in said.error


@without_bubblewrap
def test_a_link_in_place_of_proc_is_named(box: Box) -> None:
    shell_archive(box.archive, [symlink("proc", "/bin")])
    box.load()
    assert "/proc cannot be a directory in the container: not a directory" in box.run("echo").error


@every_way
def test_localhost_has_a_name(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    if box.how == "bubblewrap":
        pytest.skip("bubblewrap leaves /etc as the image has it")
    assert "127.0.0.1\tlocalhost" in box.run("busybox cat /etc/hosts; busybox hostname").stdout


@pytest.mark.engine("gcc")
@every_way
def test_a_dynamic_program_finds_its_library_by_its_origin(box: Box) -> None:
    folder = box.folder
    for name, text in {
        "f.c": "int f(void) { return 42; }",
        "main.c": '#include <stdio.h>\nint f(void); int main(void) { printf("%d\\n", f()); }',
    }.items():
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(text)
    subprocess.run(["gcc", "-shared", "-o", "libf.so", "f.c"], cwd=folder, check=True)
    subprocess.run(["gcc", "-o", "main", "main.c", "-L.", "-lf", "-Wl,-rpath,$ORIGIN/lib"], cwd=folder, check=True)
    listed = subprocess.run(["ldd", "main"], cwd=folder, check=True, capture_output=True, text=True).stdout
    libraries = [word for word in listed.split() if word.startswith("/")]
    layer = [item("opt/main", _bytes(f"{folder}/main"), 0o755), item("opt/lib/libf.so", _bytes(f"{folder}/libf.so"))]
    layer += [item(path.lstrip("/"), _bytes(path), 0o755) for path in libraries]
    make_archive(box.archive, layer, Entrypoint=["/opt/main"])
    assert box.load() == ""
    assert box.run().stdout == "42\n"


@without_bubblewrap
def test_where_no_layer_can_be_laid_over_the_image_it_runs_on_a_copy(box: Box) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can make a file system that cannot be the lower layer of another")
    kept = [directory("kept", 0o555), item("kept/a", b"1"), item("kept/b", kind=b"1", linkname="kept/a")]
    shell_archive(box.archive, kept)
    box.load()
    before = tree(box.store)
    # Overlays are stacked two deep at most.
    box.first = f"""
        cd {box.folder}; mkdir upper upper/1 upper/2 work work/1 work/2; chown -R --reference=store upper
        for number in 1 2; do
            mount -t overlay overlay -o lowerdir=store,upperdir=upper/$number,workdir=work/$number store
        done"""
    said = box.run("echo hello; echo x >/kept/a; busybox cat /kept/b; busybox stat -c %a /kept")
    assert said.stdout == "hello\nx\n555\n", said
    assert tree(box.store) == before


@without_bubblewrap
def test_the_command_that_is_shown_does_the_same(box: Box) -> None:
    shell_archive(box.archive)
    box.load()
    command = box.ask("command", TAG, ["echo shown; exit 3"])
    assert command[0] == sys.executable
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if box.who == "root":
        assert (done.returncode, done.stdout) == (3, "shown\n"), done.stderr


@without_bubblewrap
def test_an_image_that_was_never_loaded_is_an_error(box: Box) -> None:
    assert "the sandbox has no image nosuch:v1" in box.run(tag="nosuch:v1").error
    assert box.image_id("nosuch:v1") is None
    assert not os.path.exists(box.store)


def _bytes(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def _processes_with(mark: str) -> list[list[str]]:
    """Return the commands of the processes that sleep for `mark`."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                words = _bytes(f"/proc/{name}/cmdline").decode(errors="replace").split("\0")
            except OSError:
                continue
            if "sleep" in words and mark in words:
                found.append(words)
    return found


def _wait_for(condition: object, seconds: float = 10.0) -> None:
    assert callable(condition)
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)
