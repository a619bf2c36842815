"""What the README and docs/ tell people to type does what they say it does: every section runs in a fresh project.

In a page, a fenced block whose info string is `console` is run: lines that begin with `$ ` are commands, `> ` carries
one on, and the rest is what they print. A comment before a block says more, and readers do not see it:

    <!-- file: hello.c -->       the block is the content of that file, not commands
    <!-- needs: rustc -->        from here on, the section needs this tool
    <!-- fails -->               each command of the block ends with an error
    <!-- not run: because ... -->

Times, sizes and digests are compared as such, not by value, as the machine's own programs have others; `...` in a line
stands for anything, alone for any lines. `./doit` and `doit` are the doit of this environment, and a command that needs
an engine gets the sandbox unless it says otherwise: the pages are about what is done, whichever engine is there.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from scratchbuild.engines import sandbox
from scratchbuild.errors import ScratchbuildError

REPOSITORY = Path(__file__).parents[2]
# README.zh-CN.md has the same blocks as README.md, and image-definition.md has tests of its own.
PAGES = [
    REPOSITORY / "README.md",
    *(page for page in sorted((REPOSITORY / "docs").glob("*.md")) if page.name != "image-definition.md"),
]
# What a project is, without what was built in it or by others.
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "rootfs_cache", "tests", "docs", "dist", "build")
SECONDS = 120

_FENCE = re.compile(r"^(```+)(\w*)\n(.*?)^\1$", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"<!-- (file|needs|fails|not run)(?:: ([^>]*))? -->\s*\Z")
_VARYING = [
    (re.compile(r"(\d+(\.\d+)?) (ms|s)\b"), "TIME"),
    (re.compile(r"(\d+(\.\d+)?) (B|kB|MB|GB)\b"), "SIZE"),
    (re.compile(r"\b[0-9a-f]{64}\b|\b[0-9a-f]{12}\b"), "DIGEST"),
    (re.compile(r"\b0/0 +\d+ "), "0/0 N "),
    # What load and verify say of the engine is the engine's.
    (re.compile(r"^((?:load|verify) +\S+ +TIME).*"), r"\1"),
    (re.compile(r"\s+"), " "),
]
_SHIM = """#!/bin/sh
# doit as the page means it: this environment's, which has scratchbuild installed; the sandbox where an engine is needed
# and none is named.
case " $* " in
    *" engine="*) ;;
    *" verify"* | *" load"*) set -- "$@" engine=sandbox ;;
esac
PYTHONPATH='{project}' exec '{python}' -m doit "$@"
"""


class Block(NamedTuple):
    """A fenced block, and what the comments before it say of it."""

    language: str
    text: str
    marks: dict[str, str]


class Section(NamedTuple):
    """A part of a page from one heading of the second level to the next."""

    page: str
    title: str
    blocks: list[Block]


def sections(page: Path) -> list[Section]:
    """Return the sections of a page that have something to run."""
    found = []
    for part in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
        title = part.split("\n", 1)[0].strip("# ") or page.name
        blocks = []
        for fence in _FENCE.finditer(part):
            marks = {}
            before = part[: fence.start()]
            while comment := _COMMENT.search(before):
                marks[comment[1]] = comment[2] or ""
                before = before[: comment.start()]
            blocks.append(Block(fence[2], fence[3], marks))
        if any(block.language == "console" and "not run" not in block.marks for block in blocks):
            found.append(Section(page.name, title, blocks))
    return found


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a block, each with the lines that it prints."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith("$ "):
            found.append((line[2:], []))
        elif line.startswith("> ") and found and not found[-1][1]:
            found[-1] = (found[-1][0] + "\n" + line[2:], [])
        else:
            assert found, f"the block begins with output: {line}"
            found[-1][1].append(line)
    return found


def plain(line: str) -> str:
    for pattern, word in _VARYING:
        line = pattern.sub(word, line)
    return line.strip()


def matches(expected: list[str], printed: list[str]) -> bool:
    """Whether a command printed what the page shows."""
    pattern = "".join(
        r"(?:.*\n)*" if line.strip() == "..." else ".*".join(map(re.escape, plain(line).split("..."))) + r"\n"
        for line in expected
    )
    return re.fullmatch(pattern, "".join(plain(line) + "\n" for line in printed)) is not None


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project as a fresh clone has it, with `doit` first on PATH."""
    folder = tmp_path / "scratchbuild"
    shutil.copytree(REPOSITORY, folder, symlinks=True, ignore=IGNORED)
    (folder / "rootfs_cache").mkdir()
    shim = tmp_path / "bin" / "doit"
    shim.parent.mkdir()
    shim.write_text(_SHIM.format(python=sys.executable, project=folder), encoding="utf-8")
    shim.chmod(0o755)
    return folder


