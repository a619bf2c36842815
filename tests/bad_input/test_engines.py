"""Engines that are missing or refuse, and images that do not do what is expected of them."""

from __future__ import annotations

import struct
from typing import Any

import pytest

HELLO = 'binaries = ["../src/hello"]\n'
SANDBOX = "engine=sandbox"


def test_output_that_differs_is_shown_as_a_difference(project: Any) -> None:
    project.define(HELLO + '[verify]\nstdout = "hello\\nworld\\n"\n')
    run = project.doit("verify", SANDBOX)
    assert run.err == (
        "error: configs/hello.toml: verify.stdout: the output is not the expected one\n"
        "  --- expected\n"
        "  +++ printed\n"
        "  @@ -1,2 +1 @@\n"
        "   hello\n"
        "  -world\n"
        "  Mend the program, or the expectation.\n"
        "hello\n"
    )
    assert run.status == 2
    project.assert_last_good()


def test_output_without_its_last_end_of_line_is_shown_as_that(project: Any) -> None:
    project.define(HELLO + '[verify]\nstdout = "hello"\n')
    run = project.doit("verify", SANDBOX)
    assert run.err == (
        "error: configs/hello.toml: verify.stdout: the output is not the expected one\n"
        "  --- expected\n"
        "  +++ printed\n"
        "  @@ -1 +1 @@\n"
        "  -hello\n"
        "  \\ no newline at the end\n"
        "  +hello\n"
        "  Mend the program, or the expectation.\n"
        "hello\n"
    )
    assert run.status == 2


def test_exit_status_that_differs_is_told_with_what_was_printed(project: Any) -> None:
    project.define(HELLO + "[verify]\nstatus = 3\n")
    run = project.doit("verify", SANDBOX)
    assert run.err == (
        "error: configs/hello.toml: verify.status: the exit status is 0, expected 3\n"
        "  What the program printed follows.\n"
        "hello\n"
    )
    assert run.status == 2


def test_expectation_that_is_met_again_needs_no_new_image(project: Any) -> None:
    project.define(HELLO + '[verify]\nstdout = "no"\n')
    assert project.doit("verify", SANDBOX).status == 2
    project.define(HELLO + '[verify]\nstdout = "hello\\n"\n')
    run = project.doit("verify", SANDBOX)
    assert (run.status, run.err) == (0, "")
    assert "nothing to rebuild" in run.out
    project.assert_last_good()


def test_program_of_another_machine_is_told_not_to_start(project: Any) -> None:
    head = bytes([0x7F, *b"ELF", 2, 1, 1]).ljust(16, b"\0")
    head += struct.pack("<HHIQQQIHHHHHH", 2, 183, 1, 0x10000, 64, 0, 0, 64, 56, 1, 0, 0, 0)
    project.source("arm", head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x10000, 0x10000, 120, 120, 0x1000))
    project.define('binaries = ["../src/arm"]\n')
    run = project.doit("verify", SANDBOX)
    assert run.err.startswith("error: configs/hello.toml: hello:v1 does not start: /bin/arm: exec format error")
    assert "note: hello: the image is for arm64, and this machine is amd64: it may not run here\n" in run.out
    assert run.status == 2


def test_broken_definition_is_not_loaded_in_its_last_good_form(project: Any) -> None:
    project.define('binaries = ["../src/hallo"]\n')
    run = project.doit("verify", SANDBOX)
    assert run.err == ("error: configs/hello.toml: binaries[0]: src/hallo does not exist\n  Did you mean src/hello?\n")
    assert run.status == 2
    assert "verify  " not in run.out
    project.assert_last_good()


def test_archive_that_was_damaged_is_made_again_before_it_is_loaded(project: Any) -> None:
    with project.archive.open("r+b") as file:
        file.seek(600)
        file.write(b"damage")
    run = project.doit("verify", SANDBOX)
    assert (run.status, run.err) == (0, "")
    assert "rebuilt archive" in run.out
    project.assert_last_good()


@pytest.mark.engine("docker")
def test_engine_that_does_not_answer_is_told_with_its_address_and_the_build_is_kept(project: Any) -> None:
    run = project.doit("load", "engine=docker", env={"DOCKER_HOST": "unix:///nonexistent"})
    assert run.err == (
        "error: configs/hello.toml: docker at unix:///nonexistent (DOCKER_HOST): no daemon answers there\n"
        "  Start it (systemctl start docker), or correct DOCKER_HOST.\n"
    )
    assert run.status == 2
    project.assert_last_good()


@pytest.mark.engine("docker")
def test_engine_that_the_environment_names_is_not_replaced_by_another(project: Any) -> None:
    run = project.doit("verify", env={"DOCKER_HOST": "unix:///nonexistent"})
    assert run.err == (
        "error: configs/hello.toml: docker at unix:///nonexistent (DOCKER_HOST): no daemon answers there\n"
        "  Start it (systemctl start docker), or correct DOCKER_HOST.\n"
        "  Or choose another engine: engine=podman, engine=sandbox.\n"
    )
    assert run.status == 2


def test_build_needs_no_engine_and_no_path(project: Any) -> None:
    project.archive.unlink()
    run = project.doit("build", env={"DOCKER_HOST": "unix:///nonexistent", "PATH": "/nonexistent"})
    assert (run.status, run.err) == (0, "")
    project.assert_last_good()


@pytest.mark.parametrize(
    ("engine", "message"),
    [
        (
            "docker",
            (
                "docker at unix:///var/run/docker.sock (default): its client, the command docker, is not on PATH\n"
                "  Install it: apt-get install docker.io\n"
            ),
        ),
        ("podman", "podman: the command podman is not on PATH\n  Install it: apt-get install podman\n"),
    ],
)
def test_engine_that_is_not_installed_is_told_with_what_installs_it(project: Any, engine: str, message: str) -> None:
    run = project.doit("load", f"engine={engine}", env={"PATH": "/nonexistent", "HOME": "/nonexistent"})
    assert run.err == f"error: configs/hello.toml: {message}"
    assert run.status == 2


def test_load_without_any_engine_is_one_error_that_says_where_the_archive_is(project: Any) -> None:
    run = project.doit("load", env={"PATH": "/nonexistent", "HOME": "/nonexistent"})
    assert run.err == (
        "error: load: no engine answers: docker at unix:///var/run/docker.sock (default): its client, "
        "the command docker, is not on PATH; podman: the command podman is not on PATH\n"
        "  Start one of them. The archive is ready: cache/hello/hello.tar. "
        "`doit verify` runs it without any engine.\n"
    )
    assert run.status == 2
    project.assert_last_good()
