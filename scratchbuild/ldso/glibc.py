"""The order in which glibc's ld.so looks for a library, and what it takes for one (ld.so(8); dl-load.c).

Left out, as an image must start on every processor of its architecture: directories for some processors only
(glibc-hwcaps, and before 2.37 tls, haswell and the like). Their place is before each directory itself, in `places`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from scratchbuild.elf import DF_1_NODEFLIB, DF_1_PIE
from scratchbuild.ldso import abi, paths
from scratchbuild.ldso.loaded import Place

if TYPE_CHECKING:
    from scratchbuild.elf import Elf
    from scratchbuild.ldso.loaded import Loaded
    from scratchbuild.ldso.loader import Loader
    from scratchbuild.ldso.look import Looker, Seen

_ET_EXEC: Final = 2
# ELFOSABI_SYSV and ELFOSABI_GNU.
_OS_ABIS: Final = {0, 3}


def environment(library_path: str, program: Loaded, loader: Loader) -> tuple[Place, ...]:
    """Return the places of LD_LIBRARY_PATH; a semicolon parts them as a colon does."""
    if not library_path:
        return ()
    return paths.places(re.split("[:;]", library_path), "LD_LIBRARY_PATH", program, loader)


def places(needer: Loaded, environment: tuple[Place, ...], loader: Loader) -> tuple[Place, ...]:
    """Return where a library of `needer` is looked for before the cache and the default directories."""
    if not environment and needer.elf.runpath is None and not any(above.elf.rpath for above in needer.needers()):
        return ()
    found: list[Place] = []
    # An object with a RUNPATH neither uses its own RPATH nor that of those who needed it.
    if needer.elf.runpath is None:
        for above in needer.needers():
            if above.elf.runpath is None and above.elf.rpath:
                found += paths.places(above.elf.rpath.split(":"), "RPATH", above, loader)
    found += environment
    if needer.elf.runpath:
        found += paths.places(needer.elf.runpath.split(":"), "RUNPATH", needer, loader)
    return tuple(found)


def cached(look: Looker, name: str, needer: Elf, loader: Loader) -> tuple[str, str]:
    """Return the path that ld.so.cache has for `name`, or an empty one and why not."""
    found = look.cache(loader.cache, needer.byte_order)
    if isinstance(found, str):
        return "", found
    path = found.lookup(name, abi.of(needer).accepted)
    if path is None:
        return "", f"does not list {name}"
    if needer.flags_1 & DF_1_NODEFLIB and path.startswith(tuple(f"{place}/" for place in loader.directories)):
        return "", f"lists {path}, which the needer does not want (DF_1_NODEFLIB)"
    return path, ""


def defaults(needer: Elf, loader: Loader) -> tuple[Place, ...]:
    """Return the places that are looked into last: none for an object linked with `-z nodefaultlib`."""
    if needer.flags_1 & DF_1_NODEFLIB:
        return ()
    return tuple(Place(directory, "default directory") for directory in loader.directories)


def verdict(seen: Seen, needer: Elf) -> tuple[str, bool]:
    """Return why a file that is there is not loaded, or "", and whether the loader gives up there and then.

    It passes over files of another class or machine only; all else that is wrong ends the program (open_verify).
    """
    elf = seen.elf
    if elf is None:
        return seen.problem, True
    other = "another ABI of it" if elf.machine == needer.machine else needer.machine_name
    checks = (
        (elf.bits != needer.bits, f"{elf.bits}-bit, not {needer.bits}-bit", False),
        (elf.byte_order != needer.byte_order, f"{elf.byte_order}-endian, not {needer.byte_order}-endian", True),
        (elf.osabi not in _OS_ABIS, f"for another system (ELF OS ABI {elf.osabi})", True),
        (not abi.same_machine(elf, needer), f"for {elf.machine_name}, wanted is {other}", False),
        (not elf.is_dynamic, "it has no dynamic section", True),
        (elf.type == _ET_EXEC or bool(elf.flags_1 & DF_1_PIE), "a program, not a library", True),
    )
    return next(((reason, stops) for failed, reason, stops in checks if failed), ("", False))
