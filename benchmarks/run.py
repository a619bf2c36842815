#!/usr/bin/env python3
"""How long builds take: scratchbuild beside the tutorial's shell recipe and bare doit, paired in one run.

    python3 benchmarks/run.py                every case, on this clone's .venv (./doit makes it)
    python3 benchmarks/run.py noop big       some of them
    python3 benchmarks/run.py --rounds 21 --megabytes 500

Each round runs every way of a case once, in an order that turns from round to round, so that what else happens on the
machine hits all of them alike. Printed are medians by the clock, then ratios: the median of the rounds' own ratios to
the first way. The last column is processor time, which says less of a build but hardly depends on what else runs (a
daemon's is not in it).

With DOCKER_HOST set there is a case more, up to the program's output from a container: beside a Dockerfile with the
big part in a layer of its own, and beside PyPI's dockerize2 where that is installed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
RECIPE = HERE / "recipe.sh"
MILLION = 1_000_000

DEFINITION = """
tags = ["benchmark:v1"]
directories = ["/dev", "/bin", "/lib64"]
binaries = [{{ source = "{bash}", target = "/bin/bash" }}, {{ source = "{echo}", target = "/bin/echo" }}]
libraries = {{ layout = "/lib64" }}
entrypoint = ["/bin/bash"]
env = {{ PATH = "/bin" }}
labels = {{ benchmark = "yes", revision = "{label}" }}
{files}
[verify]
arguments = ["-c", "echo hello"]
stdout = "hello\\n"
"""


def call(command: list[str], folder: Path = REPOSITORY) -> None:
    """Run a command in `folder`, as a shell of a person would: nothing of this Python's settings reaches it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL, check=True)  # noqa: S603


def nothing() -> None:
    """Do nothing before a run."""


class Way(NamedTuple):
    """One way to do a case's work: `prepare` is called before each run, and not timed."""

    name: str
    command: list[str]
    folder: Path
    prepare: Callable[[], None] = nothing


class Took(NamedTuple):
    """Seconds that a run took: by the clock, and of the processor in the command and what it started."""

    wall: float
    processor: float


class Case(NamedTuple):
    """Ways to do the same work. `makes` are files whose bytes must be others after each run, or nothing is measured."""

    name: str
    title: str
    ways: list[Way]
    makes: list[Path]


class Programs(NamedTuple):
    """How this clone's doit is started: by its wrapper, and as an environment's own `doit`."""

    wrapper: list[str]
    doit: list[str]

    @classmethod
    def of(cls, python: Path | None) -> Programs:
        """Return the programs of the environment whose interpreter is `python`; of this clone's .venv without one."""
        if python is not None:
            start = ["env", f"DOIT_FILE={REPOSITORY / 'dodo.py'}", str(python), "-P"]
            return cls([*start, str(REPOSITORY / "scratchbuild" / "tasks" / "_start.py")], [str(python), "-m", "doit"])
        wrapper, doit = REPOSITORY / "doit", REPOSITORY / ".venv" / "bin" / "doit"
        call([str(wrapper), "list"])  # makes .venv
        return cls([str(wrapper)], [str(doit)])


