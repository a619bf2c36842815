#!/usr/bin/env python3
"""Make verify.svg: what a terminal of 80 columns shows while ./doit builds, in a copy of this repository.

    python3 docs/pictures/make.py        where rich is installed; Docker must answer (DOCKER_HOST is honoured)

The commands are really run, each on a terminal of its own (pty(7)), and what they write there is drawn by rich.
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
COLUMNS = 80
COMMANDS = [
    "./doit verify",
    "sed -i '/^workdir/a labels = { colour = \"blue\" }' configs/basic.toml",
    "./doit verify",
    "./doit build",
]
IGNORED = shutil.ignore_patterns(".*", "__pycache__", "rootfs_cache", "tests", "docs")


def shown(command: str, folder: Path, environment: dict[str, str]) -> str:
    """Run a command on a terminal, and return what it wrote there, with escape sequences. Raises if it fails."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 24, COLUMNS, 0, 0))
    process = subprocess.Popen(  # noqa: S602  # the commands are those above
        command, shell=True, cwd=folder, env=environment, stdin=its, stdout=its, stderr=its, close_fds=True
    )
    os.close(its)
    written = b""
    try:
        while piece := os.read(ours, 4096):
            written += piece
    except OSError:
        pass  # the last writer has closed the terminal
    os.close(ours)
    if process.wait():
        sys.exit(f"{command}: exit status {process.returncode}\n{written.decode()}")
    return written.decode()


def lines(written: str) -> list[str]:
    """Return what is left on the screen: a line that was erased is not."""
    return [line.rsplit("\r\x1b[K", 1)[-1].rstrip("\r") for line in written.split("\n")[:-1]]


def draw(texts: list[Text]) -> str:
    """Return the picture: rich's, without the addresses of its fonts and of itself."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    for text in texts:
        console.print(text, soft_wrap=False)
    svg = console.export_svg(title="scratchbuild", theme=MONOKAI, unique_id="terminal")
    svg = re.sub(r"<!--.*?-->", "", svg, flags=re.DOTALL)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return "\n".join(line.rstrip() for line in svg.splitlines() if line.strip()) + "\n"


def main() -> None:
    """Run the commands and write the picture beside this script."""
    environment = {
        name: os.environ[name] for name in ("HOME", "PATH", "DOCKER_HOST", "SSL_CERT_FILE") if name in os.environ
    }
    environment |= {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
    environment |= {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SCRATCHBUILD_"))}
    texts = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "scratchbuild"
        shutil.copytree(REPOSITORY, folder, symlinks=True, ignore=IGNORED)
        shown("./doit list", folder, environment)  # makes .venv
        for command in COMMANDS:
            texts.append(Text.assemble(("$ ", "green"), (command, "bold")))
            texts += [Text.from_ansi(line) for line in lines(shown(command, folder, environment))]
    (HERE / "verify.svg").write_text(draw(texts), encoding="utf-8")


if __name__ == "__main__":
    main()
