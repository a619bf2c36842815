"""How the image runs: keys that become its config (OCI image-spec, config.md, "Properties")."""

from __future__ import annotations

from scratchbuild.errors import ScratchbuildError, raise_all
from scratchbuild.spec import paths, times
from scratchbuild.spec.definition import Healthcheck, Verify
from scratchbuild.spec.field import Field, describe, quote, twice

# Names of signal(7), without SIG.
_NAMED = (
    "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP "
    "TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX"
)
_SIGNALS = frozenset(_NAMED.split())
_REALTIME = {"RTMIN+": 15, "RTMAX-": 14}
MOST_SIGNAL = 64
_PROTOCOLS = ("tcp", "udp", "sctp")
MOST_PORT = 65535
_MOST_DIGITS = 5
MOST_RETRIES = 2**31 - 1
MOST_STATUS = 255
# A day, in seconds: nothing that answers a check takes longer.
MOST_TIMEOUT = 86400


def arguments(field: Field) -> tuple[str, ...]:
    """Return an argument vector. Raises ScratchbuildError for a string: nothing here splits it as a shell would."""
    if isinstance(field.value, str):
        vector = ", ".join(quote(word) for word in _words(field.value))
        raise field.error(
            f"expected an array of strings, got the string {quote(field.value)}, which no shell would split",
            f"Write one string for each argument: {field.name} = [{vector}]",
        )
    return field.each(Field.text, "an array of strings")


def _words(text: str) -> list[str]:
    import shlex  # noqa: PLC0415 - only for a mistake

    try:
        return shlex.split(text)
    except ValueError:
        return text.split()


def command(field: Field) -> tuple[str, ...]:
    """Return an argument vector that begins with a program, or an empty one. Raises ScratchbuildError."""
    vector = arguments(field)
    if vector and not vector[0]:
        raise field.items()[0].error("the program's name is empty", f"Write it like this: {field.example}")
    return vector


def exposed_ports(field: Field) -> tuple[str, ...]:
    """Return ports as `80/tcp`, ranges such as `8000-8010/udp` one by one.

    Raises ScratchbuildError, for a port that is there twice too.
    """
    found: list[str] = []
    first: dict[str, str] = {}
    errors = []
    for item in field.items("an array of ports"):
        try:
            for port in _ports(item):
                if port in first:
                    raise item.error(f"{port} is also in {first[port]}", "Leave one of them out.")
                first[port] = item.key
                found.append(port)
        except ScratchbuildError as error:
            errors.append(error)
    raise_all(errors)
    return tuple(found)


def _ports(field: Field) -> list[str]:
    value = field.value
    text = (
        str(field.integer(1, MOST_PORT))
        if isinstance(value, int) and not isinstance(value, bool)
        else field.text("a port")
    )
    numbers, slash, protocol = text.partition("/")
    low, dash, high = numbers.partition("-")
    protocol = protocol.lower() if slash else "tcp"
    first, last = _port(low), _port(high if dash else low)
    if protocol not in _PROTOCOLS or not 1 <= first <= last <= MOST_PORT:
        raise field.error(
            f"{quote(text)} is not a port",
            f'Write a number from 1 to {MOST_PORT}, and "/udp" or "/sctp" if it is not tcp: [80, "53/udp"].',
        )
    return [f"{port}/{protocol}" for port in range(first, last + 1)]


def _port(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else 0


def volumes(field: Field) -> tuple[str, ...]:
    """Return directories of the image that hold data of the container's own. Raises ScratchbuildError."""
    found = field.each(paths.below_root, "an array of paths")
    twice(field.items(), found, "volume")
    return found


def stop_signal(field: Field) -> str:
    """Return a signal's name with SIG, or its number. Raises ScratchbuildError for one that Linux does not have."""
    if isinstance(field.value, int) and not isinstance(field.value, bool):
        return str(field.integer(1, MOST_SIGNAL))
    text = field.text("a signal")
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS and 1 <= int(text) <= MOST_SIGNAL:
        return str(int(text))
    name = text.upper().removeprefix("SIG")
    if name in _SIGNALS:
        return f"SIG{name}"
    for base, most in _REALTIME.items():
        if name.startswith(base) and 1 <= _port(name.removeprefix(base)) <= most:
            return f"SIG{base}{_port(name.removeprefix(base))}"
    raise field.error(
        f"{quote(text)} is not a signal", f'Write its name, such as "SIGTERM", or its number, 1 to {MOST_SIGNAL}.'
    )


def _health_test(field: Field) -> tuple[str, ...]:
    if isinstance(field.value, str):
        if not field.text():
            raise field.error("the command is empty", f"Write it like this: {field.example}")
        return ("CMD-SHELL", field.text())
    if not isinstance(field.value, list):
        raise field.wrong("an array of strings, or a string for the image's shell")
    vector = command(field)
    if not vector:
        raise field.error("the command is empty", f"Write it like this: {field.example}")
    if vector[0] in {"CMD", "CMD-SHELL", "NONE"}:
        raise field.error(
            f"{quote(vector[0])} is not a program",
            "Write an array for a program and its arguments, a string for a shell, and no healthcheck for none.",
        )
    return ("CMD", *vector)


_HEALTHCHECK = {
    "command": _health_test,
    "interval": times.duration,
    "timeout": times.duration,
    "start_period": times.duration,
    "retries": lambda field: field.integer(1, MOST_RETRIES),
}


def healthcheck(field: Field) -> Healthcheck:
    """Return Docker's health check (moby, image spec v1.2, "Healthcheck"). Raises ScratchbuildError."""
    values = field.record(_HEALTHCHECK, ("command",))
    return Healthcheck(test=values.pop("command"), **values)


def _timeout(field: Field) -> float:
    value = field.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise field.wrong("a number of seconds")
    if not 0 < value <= MOST_TIMEOUT:
        raise field.error(f"expected more than 0 and at most {MOST_TIMEOUT} seconds, got {describe(value)}")
    return float(value)


_VERIFY = {
    "arguments": arguments,
    "stdout": lambda field: field.text(),
    "status": lambda field: field.integer(0, MOST_STATUS),
    "timeout": _timeout,
}


def verify(field: Field) -> Verify:
    """Return how the finished image is tried. Raises ScratchbuildError."""
    return Verify(**field.record(_VERIFY))
