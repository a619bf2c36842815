"""The programs of this machine: their libraries are those that the real loader names, and soon found."""

from __future__ import annotations

import glob
import os
import random
import time
from typing import Any

import pytest

from scratchbuild import elf
from scratchbuild.errors import ScratchbuildError
from scratchbuild.ldso.closure import closure
from scratchbuild.root import Root


def programs() -> list[str]:
    """Return the real paths of all 64-bit programs of /usr/bin that have an interpreter."""
    found = set()
    for path in glob.glob("/usr/bin/*"):
        real = os.path.realpath(path)
        if os.path.isfile(real):
            with open(real, "rb") as file:
                if elf.is_elf(file.read(5)):
                    found.add(real)
    return sorted(found)


def test_real_loader_agrees_about_any_program_here(judge: Any) -> None:
    for path in random.sample(programs(), 60):
        try:
            with Root().opened(path) as file:
                facts = elf.read(file)
        except ScratchbuildError:
            continue
        if facts.architecture == "amd64" and facts.interpreter and judge.finds(path):
            judge.agrees(path)


def test_real_loader_agrees_about_any_library_here(judge: Any) -> None:
    for path in random.sample(glob.glob("/usr/lib/x86_64-linux-gnu/*.so.*"), 40):
        if "/ld-linux" not in path and os.path.isfile(path) and judge.finds(path):
            judge.agrees(os.path.realpath(path))


def test_all_programs_at_once_take_less_than_a_second_or_two() -> None:
    paths = programs()
    began = time.monotonic()
    try:
        found = closure(Root(), paths)
    except ScratchbuildError:
        pytest.skip("a program of this machine lacks a library")
    assert found.libraries
    # A tenth of a second when the machine has nothing else to do.
    assert time.monotonic() - began < 2
