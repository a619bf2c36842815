"""The ten stages one by one, as the tutorial's steps: what each reads and makes, down to the bytes."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from typing import TYPE_CHECKING

import pytest

from scratchbuild.digest import sha256
from tests.graph.conftest import BUILT, Workshop, environment, program, run

if TYPE_CHECKING:
    from pathlib import Path

DEFINITION = """
directories = ["/dev", "/bin", "/lib64"]
binaries = [{ source = "SRC/hello", target = "/bin/hello" }]
env = { PATH = "/bin" }
author = "yai_yang"
created = 2024-06-18T00:00:00Z
layer_name = "demo-image.tar"
"""
ENTRY = '{{"path": "{}", "kind": "{}", "mode": "{}", "reason": "{}"{}}}'


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory, dodo: Path) -> Workshop:
    """A workshop with one definition; every test brings the stages before its own."""
    shop = Workshop(tmp_path_factory.mktemp("stages"), dodo)
    shop.source("hello", program())
    shop.define("demo", DEFINITION)
    return shop


def made(shop: Workshop, stage: str) -> Path:
    """Run one stage with all that it needs, and return the image's folder."""
    ended = shop.doit(f"{stage}:demo")
    assert ended.status == 0, ended.err
    return shop.image("demo")


def info(shop: Workshop, stage: str) -> dict[str, list[str]]:
    """Return what `doit info` lists under each heading, with short paths."""
    ended = shop.doit("info", f"{stage}:demo")
    assert ended.err == ""
    found: dict[str, list[str]] = {}
    heading = ""
    for line in ended.out.splitlines():
        if line.startswith(" - "):
            found[heading].append(line[3:].replace(f"{shop.image('demo')}/", ""))
        elif " : " in line:
            heading = line.partition(":")[0].strip()
            found[heading] = []
    return found


DEPENDENCIES: dict[str, tuple[list[str], list[str]]] = {
    "rootfs": (["DEFINITION"], ["rootfs.json"]),
    "binaries": (["HELLO", "rootfs.json"], ["binaries.json"]),
    "libraries": (["HELLO", "binaries.json", "rootfs.json"], ["libraries.json"]),
    "layer": (["binaries.json", "libraries.json", "rootfs.json"], ["demo-image.tar"]),
    "digest": (["demo-image.tar"], ["demo-image.tar.sha256"]),
    "config": (
        ["DEFINITION", "binaries.json", "demo-image.tar.sha256", "libraries.json", "rootfs.json"],
        ["config.json"],
    ),
    "manifest": (["DEFINITION"], ["manifest.json"]),
    "archive": (["config.json", "demo-image.tar", "manifest.json"], ["demo.tar"]),
    "load": (["demo.tar"], ["load.json"]),
    "verify": (["load.json"], []),
}


@pytest.mark.parametrize("stage", DEPENDENCIES)
def test_info_tells_what_a_stage_reads_and_makes(shop: Workshop, stage: str) -> None:
    reads, makes = DEPENDENCIES[stage]
    names = {"DEFINITION": f"{shop.configs}/demo.toml", "HELLO": f"{shop.src}/hello"}
    found = info(shop, stage)
    assert sorted(found["file_dep"]) == sorted(names.get(name, name) for name in reads)
    assert found.get("targets", []) == makes


def test_1_rootfs_makes_the_directories(shop: Workshop) -> None:
    folder = made(shop, "rootfs")
    assert sorted(path.name for path in (folder / "rootfs").iterdir()) == ["bin", "dev", "lib64"]
    items = ",\n    ".join(
        ENTRY.format(path, "directory", "0755", f"directories[{number}]", "")
        for number, path in ((1, "/bin"), (0, "/dev"), (2, "/lib64"))
    )
    assert (folder / "rootfs.json").read_text() == f'{{\n  "entries": [\n    {items}\n  ]\n}}\n'


