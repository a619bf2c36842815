"""Pages are in order: links lead somewhere, the two READMEs keep pace, pictures tell nothing of who made them."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGES = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md")])
PICTURES = sorted(REPOSITORY.glob("docs/pictures/*.svg"))

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
# What only the machine that made a picture could know.
_PLACES = re.compile(r"/(?:tmp|home|root|work)/|\.pyenv|pytest-of")


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    plain = [re.sub(r"[`*]|\[|\]\([^)]*\)", "", heading[1]) for heading in _HEADING.finditer(text)]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(REPOSITORY)) for page in PAGES])
def test_links_lead_to_files_and_headings_that_are_there(page: Path) -> None:
    for link in _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in anchors(target), f"{page.name}: {link}"


def test_every_page_of_docs_is_in_its_index() -> None:
    index = REPOSITORY / "docs" / "index.md"
    linked = set(_LINK.findall(index.read_text(encoding="utf-8")))
    assert {page.name for page in index.parent.glob("*.md")} - {"index.md"} <= linked


def test_both_readmes_have_the_same_commands_files_pictures_and_links() -> None:
    english, chinese = ((REPOSITORY / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))
    assert _FENCE.findall(english) == _FENCE.findall(chinese)
    assert _COMMENT.findall(english) == _COMMENT.findall(chinese)
    other = {"README.md", "README.zh-CN.md"}
    assert [link for link in _LINK.findall(english) if link not in other] == [
        link for link in _LINK.findall(chinese) if link not in other
    ]
    assert len(_HEADING.findall(_FENCE.sub("", english))) == len(_HEADING.findall(_FENCE.sub("", chinese)))


@pytest.mark.parametrize("picture", PICTURES, ids=[picture.name for picture in PICTURES])
def test_a_picture_is_whole_and_needs_nothing_from_elsewhere(picture: Path) -> None:
    text = picture.read_text(encoding="utf-8")
    root = ET.fromstring(text)  # noqa: S314  # our own file
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "://" not in text.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert "url(" not in re.sub(r"url\(#[\w-]+\)", "", text)
    assert not _PLACES.search(text)


def test_no_page_shows_a_place_of_the_machine_it_was_written_on() -> None:
    assert PICTURES
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert str(REPOSITORY) not in text, page.name


def test_every_package_that_is_installed_is_explained() -> None:
    page = (REPOSITORY / "docs" / "architecture.md").read_text(encoding="utf-8")
    for file in sorted((REPOSITORY / "requirements").glob("*.txt")):
        for name in re.findall(r"^([\w.-]+)==", file.read_text(encoding="utf-8"), re.MULTILINE):
            assert f"`{name}`" in page, f"{file.name}: {name}"
