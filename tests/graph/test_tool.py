"""What scratchbuild itself is made of is an input like any other: changed code runs its stages again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.graph.conftest import BUILT, Workshop, copy_of_the_tool, program, settle

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    """A workshop with a tool of its own, and one built image."""
    folder = tmp_path_factory.mktemp("tool")
    shop = Workshop(folder, copy_of_the_tool(folder / "scratchbuild"))
    shop.source("hello", program())
    shop.define("tiny", 'binaries = ["SRC/hello"]\n')
    shop.build()
    settle()
    return shop


@pytest.mark.parametrize(
    ("module", "stages"),
    [
        ("tasks/digest.py", ["digest"]),
        ("tasks/rootfs.py", ["rootfs"]),
        ("tasks/archive.py", ["archive"]),
        ("scratchbuild/tar.py", list(BUILT)),
        ("scratchbuild/plan/merge.py", list(BUILT)),
        ("scratchbuild/report/console.py", []),
        ("scratchbuild/engines/find.py", []),
        ("tasks/verify.py", []),
    ],
)
def test_changed_code_runs_the_stages_that_it_belongs_to(shop: Workshop, module: str, stages: list[str]) -> None:
    first = shop.digests()
    path = shop.dodo.parent / module
    text = path.read_text(encoding="utf-8")
    path.write_text(text + "\n_ADDED = 1\n", encoding="utf-8")
    ran = shop.build()
    assert ran.stages("tiny") == stages
    assert all("scratchbuild's own code" in reason for reason in ran.reasons.values())
    assert shop.digests() == first
    assert shop.build().ran == []
    path.write_text(text, encoding="utf-8")
    assert shop.build().stages("tiny") == stages


def test_code_that_makes_other_bytes_reaches_the_image(shop: Workshop) -> None:
    first = shop.digests()
    path = shop.dodo.parent / "scratchbuild/oci.py"
    text = path.read_text(encoding="utf-8")
    assert '"history"' in text
    path.write_text(text.replace('"history"', '"histories"'), encoding="utf-8")
    shop.build()
    assert shop.digests() != first
    path.write_text(text, encoding="utf-8")
    shop.build()
    assert shop.digests() == first


def test_the_same_tool_in_another_place_makes_the_same_bytes_and_trusts_what_is_built(
    shop: Workshop, tmp_path: Path
) -> None:
    other = Workshop(shop.folder, copy_of_the_tool(tmp_path / "elsewhere"))
    first = shop.digests()
    assert other.build().ran == []
    assert other.clean_build() == first