def test_2_binaries_copies_the_programs(shop: Workshop) -> None:
    folder = made(shop, "binaries")
    assert (folder / "rootfs/bin/hello").read_bytes() == program()
    assert (folder / "rootfs/bin/hello").stat().st_mode & 0o7777 == 0o755
    item = ENTRY.format("/bin/hello", "file", "0755", "binaries[0]", f', "source": "{shop.src}/hello"')
    assert (folder / "binaries.json").read_text() == (
        f'{{\n  "architecture": "amd64",\n  "entries": [\n    {item}\n  ]\n}}\n'
    )


def test_3_libraries_finds_none_for_a_static_program(shop: Workshop) -> None:
    folder = made(shop, "libraries")
    assert (folder / "libraries.json").read_text() == '{\n  "notes": [],\n  "entries": []\n}\n'


def test_4_layer_is_a_tar_of_the_tree_and_nothing_else(shop: Workshop) -> None:
    folder = made(shop, "layer")
    with tarfile.open(folder / "demo-image.tar") as layer:
        members = [(m.name, m.type, m.mode, m.uid, m.gid, m.uname, m.gname, m.mtime) for m in layer]
    time = 1718668800
    assert members == [
        ("bin", b"5", 0o755, 0, 0, "", "", time),
        ("bin/hello", b"0", 0o755, 0, 0, "", "", time),
        ("dev", b"5", 0o755, 0, 0, "", "", time),
        ("lib64", b"5", 0o755, 0, 0, "", "", time),
    ]
    size = (folder / "demo-image.tar").stat().st_size
    assert size % 512 == 0
    assert not any((folder / "demo-image.tar").read_bytes()[-1024:])


def test_5_digest_is_what_sha256sum_writes(shop: Workshop) -> None:
    folder = made(shop, "digest")
    digest = hashlib.sha256((folder / "demo-image.tar").read_bytes()).hexdigest()
    assert (folder / "demo-image.tar.sha256").read_text() == f"{digest}  demo-image.tar\n"


def test_6_config_is_the_tutorials(shop: Workshop) -> None:
    folder = made(shop, "config")
    digest = (folder / "demo-image.tar.sha256").read_text().split()[0]
    text = (folder / "config.json").read_text()
    assert json.loads(text) == {
        "created": "2024-06-18T00:00:00Z",
        "author": "yai_yang",
        "architecture": "amd64",
        "os": "linux",
        "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/bin/hello"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{digest}"]},
        "history": [{"created": "2024-06-18T00:00:00Z", "created_by": "yai_yang"}],
    }


def test_7_manifest_names_config_layer_and_tag(shop: Workshop) -> None:
    folder = made(shop, "manifest")
    assert json.loads((folder / "manifest.json").read_text()) == [
        {"Config": "config.json", "RepoTags": ["demo:v1"], "Layers": ["demo-image.tar"]}
    ]


def test_8_archive_holds_the_three_files_as_they_are(shop: Workshop) -> None:
    folder = made(shop, "archive")
    with tarfile.open(folder / "demo.tar") as archive:
        members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        read = {name: file.read() for name, file in members.items() if file is not None}
    assert sorted(read) == ["config.json", "demo-image.tar", "manifest.json"]
    for name, data in read.items():
        assert data == (folder / name).read_bytes()
    with tarfile.open(fileobj=io.BytesIO(read["demo-image.tar"])) as layer:
        assert layer.getnames() == ["bin", "bin/hello", "dev", "lib64"]


def test_the_image_id_of_the_last_line_is_the_configs_digest(shop: Workshop) -> None:
    ended = shop.build()
    config = (shop.image("demo") / "config.json").read_bytes()
    size = shop.archive("demo").stat().st_size
    line = ended.out.splitlines()[-1]
    assert line.startswith(f"demo:v1  {sha256(config)[7:19]}  {size / 1000:.1f} kB  1 layer  ")


