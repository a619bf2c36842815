"""Programs that others wrote take the archive, and see in it what was put in."""

from __future__ import annotations

import hashlib
import json
import os
import textwrap
from typing import TYPE_CHECKING, Any

import pytest

from scratchbuild.formats import check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.engine("gcc")

Judged = Any  # the conftest's


def image_id(judged: Judged) -> str:
    """Return the image ID."""
    return hashlib.sha256(judged.config).hexdigest()


def test_our_own_check_passes(judged: Judged) -> None:
    check.check(judged.path)


@pytest.mark.engine("docker")
def test_docker_loads_and_runs_it_and_sees_every_file_as_it_was_said(
    judged: Judged, run: Callable[..., str], docker_host: str
) -> None:
    docker = {"DOCKER_HOST": docker_host}
    try:
        assert run("docker", "load", "-i", judged.path, **docker) == f"Loaded image: {judged.tag}\n"
        (found,) = json.loads(run("docker", "image", "inspect", judged.tag, **docker))
        assert found["RootFS"]["Layers"] == json.loads(judged.config)["rootfs"]["diff_ids"]
        assert found["Created"].startswith("2024-06-18T00:00:00")
        assert found["Config"]["Healthcheck"] == {"Test": ["CMD", "/bin/probe"], "Interval": 10**9}
        run_it = ("run", "--rm", "--network", "none", "--pull=never", judged.tag)
        assert run("docker", *run_it, *judged.paths, **docker) == judged.printed
    finally:
        run("docker", "rmi", "-f", judged.tag, **docker)


@pytest.mark.engine("podman")
def test_podman_loads_and_runs_it_and_sees_every_file_as_it_was_said(
    judged: Judged, run: Callable[..., str], podman_environment: dict[str, str]
) -> None:
    name = f"localhost/{judged.tag}"
    assert name in run("podman", "load", "-i", judged.path, **podman_environment)
    (found,) = json.loads(run("podman", "image", "inspect", name, **podman_environment))
    assert found["Id"] == image_id(judged)
    run_it = ("run", "--rm", "--network", "none", "--pull=never", name)
    assert run("podman", *run_it, *judged.paths, **podman_environment) == judged.printed


@pytest.mark.engine("skopeo")
def test_skopeo_inspects_it(judged: Judged, run: Callable[..., str]) -> None:
    found = json.loads(run("skopeo", "inspect", f"docker-archive:{judged.path}"))
    assert found["Created"] == "2024-06-18T00:00:00Z"
    assert found["Layers"] == json.loads(judged.config)["rootfs"]["diff_ids"]
    assert found["Env"] == ["PATH=/bin", "GREETING=こんにちは = hello"]
    assert found["Labels"] == {"org.opencontainers.image.title": "judged"}
    raw = run("skopeo", "inspect", "--raw", "--config", f"docker-archive:{judged.path}")
    assert raw.encode() == judged.config


@pytest.mark.engine("skopeo")
def test_what_skopeo_makes_of_it_passes_our_check(judged: Judged, run: Callable[..., str], tmp_path: Path) -> None:
    run("skopeo", "--insecure-policy", "copy", f"docker-archive:{judged.path}", "docker-archive:other.tar:a:b")
    check.check(str(tmp_path / "other.tar"))


@pytest.mark.engine("skopeo")
@pytest.mark.engine("umoci")
def test_umoci_unpacks_what_skopeo_converts_to_every_file_as_it_was_said(
    judged: Judged, run: Callable[..., str], tmp_path: Path
) -> None:
    run("skopeo", "--insecure-policy", "copy", f"docker-archive:{judged.path}", f"oci:{tmp_path}/layout:v1")
    rootless = () if os.geteuid() == 0 else ("--rootless",)
    run("umoci", "unpack", *rootless, "--image", f"{tmp_path}/layout:v1", str(tmp_path / "bundle"))
    root = str(tmp_path / "bundle" / "rootfs")
    seen = []
    for path in judged.paths:
        status = os.lstat(root + path)
        is_directory, is_file, is_link = (status.st_mode & 0o170000 == kind for kind in (0o40000, 0o100000, 0o120000))
        capability = os.getxattr(root + path, "security.capability") if path.startswith("/bin/capable") else b""
        seen.append(
            f"{path} {status.st_mode:o} {status.st_uid} {status.st_gid} {0 if is_directory else status.st_nlink} "
            f"{status.st_size if is_file else 0} {int(status.st_mtime)} {len(capability)} "
            f"{os.readlink(root + path) if is_link else ''}"
        )
    if os.geteuid() == 0:
        assert seen == judged.printed.splitlines()[1:]
    process = json.loads((tmp_path / "bundle" / "config.json").read_text())["process"]
    assert process["args"] == ["/bin/probe"]
    assert process["cwd"] == "/srv"


@pytest.mark.parametrize(
    "program", ["tar", pytest.param("bsdtar", marks=pytest.mark.engine("bsdtar"))]
)  # fmt: skip
def test_tars_list_the_archive_and_its_layer_without_a_word(
    program: str, judged: Judged, run: Callable[..., str], tmp_path: Path
) -> None:
    lines = run(program, "-tvf", judged.path).splitlines()
    assert [text.split()[-1] for text in lines] == ["layer.tar", "config.json", "manifest.json"]
    run(program, "-xf", judged.path)
    names = run(program, "-tf", str(tmp_path / "layer.tar")).splitlines()
    if program == "tar":
        names = [name.encode().decode("unicode_escape").encode("latin-1").decode() for name in names]
    assert sorted(name.rstrip("/") for name in names) == sorted(path[1:] for path in judged.paths)


@pytest.mark.engine("container-structure-test")
def test_container_structure_test_finds_files_and_metadata(
    judged: Judged, run: Callable[..., str], tmp_path: Path
) -> None:
    (tmp_path / "judged.yaml").write_text(
        textwrap.dedent("""\
            schemaVersion: 2.0.0
            metadataTest:
              entrypoint: [/bin/probe]
              envVars: [{key: PATH, value: /bin}]
              workdir: /srv
              user: "1234:5"
              exposedPorts: ["80"]
              volumes: [/data]
              labels: [{key: org.opencontainers.image.title, value: judged}]
            fileExistenceTests:
              - {name: probe, path: /bin/probe, shouldExist: true, permissions: -rwxr-xr-x}
              - {name: world, path: /world, shouldExist: true, permissions: dtrwxrwxrwx}
              - {name: shadow, path: /etc/shadow, shouldExist: false}
            fileContentTests:
              - {name: capable, path: /bin/capable, expectedContents: [capable]}
            """)
    )
    arguments = ("test", "--driver", "tar", "--image", judged.path, "--config", str(tmp_path / "judged.yaml"))
    report = json.loads(run("container-structure-test", *arguments, "--output", "json"))
    assert (report["Pass"], report.get("Fail", 0)) == (5, 0)


@pytest.mark.engine("dive")
def test_dive_finds_no_wasted_space(judged: Judged, run: Callable[..., str]) -> None:
    report = run("dive", "--source", "docker-archive", judged.path, "--ci", CI="true")
    assert "efficiency: 100.0000 %" in report
    assert "wastedBytes: 0 bytes" in report
