"""The image's moment, from the definition or from SOURCE_DATE_EPOCH."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("2024-06-18T00:00:00Z", 1718668800),
        ("2024-06-18 02:00:00+02:00", 1718668800),
        ("2024-06-18T00:00:00.000Z", 1718668800),
        ('"2024-06-18T00:00:00Z"', 1718668800),
        ('"2024-06-17t22:00:00-02:00"', 1718668800),
        ("1718668800", 1718668800),
        ("1970-01-01T00:00:00Z", 0),
        ("9999-12-31T23:59:59Z", 253402300799),
        ("9999-12-31T00:59:59-23:00", 253402300799),
    ],
)
def test_created_is_a_moment_in_whole_seconds(defined: Callable[..., Definition], written: str, seconds: int) -> None:
    assert defined(f"created = {written}").created == seconds


@pytest.mark.parametrize(
    ("written", "error"),
    [
        (
            "2024-06-18T01:02:03",
            (
                "2024-06-18T01:02:03 has no time zone, so it means another moment on each machine\n"
                "  Add Z for UTC: 2024-06-18T01:02:03Z."
            ),
        ),
        (
            '"2024-06-18T01:02:03"',
            (
                "2024-06-18T01:02:03 has no time zone, so it means another moment on each machine\n"
                "  Add Z for UTC: 2024-06-18T01:02:03Z."
            ),
        ),
        ("2024-06-18", "2024-06-18 has no time of day\n  Write 2024-06-18T00:00:00Z."),
        (
            "2024-06-18T01:02:03.5Z",
            (
                "2024-06-18T01:02:03.500000+00:00 has a part of a second, which a layer cannot hold\n"
                "  Write whole seconds."
            ),
        ),
        ("1969-12-31T23:59:59Z", "1969-12-31T23:59:59+00:00 is not from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z"),
        (
            "9999-12-31T23:59:59-00:01",
            "9999-12-31T23:59:59-00:01 is not from 1970-01-01T00:00:00Z to 9999-12-31T23:59:59Z",
        ),
        ("-1", "expected an integer from 0 to 253402300799, got the integer -1"),
        ("253402300800", "expected an integer from 0 to 253402300799, got the integer 253402300800"),
        (
            "01:02:03",
            "expected a date and time, got the time 01:02:03\n  Write it like this: created = 2024-06-18T00:00:00Z",
        ),
        ("true", "expected a date and time, got true\n  Write it like this: created = 2024-06-18T00:00:00Z"),
    ],
)
def test_what_is_no_single_moment_is_refused(refused: Callable[..., list[str]], written: str, error: str) -> None:
    assert refused(f"created = {written}") == [f"created: {error}"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "today",
        "2024",
        "20240618T000000Z",
        "2024-13-01T00:00:00Z",
        "2024-06-18T00:00:60Z",
        "2024-W25-2",
        "2024-06-18T00:00:00Z # x",
        " 2024-06-18T00:00:00Z",
        "2024-06-18T00:00:00Z ",
        "2024-06-18T00:00:00Z\\n",
        "9" * 5000,
    ],
)
def test_a_string_that_rfc_3339_does_not_know_is_refused(refused: Callable[..., list[str]], text: str) -> None:
    (error,) = refused(f'created = "{text}"')
    assert error.startswith('created: "')
    assert error.endswith(" is not a date and time of RFC 3339\n  Write it like this: created = 2024-06-18T00:00:00Z")


def test_without_created_the_environment_says_when(defined: Callable[..., Definition]) -> None:
    assert defined("").created == 0
    for text, seconds in (("0", 0), ("1750000000", 1750000000), ("253402300799", 253402300799), ("007", 7)):
        assert defined("", environment={"SOURCE_DATE_EPOCH": text}).created == seconds


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "-1",
        "+1",
        "1e9",
        "1.0",
        "0x10",
        " 5 ",
        "5\n",
        "1_000",
        "253402300800",
        "99999999999999",
        "\u0665",
        "9" * 5000,
        "\udcff",
    ],
)
def test_an_environment_that_says_no_moment_is_refused(refused: Callable[..., list[str]], text: str) -> None:
    (error,) = refused("", environment={"SOURCE_DATE_EPOCH": text})
    assert error.startswith('environment: SOURCE_DATE_EPOCH is "')
    assert error.endswith(
        ": expected whole seconds since 1970, from 0 to 253402300799\n"
        "  Set it to a number such as 1718668800, unset it, or write created in the definition."
    )
    error.encode()


def test_the_definition_wins_over_the_environment(defined: Callable[..., Definition]) -> None:
    assert defined("created = 5", environment={"SOURCE_DATE_EPOCH": "6"}).created == 5
    assert defined("created = 5", environment={"SOURCE_DATE_EPOCH": "abc"}).created == 5
