"""What a dynamic linker was built with: its directories, its $LIB, its cache; read from its own bytes.

A distribution chooses them when it builds glibc (Debian's search no /lib64, Red Hat's do), and the loader carries them
as strings: `system_dirs` in dl-load.c, DL_DST_LIB, LD_SO_CACHE. musl keeps none: see musl.py.
"""

from __future__ import annotations

import os
import posixpath
from typing import TYPE_CHECKING, Final

from scratchbuild.errors import ScratchbuildError
from scratchbuild.ldso import abi, cache, musl
from scratchbuild.ldso.loader import Family, Loader

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scratchbuild.elf import Elf
    from scratchbuild.ldso.look import Looker

# Every loader known is below a megabyte; debugging data behind that is not searched.
_MOST_BYTES: Final = 8 << 20
_MOST_PATH_BYTES: Final = 4096


def family(interpreter: str) -> Family:
    """Return whose loader an interpreter's path names. All but musl's are taken to search as glibc's does."""
    return "musl" if posixpath.basename(interpreter).startswith("ld-musl-") else "glibc"


def loader(look: Looker, path: str, program: Elf) -> Loader:
    """Return the loader at `path` for a program of its machine; what no file tells comes from the table in abi.py."""
    key = ("loader", path, abi.of(program).cache_flags, program.byte_order)
    found = look.memory.get(key)
    if not isinstance(found, Loader):
        found = look.memory[key] = _loader(look, path, program)
    return found


def _loader(look: Looker, path: str, program: Elf) -> Loader:
    table = abi.of(program)
    if family(path) == "musl":
        return Loader(path, "musl", musl.directories(look.root, path), "", "", "")
    data = b""
    if look.at(path).elf is not None:
        try:
            with look.root.opened(path) as file:
                data = file.at(0, min(file.size, _MOST_BYTES))
        except ScratchbuildError:
            data = b""
    found = _directories(data) or table.directories
    cache_path = next(_strings(data, b"/ld.so.cache"), cache.CACHE)
    return Loader(path, "glibc", found, cache_path, _library(data, found), table.platform)


def _strings(data: bytes, end: bytes) -> Iterator[str]:
    """Yield the absolute paths in `data` that stand between NULs and end so."""
    place = -1
    while (place := data.find(end + b"\0", place + 1)) >= 0:
        start = data.rfind(b"\0", max(place - _MOST_PATH_BYTES, 0), place + 1) + 1
        text = data[start : place + len(end)]
        if start and text.startswith(b"/") and text.isascii():
            yield os.fsdecode(text)


def _directories(data: bytes) -> tuple[str, ...]:
    """Return the longest run, one right after another, of library directories: `/lib/`, `/usr/lib64/`."""
    names = [name for name in _strings(data, b"/") if "/lib" in name]
    best: list[str] = []
    run: list[str] = []
    for name in names:
        joined = os.fsencode("\0".join([*run, name])) + b"\0"
        run = [*run, name] if run and b"\0" + joined in data else [name]
        best = max(best, run, key=len)
    return tuple(name.rstrip("/") for name in best)


def _library(data: bytes, directories: tuple[str, ...]) -> str:
    """Return $LIB: the first directory without its slash or prefix, where the loader has that as a string too."""
    parts = directories[0].strip("/").split("/") if directories else []
    for start in range(len(parts)):
        candidate = "/".join(parts[start:])
        if b"\0" + os.fsencode(candidate) + b"\0" in data:
            return candidate
    return directories[0].strip("/").removeprefix("usr/") if directories else "lib"
