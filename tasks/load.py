"""Step 9, `docker load -i basic.tar`: the image in an engine.

Reads the archive, and asks the engine what it holds; makes `load.json`, which says what the engine calls the image.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from scratchbuild.errors import ScratchbuildError
from scratchbuild.tasks import _engine, _project
from scratchbuild.tasks._stage import Stage, outcomes, selected

if TYPE_CHECKING:
    from scratchbuild.engines import Engine
    from scratchbuild.state.record import Record
    from scratchbuild.tasks._project import Image


def stage(image: Image) -> Stage:
    """Return the stage for one image."""
    return Stage(
        image,
        "load",
        make,
        reads=[image.archive],
        makes=[image.file("load.json")],
        uses={"tags": image.defined.tags, "engine": _engine.choice()},
        still=missing,
    )


def make(image: Image, record: Record) -> None:
    """Load the archive."""
    engine = _engine.of(image)
    if not asked_for(engine, image):
        raise ScratchbuildError(
            "no engine answers: " + "; ".join(engine.passed_over),
            where="load",
            mend=f"Start one of them. The archive is ready: {_project.shown(image.archive)}. "
            "`doit verify` runs it without any engine.",
        )
    stage = outcomes[f"load:{image.name}"]
    stage.reason = f"into {engine.name} at {engine.where}: {stage.reason}"
    record.depend(image.archive)
    engine.load(image.archive, image.defined.tags)
    held = {tag: engine.image_id(tag) for tag in image.defined.tags}
    document = {"engine": engine.name, "where": engine.where, "held": held}
    record.write(image.file("load.json"), json.dumps(document, indent=2).encode() + b"\n")


def asked_for(engine: Engine, image: Image) -> bool:
    """Return whether a person who gets this engine asked for it.

    The sandbox stands in for the engines that do not answer only where the image is to run as well: for `load` alone
    it would be a folder that nobody looks into.
    """
    return engine.name != "sandbox" or bool(_engine.choice() or {"verify", f"verify:{image.name}"} & selected)


def missing(image: Image) -> str:
    """Return why the image must be loaded again though the archive is the same, or nothing.

    The engine is asked, not remembered: it may be another one, or the image may be gone or another under its tag.
    """
    try:
        with open(image.file("load.json"), "rb") as file:
            document = json.load(file)
        engine = _engine.of(image)
        if not asked_for(engine, image):
            return "no engine answers"
        if (document["engine"], document["where"]) != (engine.name, engine.where):
            return f"loaded into {document['engine']} at {document['where']}, now {engine.name} at {engine.where}"
        for tag, held in document["held"].items():
            if held is None or engine.image_id(tag) != held:
                return f"{engine.name} no longer has {tag}"
    except (OSError, ValueError, KeyError, AttributeError, ScratchbuildError):
        return "what the engine holds is not known"
    return ""
