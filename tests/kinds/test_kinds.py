"""Programs of every kind, compiled, packed and run: glibc and musl, 64 and 32 bits, static and not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
SOURCE = '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n'
KINDS = {
    "dynamic": ["cc"],
    "not-pie": ["cc", "-no-pie"],
    "static": ["cc", "-static"],
    "static-pie": ["cc", "-static-pie"],
    "musl": ["musl-gcc"],
    "musl-static": ["musl-gcc", "-static"],
    "narrow": ["cc", "-m32"],
}
ALL = """
tags = ["all:v1"]
binaries = ["../dynamic", "../musl", "../narrow", "/bin/sh"]
entrypoint = ["/bin/sh"]

[verify]
arguments = ["-c", "/bin/dynamic; /bin/musl; /bin/narrow"]
stdout = "hello\\nhello\\nhello\\n"
"""
RELATIVE = """
tags = ["relative:v1"]
binaries = [{ source = "../program/caller", target = "/opt/app/bin/caller" }]

[verify]
stdout = "7\\n"
"""


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a program and a definition of each kind."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "configs").mkdir()
    (folder / "main.c").write_text(SOURCE)
    for name, compiler in KINDS.items():
        subprocess.run([*compiler, "-o", folder / name, folder / "main.c"], check=True, capture_output=True)
        text = f'tags = ["{name}:v1"]\nbinaries = ["../{name}"]\n[verify]\nstdout = "hello\\n"\n'
        (folder / "configs" / f"{name}.toml").write_text(text)
    (folder / "configs" / "all.toml").write_text(ALL)
    (folder / "configs" / "relative.toml").write_text(RELATIVE)
    (folder / "program" / "lib").mkdir(parents=True)
    (folder / "seven.c").write_text("int seven(void) { return 7; }\n")
    (folder / "program/caller.c").write_text(
        '#include <stdio.h>\nint seven(void);\nint main(void) { printf("%d\\n", seven()); return 0; }\n'
    )
    library = folder / "program/lib/libseven.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, folder / "seven.c"], check=True)
    rpath = "-Wl,-rpath,$ORIGIN/lib"
    caller = str(folder / "program/caller")
    command = ["cc", "-o", caller, f"{caller}.c", f"-L{library.parent}", "-lseven", rpath]
    subprocess.run(command, check=True)
    return folder


def verify(project: Path, *arguments: str, **environment: str) -> list[str]:
    """Build, load and run all of them; return the lines printed."""
    run = subprocess.run(
        [sys.executable, "-m", "doit", "verify", "configs=configs", "cache=cache", *arguments],
        cwd=project,
        env=os.environ | {"DOIT_FILE": str(REPOSITORY / "dodo.py")} | environment,
        capture_output=True,
        check=False,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout.splitlines()


@pytest.mark.engine("cc", "musl-gcc")
def test_every_kind_of_program_runs_in_the_sandbox(project: Path) -> None:
    lines = verify(project, "engine=sandbox")
    assert (lines.count("hello"), lines.count("7")) == (len(KINDS) + 3, 1)


@pytest.mark.engine("cc", "musl-gcc", "docker", "dockerd")
def test_every_kind_of_program_runs_in_a_docker_engine(project: Path, docker_host: str) -> None:
    lines = verify(project, "engine=docker", DOCKER_HOST=docker_host)
    assert (lines.count("hello"), lines.count("7")) == (len(KINDS) + 3, 1)
