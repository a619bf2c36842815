"""Names with values: the environment and the labels (OCI image-spec, config.md, "Env" and "Labels")."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scratchbuild.spec.field import Field, convert_all, describe, join, quote, twice

if TYPE_CHECKING:
    from scratchbuild.errors import ScratchbuildError


def env(field: Field) -> tuple[tuple[str, str], ...]:
    """Return names and values in the order written, from a table or an array of `NAME=value`.

    Raises ScratchbuildError for names that are empty, twice there, or hold `=` or NUL, and for values other than
    strings.
    """
    if isinstance(field.value, list):
        pairs = field.each(_assignment)
        twice(field.items(), [name for name, _ in pairs], "variable")
        return pairs
    return convert_all(field.entries('a table of strings, or an array of "NAME=value"').values(), _variable)


def labels(field: Field) -> tuple[tuple[str, str], ...]:
    """Return labels and their values in the order written. Raises ScratchbuildError as `env` does; `=` is fine."""
    return convert_all(field.entries("a table of strings").values(), _pair)


def _assignment(field: Field) -> tuple[str, str]:
    text = field.text()
    name, equals, value = text.partition("=")
    if not equals:
        raise field.error(f'{quote(text)} has no "="', f"Write {quote(text + '=value')}, or leave it out.")
    if not name:
        raise field.error(f"{quote(text)} has no name", 'Write "NAME=value".')
    return name, value


def _variable(field: Field) -> tuple[str, str]:
    name, value = _pair(field)
    if "=" in name:
        raise field.error('the name of a variable cannot hold "="', f"Write it like this: {field.example}")
    return name, value


def _pair(field: Field) -> tuple[str, str]:
    if not field.name or "\0" in field.name:
        raise field.error(
            "the name holds a NUL byte" if field.name else "the name is empty", f"Write it like this: {field.example}"
        )
    if isinstance(field.value, dict):
        raise _dotted(field)
    if isinstance(field.value, bool | int | float):
        shown = describe(field.value)
        value = shown.rpartition(" ")[2] if shown != describe(1 << 65) else "..."
        raise field.error(f"expected a string, got {shown}", f'Write it in quotes: {join("", field.name)} = "{value}"')
    return field.name, field.text()


def _dotted(field: Field) -> ScratchbuildError:
    """Return the error for `org.example.title = "x"`, which TOML takes for tables in tables."""
    dotted, value = field.name, field.value
    while isinstance(value, dict) and value:
        inner = next(iter(value))
        dotted, value = f"{dotted}.{inner}", value[inner]
    return field.error(
        "expected a string, got a table: in TOML a dot outside quotes starts one",
        f'Write the whole name in quotes: {quote(dotted)} = "..."',
    )