@pytest.mark.engine("unshare")
def test_9_and_10_load_and_verify_run_the_image(shop: Workshop) -> None:
    with (shop.configs / "demo.toml").open("a") as file:
        file.write('[verify]\nstdout = "hello\\n"\n')
    ended = shop.doit("verify", "engine=sandbox")
    assert (ended.status, ended.err) == (0, "")
    assert ended.stages("demo")[-2:] == ["load", "verify"]
    assert "hello" in ended.out.splitlines()
    assert json.loads((shop.image("demo") / "load.json").read_text())["engine"] == "sandbox"
    again = shop.doit("verify", "engine=sandbox")
    assert again.stages("demo") == ["verify"]
    shutil.rmtree(shop.image("demo") / "sandbox")
    lost = shop.doit("verify", "engine=sandbox")
    assert lost.stages("demo") == ["load", "verify"]
    assert lost.reasons["load:demo"].endswith("sandbox no longer has demo:v1")


def test_a_build_needs_no_engine_and_load_says_what_is_missing(shop: Workshop) -> None:
    for variables in (
        {"DOCKER_HOST": "unix:///nowhere/docker.sock"},
        {"DOCKER_CONTEXT": "nowhere"},
        {"PATH": "/nowhere"},
    ):
        (shop.image("demo") / "config.json").unlink(missing_ok=True)
        assert "config" in shop.build(env=variables).stages("demo")
    ended = shop.doit("load", env={"DOCKER_HOST": "unix:///nowhere/docker.sock"})
    assert ended.status
    assert "unix:///nowhere/docker.sock" in ended.err
    assert "DOCKER_HOST" in ended.err
    assert "Traceback" not in ended.err


def test_what_doit_would_forget_or_ignore_does_not_make_an_image_stale(shop: Workshop) -> None:
    shop.build()
    for command in ("ignore", "reset-dep", "forget"):
        (shop.image("demo") / "demo-image.tar").write_bytes(b"not this")
        assert shop.doit(command, "layer:demo").status == 0
        assert shop.build().stages("demo") == ["layer"]
        assert shop.build().ran == []


def test_two_caches_know_nothing_of_each_other(shop: Workshop) -> None:
    shop.build()
    other = Workshop(shop.folder, shop.dodo)
    command = ("build", f"cache={shop.folder}/second")
    first = [*other.command("build")[:-1], command[1]]
    env = environment(DOIT_FILE=str(shop.dodo))
    assert run(first, env, shop.folder).stages("demo") == list(BUILT)
    kept = (shop.src / "hello").read_bytes()
    shop.source("hello", program("second\n"))
    assert "binaries" in run(first, env, shop.folder).stages("demo")
    assert (shop.folder / "second/demo/demo.tar").read_bytes() != shop.archive("demo").read_bytes()
    shop.source("hello", kept)
    assert shop.build().ran == []
    assert "binaries" in run(first, env, shop.folder).stages("demo")
    assert (shop.folder / "second/demo/demo.tar").read_bytes() == shop.archive("demo").read_bytes()


def test_a_definition_with_another_name_is_another_image(shop: Workshop) -> None:
    shop.build()
    first = shop.archive("demo").read_bytes()
    (shop.configs / "demo.toml").rename(shop.configs / "other.toml")
    assert shop.build().stages("other") == list(BUILT)
    assert not shop.image("demo").exists()
    (shop.configs / "other.toml").rename(shop.configs / "demo.toml")
    assert shop.build().stages("demo") == list(BUILT)
    assert not shop.image("other").exists()
    assert shop.archive("demo").read_bytes() == first


def test_list_is_the_table_of_contents(shop: Workshop) -> None:
    ended = shop.doit("list", "--all")
    titles = [
        ("build", "Make every image, up to its archive; build:NAME one of them."),
        ("rootfs", "1. mkdir: the directories that the definition names."),
        ("binaries", "2. cp: programs and files."),
        ("libraries", "3. ldd, cp: the libraries that they need, and the dynamic linker."),
        ("layer", "4. tar: the staged tree as a layer."),
        ("digest", "5. sha256sum: the layer's digest."),
        ("config", "6. config.json: how the image runs."),
        ("manifest", "7. manifest.json: what the image is called and made of."),
        ("archive", "8. tar: the archive that engines load."),
        ("load", "9. docker load: the image in an engine."),
        ("verify", "10. docker run: the image runs, and says what it should."),
    ]
    width = len("libraries:demo")
    lines = [
        line for name, text in titles for line in (f"{name:<{width}}   {text}", f"{name + ':demo':<{width}}   demo:v1")
    ]
    assert [line.rstrip() for line in ended.out.splitlines()] == lines
    short = shop.doit("list")
    assert [line.split()[0] for line in short.out.splitlines()] == [name for name, _ in titles]
    assert (ended.err, short.err) == ("", "")


