"""The examples as a person starts them: copied elsewhere, with scratchbuild installed from its wheel."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

REPOSITORY = Path(__file__).parents[2]
BUILT = ["rootfs", "binaries", "libraries", "layer", "digest", "config", "manifest", "archive"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `doit` of an environment that has scratchbuild's wheel, and what it needs from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    source = folder / "source"
    source.mkdir()
    for name in ("scratchbuild", "tasks", "dodo.py", "pyproject.toml", "README.md", "LICENSE"):
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, source / name)
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder / "wheels")]
    subprocess.run(build, cwd=source, check=True, capture_output=True)
    venv.create(folder / "environment", with_pip=False, symlinks=True)
    python = folder / "environment" / "bin" / "python"
    (packages,) = (folder / "environment").glob("lib/python*/site-packages")
    (wheel,) = (folder / "wheels").glob("*.whl")
    shutil.unpack_archive(wheel, packages, "zip")
    outer = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "outer.pth").write_text("".join(f"{path}\n" for path in outer), encoding="utf-8")
    command = python.with_name("doit")
    command.write_text(
        f"#!{python}\nimport sys\nfrom doit.doit_cmd import DoitMain\nsys.exit(DoitMain().run(sys.argv[1:]))\n"
    )
    command.chmod(0o755)
    return command


@pytest.fixture
def example(request: pytest.FixtureRequest, tmp_path: Path, installed: Path) -> Callable[..., list[str]]:
    """A copy of the example that the test names; called with doit's arguments, it returns the lines printed."""
    name = request.param
    folder = tmp_path / name
    shutil.copytree(REPOSITORY / "examples" / name, folder, ignore=shutil.ignore_patterns("__pycache__", "build"))

    def doit(*arguments: str, status: int = 0, **environment: str) -> list[str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DOIT", "COV"))}
        kept.pop("SOURCE_DATE_EPOCH", None)
        run = subprocess.run(
            [installed, *arguments],
            cwd=folder,
            env=kept | environment,
            capture_output=True,
            check=False,
            text=True,
            timeout=120,
        )
        assert run.returncode == status, run.stdout + run.stderr
        return run.stdout.splitlines()

    doit.folder = folder  # type: ignore[attr-defined]
    return doit


def ran(lines: list[str]) -> list[str]:
    """Return the stages that ran, and a person's own tasks as `task NAME`, in order."""
    found = [re.match(r"(\w+) +(\S+) +[0-9.]+ m?s\b", line) for line in lines]
    return [f"task {match[2]}" if match[1] == "task" else match[1] for match in found if match]


@pytest.mark.parametrize("example", ["c-program"], indirect=True)
def test_a_c_program_is_compiled_packed_loaded_and_run_and_an_edit_does_just_what_is_needed(
    example: Callable[..., list[str]],
) -> None:
    lines = example("verify", "engine=sandbox")
    assert ran(lines) == ["task compile", *BUILT, "load", "verify"]
    assert "hello, container" in lines
    main: Path = example.folder / "main.c"  # type: ignore[attr-defined]
    assert ran(example("build")) == []
    main.write_text("/* the same program */\n" + main.read_text())
    assert ran(example("build")) == ["task compile"]
    assert ran(example("build")) == []
    main.write_text(main.read_text().replace("hello", "Hello"))
    assert ran(example("build")) == ["task compile", "binaries", "libraries", "layer", "digest", "config", "archive"]
    assert ran(example("verify", "engine=sandbox", status=2)) == ["load"]


@pytest.mark.parametrize("example", ["c-program"], indirect=True)
def test_clean_takes_what_was_built_and_compiled_and_leaves_the_sources(example: Callable[..., list[str]]) -> None:
    folder: Path = example.folder  # type: ignore[attr-defined]
    before = {path for path in folder.rglob("*") if path.is_file()}
    example("build")
    example("clean")
    after = {path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert after == before
    assert ran(example("build")) == ["task compile", *BUILT]


@pytest.mark.parametrize("example", ["distribution-tool"], indirect=True)
def test_a_tool_of_the_distribution_runs_with_files_environment_and_a_user(example: Callable[..., list[str]]) -> None:
    lines = example("verify", "engine=sandbox")
    assert lines[-3:-1] == ["apples 5 EUR", "pears 4 EUR"]
    folder: Path = example.folder  # type: ignore[attr-defined]
    config = json.loads((folder / "rootfs_cache/report/config.json").read_text())["config"]
    assert (config["User"], config["Env"]) == ("report", ["LC_ALL=C", "CURRENCY=EUR"])
    passwd = (folder / "rootfs_cache/report/rootfs/etc/passwd").read_text()
    assert "report:x:1000:1000::/srv/data:" in passwd


@pytest.mark.parametrize("example", ["two-images"], indirect=True)
def test_two_images_are_built_side_by_side_and_each_runs(example: Callable[..., list[str]]) -> None:
    lines = example("-n", "2", "verify", "engine=sandbox")
    assert {"server: hello", "client: hello"} <= set(lines)
    folder: Path = example.folder  # type: ignore[attr-defined]
    client = folder / "client.c"
    client.write_text(client.read_text().replace("client: ", "client says: "))
    assert ran(example("build"))[0] == "task compile:client"
    assert not [line for line in example("-v", "2", "build") if "not made" in line]
    header = folder / "protocol.h"
    header.write_text(header.read_text().replace("hello", "hi"))
    assert set(ran(example("build"))) >= {"task compile:client", "task compile:server", "binaries"}


@pytest.mark.engine("docker", "dockerd")
@pytest.mark.parametrize("example", ["c-program", "distribution-tool", "two-images"], indirect=True)
def test_every_example_runs_in_a_docker_engine(example: Callable[..., list[str]], docker_host: str) -> None:
    lines = example("verify", "engine=docker", DOCKER_HOST=docker_host)
    assert any("docker run --rm" in line for line in lines)