class Project:
    """Definitions and a cache of their own for one image, and the recipe's folder: `change` edits what both pack."""

    def __init__(self, folder: Path, programs: Programs, data: Path | None = None) -> None:
        self.configs, self.cache, self.recipe = folder / "configs", folder / "cache", folder / "recipe"
        self.configs.mkdir(parents=True)
        self.recipe.mkdir()
        self.programs = programs
        self.data = data
        self.bash, self.echo = folder / "bash", folder / "echo"
        for program in (self.bash, self.echo):
            shutil.copy(f"/bin/{program.name}", program)
        self.plain = self.echo.read_bytes()
        self.changes = 0
        self.label()

    @property
    def archives(self) -> list[Path]:
        """What both ways make."""
        return [self.cache / "image" / "image.tar", self.recipe / "basic.tar"]

    def label(self) -> None:
        """Give the image another label."""
        self.changes += 1
        files = f'files = [{{ source = "{self.data}", target = "/opt/data" }}]' if self.data else ""
        text = DEFINITION.format(bash=self.bash, echo=self.echo, label=self.changes, files=files)
        (self.configs / "image.toml").write_text(text, encoding="utf-8")

    def change(self) -> None:
        """Change the smaller program, as a compiler would: some bytes after those that are loaded."""
        self.changes += 1
        self.echo.write_bytes(self.plain + self.changes.to_bytes(16, "little"))

    def remove(self) -> None:
        """Remove all that was built."""
        shutil.rmtree(self.cache, ignore_errors=True)
        shutil.rmtree(self.recipe)
        self.recipe.mkdir()

    def doit(self, *arguments: str) -> list[str]:
        """Return the command that runs doit on this project."""
        return [*self.programs.wrapper, *arguments, f"configs={self.configs}", f"cache={self.cache}"]

    def typed(self) -> list[str]:
        """Return the recipe's command; the label is the one of the definition."""
        command = [str(RECIPE), "LABEL", str(self.bash), str(self.echo)]
        return [*command, str(self.data)] if self.data else command

    def ways(self, prepare: Callable[[], None]) -> list[Way]:
        """Return both ways to build after `prepare`."""
        return [
            Way("the tutorial's recipe", self.typed(), self.recipe, prepare),
            Way("./doit build", self.doit("build"), REPOSITORY, prepare),
        ]


def cases(folder: Path, programs: Programs, data: Path) -> list[Case]:
    """Return all cases, each with files of its own below `folder`."""
    full = Project(folder / "full", programs)
    changed = Project(folder / "changed", programs)
    labelled = Project(folder / "labelled", programs)
    big = Project(folder / "big", programs, data)
    size = f"{sum(file.stat().st_size for file in data.iterdir()) / MILLION:.0f} MB"
    found = [
        Case("full", "everything from nothing: bash and echo", full.ways(full.remove), []),
        _noop(folder / "noop", programs),
        Case("changed", "bash and echo, echo changed", changed.ways(changed.change), changed.archives),
        Case("label", "bash and echo, a label changed", labelled.ways(labelled.label), labelled.archives),
        Case("big", f"bash, echo and {size} of files, echo changed", big.ways(big.change), big.archives),
    ]
    if os.environ.get("DOCKER_HOST"):
        found.append(_docker(Project(folder / "docker", programs, data), size))
    return found


def _noop(folder: Path, programs: Programs) -> Case:
    project = Project(folder, programs)
    call(project.doit("build"))
    bare = folder / "bare"
    bare.mkdir()
    (bare / "dodo.py").write_text('def task_nothing():\n    return {"actions": None}\n', encoding="utf-8")
    arguments = ["build", f"configs={project.configs}", f"cache={project.cache}"]
    ways = [
        Way("doit, an empty dodo.py", [*programs.doit, "-f", str(bare / "dodo.py")], bare),
        Way("./doit build", [*programs.wrapper, *arguments], REPOSITORY),
        Way("doit build", [*programs.doit, *arguments], REPOSITORY),
    ]
    return Case("noop", "nothing to do", ways, [])


def _docker(project: Project, size: str) -> Case:
    """Return the case up to the output, beside what a person who knows Docker writes: the big part in its own layer."""
    assert project.data is not None  # noqa: S101  # the caller gives it
    context = project.recipe / "context"
    context.mkdir()
    shutil.copytree(project.data, context / "data")
    call(project.typed(), project.recipe)
    shutil.copytree(project.recipe / "rootfs" / "lib64", context / "lib64")
    shutil.copy(project.bash, context / "bash")
    (context / "Dockerfile").write_text(
        "FROM scratch\nCOPY data /opt/data\nCOPY lib64 /lib64\nCOPY bash /bin/bash\nCOPY echo /bin/echo\n"
        'ENV PATH=/bin LD_LIBRARY_PATH=/lib64\nENTRYPOINT ["/bin/bash"]\nLABEL benchmark=yes\n',
        encoding="utf-8",
    )
    build = f"docker build -q -t benchmark:docker {context} >/dev/null 2>&1"
    dockerize = (
        f"dockerize -t benchmark:dockerize -e {project.bash} -a {project.data} /opt/data --label benchmark=yes "
        f"{project.bash} {project.echo} >/dev/null 2>&1"
    )

    def and_run(command: str, tag: str) -> list[str]:
        run = f'docker run --rm --network none --pull=never {tag} -c "echo hello"'
        return ["sh", "-c", f"{command} && {run}"]

    def change() -> None:
        project.change()
        shutil.copy(project.echo, context / "echo")

    ways = [
        Way("docker build, docker run", and_run(build, "benchmark:docker"), context, change),
        Way("./doit verify engine=docker", project.doit("verify", "engine=docker"), REPOSITORY, change),
        Way("./doit verify engine=sandbox", project.doit("verify", "engine=sandbox"), REPOSITORY, change),
    ]
    if shutil.which("dockerize"):
        ways.append(Way("dockerize, docker run", and_run(dockerize, "benchmark:dockerize"), context, change))
    return Case("docker", f"bash, echo and {size} of files, echo changed, until hello is printed", ways, [])


