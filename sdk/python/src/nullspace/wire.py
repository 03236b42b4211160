"""Reading JSON objects of the server: each access names the object and the field when they are not as agreed.

Unknown keys are ignored, so that a newer server does not break an older SDK; missing or mistyped ones are reported.
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import Any, TypeVar

from .errors import InvalidResponseError

E = TypeVar("E", bound=Enum)


class Reader:
    """A JSON object under its name for error messages."""

    def __init__(self, what: str, value: object) -> None:
        if not isinstance(value, dict):
            raise InvalidResponseError(f"{what}: expected an object, got {type(value).__name__}")
        self.what = what
        self.raw: dict[str, Any] = value

    def text(self, key: str) -> str:
        """A string that must be there."""
        value = self.maybe_text(key)
        if value is None:
            raise self._bad(key, "is missing")
        return value

    def text_or(self, key: str, default: str) -> str:
        """A string, or the default where it is absent."""
        value = self.maybe_text(key)
        return default if value is None else value

    def maybe_text(self, key: str) -> str | None:
        """A string or nothing."""
        value = self.raw.get(key)
        if value is None or isinstance(value, str):
            return value
        raise self._bad(key, "is not a string")

    def number(self, key: str, default: int | None = None) -> int:
        """An integer that must be there unless a default is given."""
        value = self.maybe_number(key)
        if value is None and default is None:
            raise self._bad(key, "is missing")
        return default or 0 if value is None else value

    def maybe_number(self, key: str) -> int | None:
        """An integer or nothing."""
        value = self.raw.get(key)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        raise self._bad(key, "is not an integer")

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean, or the default where it is absent."""
        value = self.raw.get(key, default)
        if not isinstance(value, bool):
            raise self._bad(key, "is not a boolean")
        return value

    def texts(self, key: str) -> list[str]:
        """A list of strings; absent is empty."""
        values = self.raw.get(key) or []
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise self._bad(key, "is not a list of strings")
        return list(values)

    def objects(self, key: str) -> list[Any]:
        """A list of anything; absent is empty."""
        values = self.raw.get(key) or []
        if not isinstance(values, list):
            raise self._bad(key, "is not a list")
        return list(values)

    def mapping(self, key: str) -> dict[str, Any]:
        """An object; absent is empty."""
        return self.maybe_mapping(key) or {}

    def maybe_mapping(self, key: str) -> dict[str, Any] | None:
        """An object or nothing."""
        value = self.raw.get(key)
        if value is None or isinstance(value, dict):
            return value
        raise self._bad(key, "is not an object")

    def choice(self, key: str, values: type[E], default: E | None = None) -> E:
        """One of a closed set of words."""
        value = self.maybe_choice(key, values)
        if value is not None:
            return value
        if default is None:
            raise self._bad(key, "is missing")
        return default

    def maybe_choice(self, key: str, values: type[E]) -> E | None:
        """One of a closed set of words, or nothing."""
        word = self.maybe_text(key)
        if word is None:
            return None
        try:
            return values(word)
        except ValueError:
            raise self._bad(key, f"is {word!r}, which this SDK does not know") from None

    def time(self, key: str) -> datetime:
        """A moment that must be there."""
        moment = self.maybe_time(key)
        if moment is None:
            raise self._bad(key, "is missing")
        return moment

    def maybe_time(self, key: str) -> datetime | None:
        """A moment with its zone, or nothing."""
        word = self.maybe_text(key)
        if not word:
            return None
        try:
            moment = datetime.fromisoformat(word)
        except ValueError:
            raise self._bad(key, f"is no timestamp: {word!r}") from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _bad(self, key: str, problem: str) -> InvalidResponseError:
        return InvalidResponseError(f"{self.what}: `{key}` {problem}")


def array(what: str, value: object) -> list[Any]:
    """A JSON array."""
    if not isinstance(value, list):
        raise InvalidResponseError(f"{what}: expected an array, got {type(value).__name__}")
    return value


def plain(value: object) -> object:
    """A value as JSON again: enums as words, moments with ``Z``."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """A request body without what the caller did not say: the wire omits, it never sends null."""
    return {key: value for key, value in fields.items() if value is not None}
