"""Every example of docs/image-definition.md builds, by the real `doit`, into an archive that holds what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

from scratchbuild.spec.parse import KEYS

REPOSITORY = Path(__file__).parents[2]
PAGE = (REPOSITORY / "docs" / "image-definition.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```toml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def whole(block: str, number: int) -> str:
    """Return an example as a definition of its own, with a tag that no other example has."""
    if "binaries" not in tomllib.loads(block):
        block = f'binaries = ["/bin/echo"]\n{block}'
    block, found = re.subn(r"^tags *= *\[.*?\]", f'tags = ["example:v{number}"]', block, flags=re.MULTILINE | re.DOTALL)
    return block if found else f'tags = ["example:v{number}"]\n{block}'


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build all examples side by side; return their folder."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "configs").mkdir()
    for number, block in enumerate(BLOCKS):
        (folder / "configs" / f"example-{number}.toml").write_text(whole(block, number), encoding="utf-8")
    (folder / "build").mkdir()
    (folder / "build" / "hello.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["cc", "-o", folder / "build" / "hello", folder / "build" / "hello.c"], check=True)
    (folder / "configs" / "site").mkdir()
    (folder / "configs" / "site" / "index.html").write_text("<p>hello</p>\n")
    (folder / "configs" / "conf").mkdir()
    (folder / "configs" / "conf" / "app.ini").write_text("[app]\n")
    environment = os.environ | {"DOIT_FILE": str(REPOSITORY / "dodo.py")}
    environment.pop("SOURCE_DATE_EPOCH", None)
    command = [sys.executable, "-m", "doit", "build", "configs=configs", "cache=cache"]
    subprocess.run(command, check=False, cwd=folder, env=environment, capture_output=True, timeout=300)
    return folder


@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_each_example_of_the_reference_builds(project: Path, number: int) -> None:
    archive = project / "cache" / f"example-{number}" / f"example-{number}.tar"
    if not archive.exists():
        environment = os.environ | {"DOIT_FILE": str(REPOSITORY / "dodo.py")}
        command = [sys.executable, "-m", "doit", f"build:example-{number}", "configs=configs", "cache=cache"]
        run = subprocess.run(
            command, check=False, cwd=project, env=environment, capture_output=True, text=True, timeout=100
        )
        pytest.fail(f"{whole(BLOCKS[number], number)}\n{run.stdout}{run.stderr}")
    with tarfile.open(archive) as members:
        manifest = json.load(members.extractfile("manifest.json") or pytest.fail("no manifest"))
        assert manifest[0]["RepoTags"] == [f"example:v{number}"]
        layer = members.extractfile(manifest[0]["Layers"][0])
        with tarfile.open(fileobj=layer) as layers:
            assert layers.getnames()


def test_the_reference_has_an_example_for_every_key() -> None:
    shown = "\n".join(BLOCKS)
    assert [key for key in KEYS if not re.search(rf"^\[*{key}\b", shown, re.MULTILINE)] == []