def remove_images() -> None:
    """Remove what the last case left in the engine: its images, and those that had their names before."""
    names = "benchmark:docker benchmark:v1 benchmark:dockerize"
    prune = "docker image prune -f --filter label=benchmark=yes"
    call(["sh", "-c", f"docker image rm -f {names} 2>/dev/null; {prune}"])


def measure(case: Case, rounds: int) -> list[list[Took]]:
    """Return what each way took in each round, after one round that is not counted."""
    took: list[list[Took]] = [[] for _ in case.ways]
    before: list[str] = []
    for number in range(rounds + 1):
        order = list(range(len(case.ways)))
        turned = order[number % len(order) :] + order[: number % len(order)]
        for index in turned:
            way = case.ways[index]
            way.prepare()
            time.sleep(0.06)  # what was just written is no longer of the same tick of the clock
            command = [_revision() if word == "LABEL" else word for word in way.command]
            start, before_it = time.perf_counter(), _processor()
            call(command, way.folder)
            if number:
                took[index].append(Took(time.perf_counter() - start, _processor() - before_it))
        after = [_sha256(path) for path in case.makes]
        if any(old == new for old, new in zip(before, after, strict=False)):
            sys.exit(f"{case.name}: a change changed nothing, so nothing is measured")
        before = after
    return took


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _revision() -> str:
    """Return a label that is another each time."""
    return str(time.monotonic_ns())


def table(case: Case, took: list[list[Took]]) -> str:
    """Return a case's medians in milliseconds, and ratios to the first way."""
    lines = [case.title]
    for way, own in zip(case.ways, took, strict=True):
        wall, processor = (statistics.median(part) * 1000 for part in zip(*own, strict=True))
        ratio = statistics.median(mine.wall / first.wall for mine, first in zip(own, took[0], strict=True))
        lines.append(f"  {way.name:<28} {wall:8.1f} ms {ratio:6.2f} {processor:12.1f} ms")
    return "\n".join(lines)


def make_data(folder: Path, megabytes: int) -> Path:
    """Fill `folder` with four files of `megabytes` in all, the same bytes on every machine; return it."""
    folder.mkdir()
    source = random.Random(0)  # noqa: S311  # any bytes that do not compress
    for number in range(4):
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(max(megabytes // 4, 1)):
                file.write(source.randbytes(MILLION))
    return folder


def main() -> None:
    """Measure what the command line asks for."""
    names = ["full", "noop", "changed", "label", "big", "docker"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", choices=[*names, []], help=", ".join(names))
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count (default: 15)")
    parser.add_argument("--megabytes", type=int, default=140, help="size of the big image (default: 140)")
    parser.add_argument("--python", type=Path, help="an interpreter that has doit and xxhash, instead of .venv's")
    parser.add_argument("--folder", type=Path, help="where to work (default: a temporary folder)")
    options = parser.parse_args()
    programs = Programs.of(options.python)
    system = f"Python {platform.python_version()}, {os.cpu_count()} processors, {options.rounds} rounds"
    print(f"{system}: median by the clock, ratio to the first line, processor time\n")  # noqa: T201  # a program that prints
    with tempfile.TemporaryDirectory(prefix="benchmark-", dir=options.folder) as folder:
        data = make_data(Path(folder) / "data", options.megabytes)
        for case in cases(Path(folder), programs, data):
            if not options.case or case.name in options.case:
                print(table(case, measure(case, options.rounds)) + "\n", flush=True)  # noqa: T201
                if case.name == "docker":
                    remove_images()


if __name__ == "__main__":
    main()
