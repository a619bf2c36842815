"""Image tags, as container engines read them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.errors import ScratchbuildError
from scratchbuild.spec.tags import canonical_tag

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


@pytest.mark.parametrize(
    ("tag", "full"),
    [
        ("hello:v1", "docker.io/library/hello:v1"),
        ("me/hello:V1_x.y-z", "docker.io/me/hello:V1_x.y-z"),
        ("docker.io/hello:v1", "docker.io/library/hello:v1"),
        ("index.docker.io/me/hello:v1", "docker.io/me/hello:v1"),
        ("localhost/hello:v1", "localhost/hello:v1"),
        ("localhost:5000/a/b/c:1", "localhost:5000/a/b/c:1"),
        ("registry.example:443/hello:latest", "registry.example:443/hello:latest"),
        ("ab/c__d---e.f_g:0", "docker.io/ab/c__d---e.f_g:0"),
        ("x:" + "v" * 128, "docker.io/library/x:" + "v" * 128),
    ],
)
def test_the_full_name_is_the_one_an_engine_makes(tag: str, full: str) -> None:
    assert canonical_tag(tag) == full


@pytest.mark.parametrize(
    ("tag", "message"),
    [
        ("hello", '"hello" has no tag\n  Write "hello:latest" or "hello:v1".'),
        ("localhost:5000/hello", '"localhost:5000/hello" has no tag\n  Write "localhost:5000/hello:latest" or'),
        ("", '"" has no tag\n  Write "hello:latest" or "hello:v1".'),
        ("hello:", '"hello:": "" cannot be a tag\n  A tag is 1 to 128 letters'),
        ("hello:-v", '"hello:-v": "-v" cannot be a tag'),
        ("hello:.v", '".v" cannot be a tag'),
        ("hello:v 1", '"v 1" cannot be a tag'),
        ("hello:" + "v" * 129, "cannot be a tag"),
        ("hello:v\u00e9", "cannot be a tag"),
        ("Hello:v1", '"Hello:v1": the name must be lower case\n  Write "hello:v1".'),
        ("Host.Example/x:v1", 'the name must be lower case\n  Write "host.example/x:v1".'),
        (":v1", '":v1": "" cannot be part of a name'),
        ("/hello:v1", '"" cannot be part of a name'),
        ("hello/:v1", '"" cannot be part of a name'),
        ("a//b:v1", '"" cannot be part of a name'),
        ("-a:v1", '"-a" cannot be part of a name'),
        ("a-:v1", '"a-" cannot be part of a name'),
        ("a..b:v1", '"a..b" cannot be part of a name'),
        ("a___b:v1", '"a___b" cannot be part of a name'),
        ("a._b:v1", '"a._b" cannot be part of a name'),
        (" hello:v1", '" hello" cannot be part of a name'),
        ("h\u00e9llo:v1", "cannot be part of a name"),
        ("host.example:/x:v1", 'the registry\'s port must be 1 to 65535, not ""'),
        ("localhost:99999/x:v1", 'the registry\'s port must be 1 to 65535, not "99999"'),
        ("-host.example/x:v1", '"-host.example" is not a registry\'s host name'),
        ("host_a.example/x:v1", '"host_a.example" is not a registry\'s host name'),
        ("host..example/x:v1", '"host..example" is not a registry\'s host name'),
        ("[::1]:5000/x:v1", "port must be"),
        ("hello:v1@sha256:" + "0" * 64, "has a digest, which nobody can choose\n  Write a name and a tag"),
        ("a" * 241 + ":v1", "is 259 characters long, 255 at most"),
    ],
)
def test_what_an_engine_would_refuse_is_refused_with_what_mends_it(tag: str, message: str) -> None:
    with pytest.raises(ScratchbuildError) as caught:
        canonical_tag(tag)
    assert message in str(caught.value)


def test_a_name_may_be_255_characters_long_in_full() -> None:
    assert len(canonical_tag("a" * 237 + ":v1")) == 255 + 3


def test_tags_are_kept_as_written(defined: Callable[..., Definition]) -> None:
    text = 'tags = ["hello:v1", "localhost:5000/hello:v1"]\nbinaries = ["/bin/hello"]'
    assert defined(text, alone=True).tags == ("hello:v1", "localhost:5000/hello:v1")


def test_every_bad_tag_of_the_array_is_told(refused: Callable[..., list[str]]) -> None:
    assert refused('tags = ["Hello:v1", 5, "x:y", "hello"]\nbinaries = ["/b"]', alone=True) == [
        'tags[0]: "Hello:v1": the name must be lower case\n  Write "hello:v1".',
        'tags[1]: expected a string, got the integer 5\n  Write it like this: tags = ["hello:v1"]',
        'tags[3]: "hello" has no tag\n  Write "hello:latest" or "hello:v1".',
    ]


def test_one_tag_written_in_two_ways_is_one_tag_twice(refused: Callable[..., list[str]]) -> None:
    text = 'tags = ["hello:v1", "x:1", "docker.io/library/hello:v1"]\nbinaries = ["/b"]'
    assert refused(text, alone=True) == [
        "tags[2]: the same tag as tags[0]: docker.io/library/hello:v1\n  Leave one of them out."
    ]


def test_an_image_needs_a_tag(refused: Callable[..., list[str]]) -> None:
    assert refused('tags = []\nbinaries = ["/b"]', alone=True) == [
        'tags: an image needs a tag, and the array is empty\n  Write it like this: tags = ["hello:v1"]'
    ]
    assert refused('binaries = ["/b"]', alone=True) == [
        (
            "the key tags is missing: the names that the image gets\n  Two lines are enough:\n"
            '  tags = ["hello:v1"]\n  binaries = ["/path/to/hello"]'
        )
    ]
