"""`doit build`: what a person types. Each image's archive, and the way to remove what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scratchbuild.tasks import _cache, _project

if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = "Make every image, up to its archive; build:NAME one of them."


def tasks() -> Iterator[dict[str, Any]]:
    """Yield the group and its images. Cleaning one image removes its folder, cleaning the group everything built."""
    project = _project.current()
    everything = f"remove all that was built in {_project.shown(project.cache)}"
    group: dict[str, Any] = {"name": None, "doc": HELP, "clean": [_cache.Careful(_cache.clean_all, everything)]}
    if not project.images:
        group["task_dep"] = ["_cache"]  # which says so
    yield group
    for image in project.images:
        yield {
            "name": image.name,
            "doc": " ".join(image.definition.tags) if image.definition else "its definition is wrong",
            "actions": None,
            "task_dep": [f"archive:{image.name}"],
            "clean": [_clean(image)],
        }


def _clean(image: _project.Image) -> _cache.Careful:
    return _cache.Careful(lambda: _cache.clean_image(image), f"remove {_project.shown(image.folder)}")
