"""The reference of all keys: every example can be built from, and no key is left out."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from scratchbuild.spec import parse, read
from scratchbuild.spec.accounts import _GROUP, _USER
from scratchbuild.spec.contents import _BINARY, _DIRECTORY, _FILE, _LIBRARIES
from scratchbuild.spec.parse import KEYS
from scratchbuild.spec.runtime import _HEALTHCHECK, _VERIFY

HOME = Path(__file__).parents[2]
TEXT = (HOME / "docs/image-definition.md").read_text()
EXAMPLES = re.findall(r"^```toml\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def completed(example: str) -> str:
    """Return an example with those of the two lines in front that it leaves out, as the page says."""
    keys = tomllib.loads(example)
    lines = {"tags": 'tags = ["hello:v1"]\n', "binaries": 'binaries = ["/bin/echo"]\n'}
    return "".join(line for key, line in lines.items() if key not in keys) + example


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_is_a_definition(example: str) -> None:
    assert parse(completed(example), path="/p/a.toml", environment={}).tags


def test_every_key_has_a_section_with_an_example() -> None:
    sections = dict(re.findall(r"^### (\S+)\n(.*?)(?=^##|\Z)", TEXT, re.DOTALL | re.MULTILINE))
    assert set(sections) == set(KEYS)
    for key, section in sections.items():
        examples = re.findall(r"^```toml\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
        assert any(key in tomllib.loads(example) for example in examples), key
        assert f"](#{key})" in TEXT


@pytest.mark.parametrize(
    ("key", "inner"),
    [
        ("binaries", _BINARY),
        ("files", _FILE),
        ("directories", _DIRECTORY),
        ("libraries", _LIBRARIES),
        ("users", _USER),
        ("groups", _GROUP),
        ("healthcheck", _HEALTHCHECK),
        ("verify", _VERIFY),
    ],
)
def test_every_key_of_a_table_is_told_in_its_section(key: str, inner: dict[str, object]) -> None:
    section = TEXT.partition(f"\n### {key}\n")[2].partition("\n##")[0]
    assert [name for name in inner if f"`{name}`" not in section] == []


@pytest.mark.parametrize("key", KEYS)
def test_the_line_that_an_error_shows_is_right_itself(key: str) -> None:
    assert parse(completed(KEYS[key].example), path="/p/a.toml", environment={}).name == "a"


def test_the_tutorials_image_is_defined_as_the_tutorial_made_it() -> None:
    found = read(str(HOME / "configs/basic.toml"), {"SOURCE_DATE_EPOCH": "5"})
    assert [(binary.source, binary.target) for binary in found.binaries] == [("/bin/bash", None), ("/bin/echo", None)]
    assert [directory.path for directory in found.directories] == ["/dev", "/bin", "/lib64"]
    assert (found.name, found.tags, found.layout, found.layer_name) == (
        "basic", ("basic:v1",), "/lib64", "demo-image.tar"
    )  # fmt: skip
    assert (found.entrypoint, found.env, found.workdir) == (("/bin/bash",), (("PATH", "/bin"),), "/")
    assert (found.author, found.created) == ("yai_yang", 1718668800)
    assert (found.verify.arguments, found.verify.stdout) == (("-c", "echo hello"), "hello\n")
