"""A dynamic linker as the search knows it."""

from __future__ import annotations

from typing import Literal, NamedTuple

Family = Literal["glibc", "musl"]


class Loader(NamedTuple):
    """A dynamic linker, by the path that programs name it by (PT_INTERP).

    `directories` are those it looks into last, in order, without a slash at the end. `cache` is the path of its
    ld.so.cache, empty where it has none. `library` and `platform` are what $LIB and $PLATFORM become.
    """

    path: str
    family: Family
    directories: tuple[str, ...]
    cache: str
    library: str
    platform: str

    def looks_into(self, directory: str) -> bool:
        """Whether a library in `directory` is found without a cache, RPATH, RUNPATH or LD_LIBRARY_PATH."""
        return directory.rstrip("/") in self.directories
