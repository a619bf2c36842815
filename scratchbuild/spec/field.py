"""A value of the document and where it stands: what it must be, and errors that name its key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from scratchbuild.errors import ScratchbuildError, raise_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

Converted = TypeVar("Converted")

_BARE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-")
# Longer strings are cut in messages.
_MOST_SHOWN = 80
# TOML's integers; Python's reader takes longer ones, which it then cannot print.
_BITS = 64
_CONTAINERS = {
    (list, True): "an array",
    (list, False): "an empty array",
    (dict, True): "a table",
    (dict, False): "an empty table",
}
_SCALARS = {"int": "integer", "float": "number", "datetime": "date and time", "date": "date", "time": "time"}


class Document(NamedTuple):
    """The file a definition stands in: `path` as given, `name` of the image, the absolute `folder`, its `keys`."""

    path: str
    name: str
    folder: str
    keys: frozenset[str] = frozenset()


class Field:
    """One value with its key path (`files[2].mode`), of which `name` is the last key as it is, without quotes.

    `example` is a right line for the top-level key that it belongs to.
    """

    __slots__ = ("document", "example", "key", "name", "value")

    def __init__(self, value: object, key: str, document: Document, *, name: str = "", example: str = "") -> None:
        self.value = value
        self.key = key
        self.name = name
        self.document = document
        self.example = example

    @property
    def where(self) -> str:
        """The file and the key."""
        return f"{self.document.path}: {self.key}" if self.key else self.document.path

    def error(self, what: str, mend: str = "") -> ScratchbuildError:
        """Return an error about this value."""
        return ScratchbuildError(what, where=self.where, mend=mend)

    def wrong(self, expected: str) -> ScratchbuildError:
        """Return the error that this value is not `expected` (`a string`)."""
        return self.error(f"expected {expected}, got {describe(self.value)}", f"Write it like this: {self.example}")

    def text(self, expected: str = "a string") -> str:
        """Return the value if it is a string without NUL. Raises ScratchbuildError otherwise."""
        if not isinstance(self.value, str):
            raise self.wrong(expected)
        if "\0" in self.value:
            raise self.error(f"{quote(self.value)} holds a NUL byte", "Leave it out: no system call takes one.")
        return self.value

    def integer(self, low: int, high: int) -> int:
        """Return the value if it is an integer from `low` to `high`. Raises ScratchbuildError otherwise."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong(f"an integer from {low} to {high}")
        if not low <= self.value <= high:
            raise self.error(f"expected an integer from {low} to {high}, got {describe(self.value)}")
        return self.value

    def items(self, expected: str = "an array") -> list[Field]:
        """Return the array's values. Raises ScratchbuildError for anything but an array."""
        if not isinstance(self.value, list):
            raise self.wrong(expected)
        return [
            Field(value, f"{self.key}[{index}]", self.document, name=self.name, example=self.example)
            for index, value in enumerate(self.value)
        ]

    def entries(self, expected: str = "a table") -> dict[str, Field]:
        """Return the table's values by key, in the order written. Raises ScratchbuildError for anything but a table."""
        if not isinstance(self.value, dict):
            raise self.wrong(expected)
        return {
            name: Field(value, join(self.key, name), self.document, name=name, example=self.example)
            for name, value in self.value.items()
        }

    def each(self, convert: Callable[[Field], Converted], expected: str = "an array") -> tuple[Converted, ...]:
        """Return the array's values, converted. Raises all the errors that `convert` raised for them."""
        return convert_all(self.items(expected), convert)

    def record(
        self,
        converters: Mapping[str, Callable[[Field], Any]],
        required: Iterable[str] = (),
        expected: str = "a table",
    ) -> dict[str, Any]:
        """Return what each converter made of the table's value of its key; absent keys are absent.

        Raises all errors at once: those of the converters, unknown keys, and `required` keys that are not there.
        """
        entries = self.entries(expected)
        values, errors = convert_known(entries, converters)
        errors.extend(
            self.error(f"{quote(key)} is missing", f"Write it like this: {self.example}")
            for key in required
            if key not in entries
        )
        raise_all(errors)
        return values


def convert_all(fields: Iterable[Field], convert: Callable[[Field], Converted]) -> tuple[Converted, ...]:
    """Return what `convert` makes of each field. Raises all the errors it raised, each with its field's place."""
    values, errors = [], []
    for field in fields:
        try:
            values.append(convert(field))
        except ScratchbuildError as error:
            errors.append(error.at(field.where))
    raise_all(errors)
    return tuple(values)


def convert_known(
    entries: Mapping[str, Field], converters: Mapping[str, Callable[[Field], Any]]
) -> tuple[dict[str, Any], list[ScratchbuildError]]:
    """Return the values that could be converted, by key, and the errors about the others and about unknown keys."""
    values: dict[str, Any] = {}
    errors: list[ScratchbuildError] = []
    for key, field in entries.items():
        convert = converters.get(key)
        if convert is None:
            errors.append(_unknown(key, field, converters))
            continue
        try:
            values[key] = convert(field)
        except ScratchbuildError as error:
            errors.append(error.at(field.where))
    return values, errors


def _unknown(key: str, field: Field, known: Iterable[str]) -> ScratchbuildError:
    from scratchbuild.spec.suggest import suggestion  # noqa: PLC0415 - difflib is only for mistakes

    if key in field.document.keys:
        return field.error(
            f"unknown key {quote(key)} in this table",
            f"{key} belongs to the whole document: write it above the first line in brackets.",
        )
    return field.error(f"unknown key {quote(key)}", suggestion(key, known))


def twice(fields: Iterable[Field], values: Iterable[object], what: str) -> None:
    """Raise an error for each value that an earlier one equals; `what` says what they are (`port`)."""
    first: dict[object, Field] = {}
    errors = []
    for field, value in zip(fields, values, strict=True):
        if value in first:
            errors.append(field.error(f"the same {what} as {first[value].key}: {value}", "Leave one of them out."))
        else:
            first[value] = field
    raise_all(errors)


def join(key: str, inner: str) -> str:
    """Return the key path of `inner` in the table `key`, quoted as TOML asks."""
    name = inner if inner and _BARE.issuperset(inner) else quote(inner)
    return f"{key}.{name}" if key else name


def quote(text: str) -> str:
    """Return `text` as a TOML string on one line, cut when it is long, for messages."""
    cut = text if len(text) <= _MOST_SHOWN else text[:_MOST_SHOWN] + "..."
    inner = "".join(
        "\\" + letter
        if letter in '"\\'
        else letter
        if letter.isprintable()
        else letter.encode("unicode_escape", "backslashreplace").decode("ascii")
        for letter in cut
    )
    return f'"{inner}"'


def describe(value: object) -> str:
    """Return in words what a TOML value is: `the integer 5`, `an array`."""
    if isinstance(value, str):
        return f"the string {quote(value)}"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and value.bit_length() > _BITS:
        return "an integer of more than 64 bits"
    if isinstance(value, list | dict):
        return _CONTAINERS[type(value), bool(value)]
    return f"the {_SCALARS.get(type(value).__name__, 'value')} {value}"
