"""What one run of a stage read and made, noted while it happens."""

from __future__ import annotations

import os

from scratchbuild import digest, files
from scratchbuild.errors import ScratchbuildError, from_os_error
from scratchbuild.root import Root, stat_key
from scratchbuild.state.imprint import (
    Imprint,
    Imprints,
    capability,
    file_text,
    hash_descriptor,
    names_text,
    settled,
)


class Record:
    """Notes of one run: `read` and `made` by path on this machine. It is the witness of the roots that it gives out.

    What is noted of a file is the hash of the bytes that were used, not of what lies there afterwards: a source that
    changes meanwhile leaves a note that does not fit it, and the next run sees that.
    """

    def __init__(self, imprints: Imprints) -> None:
        self.imprints = imprints
        self.reads: dict[str, Imprint] = {}
        self.makes: dict[str, Imprint] = {}
        self.notes: list[str] = []

    def root(self, base: str = "/") -> Root:
        """Return a root whose every look is noted here."""
        return Root(base, self)

    # What roots tell (root.Witness).

    def saw(self, path: str) -> None:
        """Note that `path` is absent, a directory, or where it points; of a file, only that it is there is not noted.

        A file that is merely there is noted when it is opened or copied.
        """
        if path in self.reads:
            return
        try:
            self.reads[path] = Imprint("link " + os.readlink(path))
        except FileNotFoundError:
            self.reads[path] = Imprint("absent")
        except OSError:
            if os.path.isdir(path):
                self.reads[path] = Imprint("directory")
            elif not os.path.lexists(path):
                self.reads[path] = Imprint("absent")

    def read(self, path: str, descriptor: int, status: os.stat_result) -> None:
        """Note all bytes of an open file."""
        self.reads[path] = self._hashed(path, descriptor, status)

    def listed(self, path: str, names: list[str], status: os.stat_result) -> None:
        """Note the names in a directory."""
        self.reads[path + "/"] = Imprint(names_text(status.st_mode, names), settled(status))

    # What stages do.

    def contents(self, path: str) -> bytes:
        """Return all bytes of a file that an earlier stage or a person made. Raises ScratchbuildError."""
        with files.opened(path) as (descriptor, status):
            try:
                self.read(path, descriptor, status)
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    return file.read()
            except OSError as error:
                raise from_os_error(error, f"read {path}") from error

    def depend(self, path: str) -> None:
        """Note `path` as it is now, links not followed, for a stage that is about to read it."""
        self.reads[path] = self.imprints.of(path)

    def confirm(self) -> None:
        """Check that what was noted is still so. Raises ScratchbuildError when something changed meanwhile."""
        for path, imprint in self.reads.items():
            if self.imprints.of(path, imprint).text != imprint.text:
                message = f"{path} changed while it was being packed"
                raise ScratchbuildError(message, mend="Build again when nothing writes to it.")

    def copy(self, source: str, target: str, mode: int) -> None:
        """Copy the regular file `source` to `target`, in one step; both are noted. Raises ScratchbuildError.

        The copy never shares an inode with its source.
        """
        with files.opened(source) as (descriptor, before):
            try:
                size, fingerprint = files.copy(descriptor, target, mode)
            except OSError as error:
                raise from_os_error(error, f"copy {source} to {target}") from error
            changed = stat_key(os.fstat(descriptor)) != stat_key(before)
            text = file_text(before, size, fingerprint, capability(descriptor))
            self.reads[source] = Imprint(text, None if changed else settled(before))
            if not changed:
                self.imprints.remember(source, before, self.reads[source])
            self.wrote(target, size, fingerprint)
        if changed:
            message = f"{source} changed while it was being copied"
            raise ScratchbuildError(message, mend="Build again when nothing writes to it.")

    def write(self, target: str, data: bytes, mode: int = 0o644) -> None:
        """Make `target` hold `data`, in one step. Raises ScratchbuildError."""
        try:
            files.write(target, data, mode)
        except OSError as error:
            raise from_os_error(error, f"write {target}") from error
        self.wrote(target, len(data), digest.fingerprint(data))

    def take(self, target: str) -> None:
        """Note a target that was just made, as it is now."""
        self.makes[target] = self.imprints.of(target)

    def wrote(self, target: str, size: int, fingerprint: str) -> None:
        """Note a file that was just written, of `size` bytes whose XXH3-128 was taken on the way."""
        status = os.lstat(target)
        self.makes[target] = Imprint(file_text(status, size, fingerprint, b""), settled(status))
        self.imprints.remember(target, status, self.makes[target])

    def note(self, text: str) -> None:
        """Tell the person who builds something that is no error."""
        self.notes.append(text)

    def _hashed(self, path: str, descriptor: int, status: os.stat_result) -> Imprint:
        size, fingerprint = hash_descriptor(descriptor)
        same = stat_key(os.fstat(descriptor)) == stat_key(status)
        text = file_text(status, size, fingerprint, capability(descriptor))
        imprint = Imprint(text, settled(status) if same else None)
        if same:
            self.imprints.remember(path, status, imprint)
        return imprint
