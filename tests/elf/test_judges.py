"""readelf and pyelftools, reading this machine's files, find what we find."""

from __future__ import annotations

import glob
import os
import random
import re
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment

from scratchbuild import elf
from scratchbuild.errors import ScratchbuildError
from scratchbuild.root import Root

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def sample(pattern: str, count: int) -> list[str]:
    """Return some of the ELF files that a glob pattern matches, other ones at each run."""
    paths = [path for path in glob.glob(pattern) if os.path.isfile(path)]
    random.shuffle(paths)
    found = []
    for path in paths:
        with open(path, "rb") as file:
            if elf.is_elf(file.read(4)):
                found.append(path)
        if len(found) == count:
            break
    return found


FILES = sample("/usr/bin/*", 40) + sample("/usr/lib/*/*.so*", 60) + sample("/usr/lib32/*.so*", 10)


def read(path: str) -> elf.Elf:
    with Root().opened(path) as file:
        return elf.read(file)


def test_pyelftools_finds_the_same() -> None:
    assert FILES
    for path in FILES:
        found = read(path)
        with open(path, "rb") as file:
            judge = ELFFile(file)
            assert found.bits == judge.elfclass
            assert (found.byte_order == "little") == judge.little_endian
            assert found.machine_flags == judge["e_flags"]
            interpreters = [part.get_interp_name() for part in judge.iter_segments() if isinstance(part, InterpSegment)]
            assert found.interpreter == next(iter(interpreters), None), path
            needed: list[str] = []
            single: dict[str, Any] = {}
            for segment in judge.iter_segments():
                if isinstance(segment, DynamicSegment):
                    for tag in segment.iter_tags():
                        if tag.entry.d_tag == "DT_NEEDED":
                            needed.append(getattr(tag, "needed"))  # noqa: B009 -- an attribute that the type does not know
                        single[tag.entry.d_tag] = tag
        assert found.needed == tuple(needed), path
        assert found.soname == getattr(single.get("DT_SONAME"), "soname", None), path
        assert found.rpath == getattr(single.get("DT_RPATH"), "rpath", None), path
        assert found.runpath == getattr(single.get("DT_RUNPATH"), "runpath", None), path
        assert found.flags_1 == (single["DT_FLAGS_1"].entry.d_val if "DT_FLAGS_1" in single else 0), path
        assert found.flags == (single["DT_FLAGS"].entry.d_val if "DT_FLAGS" in single else 0), path


@pytest.mark.engine("readelf")
def test_readelf_finds_the_same() -> None:
    for path in FILES:
        found = read(path)
        text = subprocess.run(
            ["readelf", "-hdlW", path], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}
        ).stdout
        # A library that is a program too has an interpreter; gdb's index and the like have no dynamic section.
        interpreter = re.search(r"\[Requesting program interpreter: (.*)\]", text)
        assert found.interpreter == (interpreter.group(1) if interpreter else None), path
        assert found.needed == tuple(re.findall(r"\(NEEDED\) +Shared library: \[(.*)\]", text)), path
        for tag, value in (("SONAME", found.soname), ("RPATH", found.rpath), ("RUNPATH", found.runpath)):
            match = re.search(rf"\({tag}\) .*: \[(.*)\]", text)
            assert value == (match.group(1) if match else None), path
        assert ("PIE" in found.kind.upper()) == ("Position-Independent Executable" in text), path
        assert found.is_dynamic == ("There is no dynamic section" not in text), path


@pytest.mark.engine("gcc")
def test_each_way_to_link_a_program_has_its_kind(tmp_path: Path) -> None:
    (tmp_path / "m.c").write_text("int main(void) { return 0; }\n")
    ways = {
        "pie": ["-pie", "-fPIE"],
        "executable": ["-no-pie"],
        "static": ["-static"],
        "static-pie": ["-static-pie", "-fPIE"],
        "shared object": ["-shared", "-fPIC"],
    }
    for kind, options in ways.items():
        subprocess.run(["gcc", "m.c", "-o", "made", *options], cwd=tmp_path, check=True)
        found = read(str(tmp_path / "made"))
        assert found.kind == kind
        assert (found.interpreter is None) == (kind in {"static", "static-pie", "shared object"})
    subprocess.run(["gcc", "-c", "m.c", "-o", "made.o"], cwd=tmp_path, check=True)
    with pytest.raises(ScratchbuildError, match="relocatable object"):
        read(str(tmp_path / "made.o"))


@pytest.mark.engine("musl-gcc")
def test_musl_program_names_musls_loader(tmp_path: Path) -> None:
    (tmp_path / "m.c").write_text("int main(void) { return 0; }\n")
    subprocess.run(["musl-gcc", "m.c", "-o", "made"], cwd=tmp_path, check=True)
    found = read(str(tmp_path / "made"))
    assert found.interpreter is not None
    assert found.interpreter.startswith("/lib/ld-musl-")
    assert found.needed == ("libc.so",)


@pytest.mark.engine("gcc")
def test_file_without_section_headers_has_the_same_facts(tmp_path: Path) -> None:
    shutil.copy("/bin/ls", tmp_path / "whole")
    data = bytearray((tmp_path / "whole").read_bytes())
    # e_shoff, and e_shentsize, e_shnum, e_shstrndx.
    data[40:48] = bytes(8)
    data[58:64] = bytes(6)
    (tmp_path / "bare").write_bytes(data)
    assert read(str(tmp_path / "bare")) == read(str(tmp_path / "whole"))


def test_any_changed_byte_at_the_start_of_a_real_program(in_memory: Callable[[bytes], Any]) -> None:
    with open("/bin/ls", "rb") as file:
        data = file.read()
    dynamic = next(place for place in range(len(data)) if data.startswith(b"libc.so.6\0", place))
    for place in [*range(1024), *random.sample(range(len(data)), 500), *range(dynamic - 100, dynamic + 20)]:
        changed = data[:place] + bytes([data[place] ^ random.choice([1, 0x80, 0xFF])]) + data[place + 1 :]  # noqa: S311
        try:
            elf.read(in_memory(changed))
        except ScratchbuildError as error:
            assert error.what  # noqa: PT017 -- either way is right, a traceback is not
