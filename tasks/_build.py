"""`doit build`: what a person types. Each image's archive, and the way to remove what was built."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from doit.task import Task, dict_to_task

from scratchbuild.tasks import _cache, _project

if TYPE_CHECKING:
    from collections.abc import Iterator

HELP = "Make every image, up to its archive; build:NAME one of them."
USAGE = (
    ("doit build", "every image of the folder of definitions"),
    ("doit build:NAME", "one image"),
    ("doit -n 2 build", "two at a time"),
    ("doit -v 2 build", "tell also what had nothing to do; with -v 0 only the images' lines"),
    ("doit load, doit verify", "then load the image into an engine, and run it"),
    ("doit info layer:NAME", "what a task reads and makes, and why it would run"),
    ("doit clean", "remove everything that was built; clean build:NAME one image"),
)


class Help(str):
    """What a task is for: one line in `doit list`, which formats it, and all of it in `doit help`, which prints it."""

    __slots__ = ()

    def __str__(self) -> str:
        lines = [str.__str__(self), "", *(f"  {typed:<24}{text}" for typed, text in USAGE)]
        lines += ["", "On the command line, besides:"]
        lines += [f"  {name + '=':<24}{text}" for name, text in _project.variables.items()]
        return "\n".join(lines)

    def __format__(self, spec: str) -> str:
        return format(str.__str__(self), spec)


def tasks() -> Iterator[dict[str, Any] | Task]:
    """Yield the group and its images. Cleaning one image removes its folder, cleaning the group everything built."""
    project = _project.current()
    everything = f"remove all that was built in {_project.shown(project.cache)}"
    group = dict_to_task(
        {
            "name": "build",
            "actions": None,
            "clean": [_cache.Careful(_cache.clean_all, everything)],
            "task_dep": [] if project.images else ["_cache"],  # which says so
        }
    )
    group.has_subtask = True
    group.doc = Help(HELP)
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
