"""How the image runs: arguments, environment, labels, ports, signals, health checks, and the check of its output."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scratchbuild.spec.definition import Healthcheck, Verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from scratchbuild.spec import Definition


def test_arguments_are_arrays(defined: Callable[..., Definition]) -> None:
    found = defined('entrypoint = ["/bin/hello", ""]\ncmd = ["--name", "a b"]')
    assert (found.entrypoint, found.cmd) == (("/bin/hello", ""), ("--name", "a b"))


def test_no_entrypoint_is_not_an_empty_one(defined: Callable[..., Definition]) -> None:
    assert defined("").entrypoint is None
    assert defined("entrypoint = []").entrypoint == ()


@pytest.mark.parametrize("key", ["entrypoint", "cmd", "verify.arguments"])
def test_a_command_in_one_string_is_refused_with_the_array_it_means(
    refused: Callable[..., list[str]], key: str
) -> None:
    name = key.rpartition(".")[2]
    assert refused(f"""{key} = "/bin/sh -c 'echo x'" """) == [
        (
            f"{key}: expected an array of strings, got the string \"/bin/sh -c 'echo x'\", which no shell would split\n"
            f'  Write one string for each argument: {name} = ["/bin/sh", "-c", "echo x"]'
        )
    ]
    assert refused(f'{key} = "it\'s"')[0].endswith(f'{name} = ["it\'s"]')


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            'entrypoint = ["", "x"]',
            (
                "entrypoint[0]: the program's name is empty\n"
                '  Write it like this: entrypoint = ["/bin/hello", "--verbose"]'
            ),
        ),
        ('cmd = ["a\\u0000"]', 'cmd[0]: "a\\x00" holds a NUL byte\n  Leave it out: no system call takes one.'),
        ("cmd = [5]", 'cmd[0]: expected a string, got the integer 5\n  Write it like this: cmd = ["--help"]'),
        ("cmd = 5", 'cmd: expected an array of strings, got the integer 5\n  Write it like this: cmd = ["--help"]'),
    ],
)
def test_arguments_that_no_program_can_get_are_refused(
    refused: Callable[..., list[str]], text: str, error: str
) -> None:
    assert refused(text) == [error]


def test_the_environment_keeps_its_order(defined: Callable[..., Definition]) -> None:
    expected = (("PATH", "/bin"), ("A", ""), ("Z.y", "a=b\nc"))
    assert defined('env = { PATH = "/bin", A = "", "Z.y" = "a=b\\nc" }').env == expected
    assert defined('env = ["PATH=/bin", "A=", "Z.y=a=b\\nc"]').env == expected


@pytest.mark.parametrize(
    ("env", "error"),
    [
        ("{ PORT = 80 }", 'env.PORT: expected a string, got the integer 80\n  Write it in quotes: PORT = "80"'),
        ("{ ON = true }", 'env.ON: expected a string, got true\n  Write it in quotes: ON = "true"'),
        ("{ X = 1.5 }", 'env.X: expected a string, got the number 1.5\n  Write it in quotes: X = "1.5"'),
        ('{ X = "a\\u0000" }', 'env.X: "a\\x00" holds a NUL byte\n  Leave it out: no system call takes one.'),
        (
            '{ "" = "x" }',
            'env."": the name is empty\n  Write it like this: env = { PATH = "/bin", LANG = "C.UTF-8" }',
        ),
        (
            '{ "A=B" = "x" }',
            (
                'env."A=B": the name of a variable cannot hold "="\n'
                '  Write it like this: env = { PATH = "/bin", LANG = "C.UTF-8" }'
            ),
        ),
        (
            '{ "A\\u0000" = "x" }',
            'env."A\\x00": the name holds a NUL byte\n  Write it like this: env = { PATH = "/bin", LANG = "C.UTF-8" }',
        ),
        ('["PATH"]', 'env[0]: "PATH" has no "="\n  Write "PATH=value", or leave it out.'),
        ('["=x"]', 'env[0]: "=x" has no name\n  Write "NAME=value".'),
        ('["A=1", "B=2", "A=1"]', "env[2]: the same variable as env[0]: A\n  Leave one of them out."),
        (
            '"A=1"',
            (
                'env: expected a table of strings, or an array of "NAME=value", got the string "A=1"\n'
                '  Write it like this: env = { PATH = "/bin", LANG = "C.UTF-8" }'
            ),
        ),
    ],
)
def test_an_environment_that_no_program_can_get_is_refused(
    refused: Callable[..., list[str]], env: str, error: str
) -> None:
    assert refused(f"env = {env}") == [error]


def test_labels_are_strings_of_any_lines(defined: Callable[..., Definition]) -> None:
    text = '[labels]\n"org.example.b" = "x\\ny"\na = ""\n"c=d" = "e"'
    assert defined(text).labels == (("org.example.b", "x\ny"), ("a", ""), ("c=d", "e"))


def test_a_label_whose_dots_are_outside_quotes_is_told_how_to_write_it(refused: Callable[..., list[str]]) -> None:
    assert refused('[labels]\norg.opencontainers.image.title = "x"') == [
        (
            "labels.org: expected a string, got a table: in TOML a dot outside quotes starts one\n"
            '  Write the whole name in quotes: "org.opencontainers.image.title" = "..."'
        )
    ]


def test_ports_have_a_protocol(defined: Callable[..., Definition]) -> None:
    text = 'exposed_ports = [80, "81", "53/UDP", "8000-8002/sctp", "65535/tcp"]'
    assert defined(text).exposed_ports == (
        "80/tcp", "81/tcp", "53/udp", "8000/sctp", "8001/sctp", "8002/sctp", "65535/tcp",
    )  # fmt: skip


@pytest.mark.parametrize(
    "port", ["", "0", "65536", "80/", "80/icmp", "8080:80", "90-80", "80-", "-80", " 80", "99999999", "\u0668"]
)
def test_what_is_no_port_is_refused(refused: Callable[..., list[str]], port: str) -> None:
    assert refused(f'exposed_ports = ["{port}"]') == [
        (
            f'exposed_ports[0]: "{port}" is not a port\n'
            '  Write a number from 1 to 65535, and "/udp" or "/sctp" if it is not tcp: [80, "53/udp"].'
        )
    ]


def test_each_bad_port_is_told(refused: Callable[..., list[str]]) -> None:
    assert refused('exposed_ports = [0, 1.5, "80", 80, "79-81"]') == [
        "exposed_ports[0]: expected an integer from 1 to 65535, got the integer 0",
        'exposed_ports[1]: expected a port, got the number 1.5\n  Write it like this: exposed_ports = [80, "53/udp"]',
        "exposed_ports[3]: 80/tcp is also in exposed_ports[2]\n  Leave one of them out.",
        "exposed_ports[4]: 80/tcp is also in exposed_ports[2]\n  Leave one of them out.",
    ]


def test_volumes_are_directories_of_the_image(
    defined: Callable[..., Definition], refused: Callable[..., list[str]]
) -> None:
    assert defined('volumes = ["/data", "/var//lib/x/"]').volumes == ("/data", "/var/lib/x")
    assert refused('volumes = ["data", "/", "/../x"]') == [
        'volumes[0]: "data" is not an absolute path in the image\n  Write "/data".',
        'volumes[1]: "/" is the root directory itself\n  Name something in it.',
        'volumes[2]: "/../x" has ".." in it, which could leave the image\n  Write the path without it.',
    ]
    assert refused('volumes = ["/data", "//data"]') == [
        "volumes[1]: the same volume as volumes[0]: /data\n  Leave one of them out."
    ]


def test_the_working_directory_is_absolute(
    defined: Callable[..., Definition], refused: Callable[..., list[str]]
) -> None:
    assert defined("").workdir == "/"
    assert defined('workdir = "/srv/"').workdir == "/srv"
    assert refused('workdir = "srv"') == ['workdir: "srv" is not an absolute path in the image\n  Write "/srv".']


@pytest.mark.parametrize(
    ("written", "signal"),
    [
        ('"SIGTERM"', "SIGTERM"),
        ('"int"', "SIGINT"),
        ('"SIGRTMIN+3"', "SIGRTMIN+3"),
        ('"rtmax-14"', "SIGRTMAX-14"),
        ('"9"', "9"),
        ("64", "64"),
    ],
)
def test_a_signal_has_a_name_or_a_number(defined: Callable[..., Definition], written: str, signal: str) -> None:
    assert defined(f"stop_signal = {written}").stop_signal == signal


@pytest.mark.parametrize(
    "signal", ["", "SIG", "SIGFOO", "0", "65", "-9", "RTMIN+16", "RTMIN+", "RTMAX-0", "SIGTERM\\n"]
)
def test_what_is_no_signal_is_refused(refused: Callable[..., list[str]], signal: str) -> None:
    assert refused(f'stop_signal = "{signal}"') == [
        f'stop_signal: "{signal}" is not a signal\n  Write its name, such as "SIGTERM", or its number, 1 to 64.'
    ]


def test_a_health_check_is_a_program_or_a_line_for_the_shell(defined: Callable[..., Definition]) -> None:
    text = """healthcheck = { command = ["/bin/ok", "-q"], interval = "1m30s", timeout = "1.5s", start_period = "250ms",
    retries = 3 }""".replace("\n", "")
    assert defined(text).healthcheck == Healthcheck(
        ("CMD", "/bin/ok", "-q"), 90_000_000_000, 1_500_000_000, 250_000_000, 3
    )
    assert defined('healthcheck.command = "ok || exit 1"').healthcheck == Healthcheck(("CMD-SHELL", "ok || exit 1"))
    assert defined("").healthcheck is None


@pytest.mark.parametrize(
    ("duration", "nanoseconds"),
    [
        ("1h", 3_600_000_000_000),
        ("1h2m3s4ms5us6ns", 3_723_004_005_006),
        ("1000\u00b5s", 1_000_000),
        ("1000\u03bcs", 1_000_000),
        (".5s", 500_000_000),
        ("2.s", 2_000_000_000),
        ("9223372036854775807ns", 2**63 - 1),
    ],
)
def test_durations_are_written_as_in_go(defined: Callable[..., Definition], duration: str, nanoseconds: int) -> None:
    health = defined(f'healthcheck = {{ command = ["x"], interval = "{duration}" }}').healthcheck
    assert health is not None
    assert health.interval == nanoseconds


@pytest.mark.parametrize("duration", ["", "30", "s", "1d", "-1s", "1 s", "1.2.3s", ".s", "1S", "1s ", "9" * 50 + "s"])
def test_what_is_no_duration_is_refused(refused: Callable[..., list[str]], duration: str) -> None:
    assert refused(f'healthcheck = {{ command = ["x"], interval = "{duration}" }}') == [
        (
            f'healthcheck.interval: "{duration}" is not a duration\n'
            '  Write numbers with units (h, m, s, ms), such as "30s" or "1m30s".'
        )
    ]


@pytest.mark.parametrize("duration", ["0s", "999us", "9223372036854775808ns", "9999999999h"])
def test_a_duration_that_engines_do_not_take_is_refused(refused: Callable[..., list[str]], duration: str) -> None:
    assert refused(f'healthcheck = {{ command = ["x"], timeout = "{duration}" }}') == [
        (
            f'healthcheck.timeout: "{duration}" is not from 1ms to 292 years\n'
            "  Leave the key out for the engine's own default."
        )
    ]


@pytest.mark.parametrize(
    ("number", "what"),
    [("30", "30 has no unit"), ("1.5", "1.5 has no unit"), ("inf", "a number has no unit"), ("nan", "a number has no")],
)
def test_a_duration_without_a_unit_is_refused(refused: Callable[..., list[str]], number: str, what: str) -> None:
    (error,) = refused(f'healthcheck = {{ command = ["x"], interval = {number} }}')
    assert error.startswith(f"healthcheck.interval: {what}")
    assert error.endswith('\n  Write it as a string with its unit, such as "30s" or "1m30s".')


def test_a_health_check_needs_a_command_of_its_own(refused: Callable[..., list[str]]) -> None:
    mend = 'Write it like this: healthcheck = { command = ["/bin/hello", "--check"], interval = "30s" }'
    assert refused('healthcheck = { interval = "1s" }') == [f'healthcheck: "command" is missing\n  {mend}']
    assert refused("healthcheck.command = 5") == [
        (
            "healthcheck.command: expected an array of strings, or a string for the image's shell, got the integer 5\n"
            f"  {mend}"
        )
    ]
    assert refused("healthcheck.command = []") == [f"healthcheck.command: the command is empty\n  {mend}"]
    assert refused('healthcheck.command = ""') == [f"healthcheck.command: the command is empty\n  {mend}"]
    for word in ("CMD", "CMD-SHELL", "NONE"):
        assert refused(f'healthcheck.command = ["{word}", "x"]') == [
            (
                f'healthcheck.command: "{word}" is not a program\n  Write an array for a program and its arguments, '
                "a string for a shell, and no healthcheck for none."
            )
        ]
    assert refused('healthcheck = { command = ["x"], retries = 0 }') == [
        "healthcheck.retries: expected an integer from 1 to 2147483647, got the integer 0"
    ]


def test_what_the_image_must_print(defined: Callable[..., Definition]) -> None:
    text = '[verify]\narguments = ["-c", "echo hello"]\nstdout = "hello\\n"\nstatus = 3\ntimeout = 0.5'
    assert defined(text).verify == Verify(("-c", "echo hello"), "hello\n", 3, 0.5)
    assert defined("").verify == Verify((), None, 0, 30.0)


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("status = 256", "verify.status: expected an integer from 0 to 255, got the integer 256"),
        ("status = -1", "verify.status: expected an integer from 0 to 255, got the integer -1"),
        ("timeout = 0", "verify.timeout: expected more than 0 and at most 86400 seconds, got the integer 0"),
        ("timeout = nan", "verify.timeout: expected more than 0 and at most 86400 seconds, got the number nan"),
        ("timeout = inf", "verify.timeout: expected more than 0 and at most 86400 seconds, got the number inf"),
    ],
)
def test_what_no_program_does_cannot_be_expected(refused: Callable[..., list[str]], line: str, error: str) -> None:
    assert refused(f"[verify]\n{line}") == [error]


def test_a_wait_is_a_number_of_seconds(refused: Callable[..., list[str]]) -> None:
    for value in ('"30s"', "true"):
        (error,) = refused(f"[verify]\ntimeout = {value}")
        assert error.startswith("verify.timeout: expected a number of seconds, got ")


def test_author_and_comment_are_text(defined: Callable[..., Definition], refused: Callable[..., list[str]]) -> None:
    found = defined('author = "A. Person"\ncomment = "by\\nhand"')
    assert (found.author, found.comment) == ("A. Person", "by\nhand")
    assert refused("author = 5") == [
        'author: expected a string, got the integer 5\n  Write it like this: author = "A. Person"'
    ]