def test_help_of_a_task_says_what_it_does_and_what_one_may_type(shop: Workshop) -> None:
    ended = shop.doit("help", "build")
    assert ended.status == 0
    assert "Make every image" in ended.out
    assert "doit build:NAME" in ended.out
    assert "clean build:NAME" in ended.out
    for variable in ("configs=", "cache=", "engine="):
        assert variable in ended.out


def test_info_tells_why_a_stage_would_run(shop: Workshop) -> None:
    shop.build()
    assert "up-to-date" in shop.doit("info", "layer:demo").out
    (shop.image("demo") / "demo-image.tar").unlink()
    ended = shop.doit("info", "layer:demo")
    assert "demo-image.tar was a file, is absent" in ended.out
    shop.build()


def test_verbosity(shop: Workshop) -> None:
    shop.build()
    quiet, usual, loud = (shop.doit("-v", level, "build") for level in "012")
    assert (len(quiet.out.splitlines()), len(usual.out.splitlines())) == (1, 1)
    assert [line.split()[0] for line in loud.out.splitlines()[:-1]] == list(BUILT)
    (shop.image("demo") / "manifest.json").unlink()
    assert shop.doit("-v", "0", "build").ran == []
    (shop.image("demo") / "manifest.json").unlink()
    assert shop.doit("-v", "1", "build").stages("demo") == ["manifest"]


def test_a_pipe_gets_plain_lines_only(shop: Workshop) -> None:
    shop.doit("clean")
    ended = shop.doit("build", env={"TERM": "xterm-256color", "COLUMNS": "40"})
    assert ended.out.replace("\n", "").isprintable()
    assert len(ended.out.splitlines()) == len(BUILT) + 1
    assert all(line == line.rstrip() for line in ended.out.splitlines())


def test_json_for_machines(shop: Workshop) -> None:
    ended = shop.doit("-r", "json", "build")
    assert ended.status == 0
    results = {task["name"]: task["result"] for task in json.loads(ended.out)["tasks"]}
    assert results["archive:demo"] == "up-to-date"


def test_definitions_that_cannot_be_written_to_are_enough(shop: Workshop) -> None:
    before = shop.build() and shop.digests()
    shop.configs.chmod(0o555)
    shop.src.chmod(0o555)
    try:
        shop.doit("clean")
        shop.build()
    finally:
        shop.configs.chmod(0o755)
        shop.src.chmod(0o755)
    assert shop.digests() == before
    assert [path.name for path in shop.configs.iterdir()] == ["demo.toml"]


def test_folders_are_relative_to_where_one_stands(shop: Workshop) -> None:
    shop.build()
    (shop.folder / "stand/here").mkdir(parents=True)
    command = [shop.python, "-m", "doit", "build", "configs=../../configs", "cache=../../cache"]
    ended = run(command, environment(DOIT_FILE=str(shop.dodo)), shop.folder / "stand/here")
    assert (ended.status, ended.ran, ended.err) == (0, [], "")
    assert list((shop.folder / "stand/here").iterdir()) == []
    left = {path.name for path in shop.dodo.parent.iterdir()} - {"__pycache__"}
    assert left == {"dodo.py", "tasks", "scratchbuild"}


def test_a_variable_that_nobody_knows_is_refused(shop: Workshop) -> None:
    ended = shop.doit("build", "cahce=x")
    assert ended.status
    assert "cache=" in ended.err
    assert "Traceback" not in ended.err
