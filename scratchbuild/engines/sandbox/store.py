"""Where the sandbox keeps its images: a folder for each, and one file that says which tag means which.

A folder is complete before a tag names it, and the file of tags is replaced in one step. Whoever fills or uses a folder
holds a lock in it, which the kernel gives back at any death: what no tag names and nobody holds is left over, and is
removed at the next load.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import stat
from typing import TYPE_CHECKING, NamedTuple

from scratchbuild import files
from scratchbuild.errors import ScratchbuildError, from_os_error

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

ROOTFS = "rootfs"
CONFIG = "config.json"

_TAGS = "tags.json"
_IMAGES = "images"
_LOCK = "lock"


class Held(NamedTuple):
    """An image of the store: its ID, and its folder, with the root file system in ROOTFS and the config in CONFIG."""

    image_id: str
    folder: str


class Store:
    """The images below `folder`, which is made, private to its owner, when the first one is put there."""

    def __init__(self, folder: str) -> None:
        self.folder = os.path.abspath(folder)

    def find(self, tag: str) -> Held | None:
        """Return the image under `tag`, None if there is none. Raises ScratchbuildError if it cannot be known."""
        held = self._tags().get(tag)
        return held if held and os.path.isdir(os.path.join(held.folder, ROOTFS)) else None

    @contextlib.contextmanager
    def using(self, tag: str) -> Iterator[Held | None]:
        """Yield the image under `tag`, whose folder stays as long as this lasts, or None. Raises ScratchbuildError."""
        with contextlib.ExitStack() as stack:
            if os.path.isdir(self.folder):
                with self._locked():
                    held = self.find(tag)
                    if held:
                        stack.enter_context(_lock(os.path.join(held.folder, _LOCK), fcntl.LOCK_SH))
            else:
                held = None
            yield held

    @contextlib.contextmanager
    def fresh(self) -> Iterator[str]:
        """Yield a new empty folder; afterwards it is removed unless a tag names it. Raises ScratchbuildError."""
        images = os.path.join(self.folder, _IMAGES)
        folder = os.path.join(images, secrets.token_hex(8))
        with contextlib.ExitStack() as stack:
            try:
                os.makedirs(self.folder, exist_ok=True)
                os.chmod(self.folder, stat.S_IRWXU)
                with self._locked():
                    os.makedirs(images, mode=stat.S_IRWXU, exist_ok=True)
                    os.mkdir(folder, stat.S_IRWXU)
                    stack.enter_context(_lock(os.path.join(folder, _LOCK), fcntl.LOCK_EX))
            except OSError as error:
                mend = "It must belong to the user who runs this. Remove it, as the user to whom it belongs."
                raise from_os_error(error, f"keep images in {self.folder}", mend=mend) from error
            try:
                yield folder
            finally:
                if all(held.folder != folder for held in self._tags().values()):
                    files.remove(folder)

    def put(self, tags: Collection[str], image_id: str, folder: str) -> None:
        """Have all of `tags` mean the image in `folder`, which `fresh` gave; what no tag means any more goes.

        Raises ScratchbuildError.
        """
        with self._locked():
            self._write(self._tags() | dict.fromkeys(tags, Held(image_id, folder)))
            self._sweep()

    def keep_only(self, tags: Collection[str]) -> None:
        """Forget every tag but `tags`, and remove the images that no tag means any more. Raises ScratchbuildError."""
        if not os.path.isdir(self.folder):
            return
        with self._locked():
            kept = {tag: held for tag, held in self._tags().items() if tag in tags}
            if kept != self._tags():
                self._write(kept)
            self._sweep()

    def _tags(self) -> dict[str, Held]:
        """Return what each tag means; what is not as `_write` wrote it means nothing."""
        try:
            with open(os.path.join(self.folder, _TAGS), encoding="utf-8") as file:
                said = json.load(file)
            images = os.path.join(self.folder, _IMAGES)
            return {
                str(tag): Held(str(held["image"]), os.path.join(images, os.path.basename(str(held["folder"]))))
                for tag, held in said.items()
            }
        except FileNotFoundError:
            return {}
        except OSError as error:
            mend = "It belongs to another user: run this as that user, or remove it as that user."
            raise from_os_error(error, f"look into {self.folder}", mend=mend) from error
        except (ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _write(self, tags: dict[str, Held]) -> None:
        said = {tag: {"image": held.image_id, "folder": os.path.basename(held.folder)} for tag, held in tags.items()}
        try:
            files.write(os.path.join(self.folder, _TAGS), json.dumps(said, indent=1, sort_keys=True).encode() + b"\n")
        except OSError as error:
            raise from_os_error(error, f"write to {self.folder}") from error

    def _sweep(self) -> None:
        """Remove the folders that no tag names and nobody holds."""
        images = os.path.join(self.folder, _IMAGES)
        named = {os.path.basename(held.folder) for held in self._tags().values()}
        with contextlib.suppress(FileNotFoundError):
            for name in set(os.listdir(images)) - named:
                folder = os.path.join(images, name)
                with (
                    contextlib.suppress(BlockingIOError),
                    _lock(os.path.join(folder, _LOCK), fcntl.LOCK_EX | fcntl.LOCK_NB),
                ):
                    files.remove(folder)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the store itself: nobody else makes, names or removes folders meanwhile."""
        try:
            with _lock(os.path.join(self.folder, _LOCK), fcntl.LOCK_EX):
                yield
        except PermissionError as error:
            mend = "It belongs to another user: run this as that user, or remove it as that user."
            raise from_os_error(error, f"lock {self.folder}", mend=mend) from error


@contextlib.contextmanager
def _lock(path: str, how: int) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def missing(tag: str) -> ScratchbuildError:
    """Return the error for a tag under which the sandbox has nothing."""
    return ScratchbuildError(f"the sandbox has no image {tag}", mend="Load it: doit load")