def run(section: Section, project: Path) -> None:
    """Do what a section says, in one shell, and compare what it prints."""
    script, expected = "", []
    for block in section.blocks:
        if "file" in block.marks:
            path = project / block.marks["file"]
            script += f"mkdir -p '{path.parent}' && cat >'{path}' <<'END OF FILE'\n{block.text}END OF FILE\n"
        elif block.language == "console" and "not run" not in block.marks:
            for command, lines in commands(block.text):
                expected.append((command, lines, "fails" in block.marks))
                script += f"printf '\\036'\n{typed(command, project)}\nprintf '\\037%s' $?\n"
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DOIT_", "PYTHON", "COV_", "DOCKER_")) and name != "SOURCE_DATE_EPOCH"
    }
    environment["PATH"] = f"{project.parent / 'bin'}:{environment['PATH']}"
    environment["LC_ALL"] = "C.UTF-8"
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=project,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
        encoding="utf-8",
    )
    results = [part.partition("\037") for part in done.stdout.split("\036")[1:]]
    assert len(results) == len(expected), done.stdout
    for (command, lines, fails), (output, _, status) in zip(expected, results, strict=True):
        printed = output.splitlines()
        assert bool(int(status.split("\n")[0])) == fails, f"$ {command}\n{output}\nexit status {status}"
        assert matches(lines, printed), f"$ {command}\n{output}\n--- the page has\n" + "\n".join(lines)


def typed(command: str, project: Path) -> str:
    """Return a command for the test's shell."""
    elsewhere = f"mkdir '{project}.home' && cd '{project}.home'"
    command = re.sub(r"git clone <[^>]*> (\S+)", rf"{elsewhere} && cp -a '{project}' \1", command)
    return re.sub(r"(^|[\s;|&])\./doit\b", r"\1doit", command)


ALL = [section for page in PAGES for section in sections(page)]


@pytest.mark.parametrize("section", ALL, ids=[f"{section.page}: {section.title}" for section in ALL])
def test_what_a_page_says_is_what_happens(section: Section, project: Path) -> None:
    needed = [tool for block in section.blocks for tool in block.marks.get("needs", "").split()]
    missing = [tool for tool in needed if shutil.which(tool) is None]
    if not Path("/etc/debian_version").exists() or os.uname().machine != "x86_64":
        missing.append("Debian on x86-64, of which the pages tell")
    text = "".join(block.text for block in section.blocks if block.language == "console")
    if re.search(r"doit (load|verify)", text):
        try:
            sandbox.connect(str(project / "store"), os.environ)
        except ScratchbuildError as error:
            missing.append(f"sandbox: {error}")
    if missing:
        reason = f"this machine has no {', no '.join(missing)}"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    run(section, project)


def test_a_page_that_says_something_else_is_found_out(project: Path) -> None:
    wrong = Section("page", "title", [Block("console", "$ echo one\n$ echo two\nthree\n", {})])
    with pytest.raises(AssertionError, match="echo one"):
        run(wrong, project)
    with pytest.raises(AssertionError, match="exit status"):
        run(Section("page", "title", [Block("console", "$ false\n", {})]), project)
    run(Section("page", "title", [Block("console", "$ echo 12 ms; echo x; echo y\n99 ms\n...\n", {})]), project)
