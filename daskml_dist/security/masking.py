"""Personal columns: dropped, hashed with a key, or made coarse before anybody writes them down."""

from __future__ import annotations

import hmac
import logging
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any, Literal, final

How = Literal["drop", "hash"] | tuple[float, ...]

_SECRET = re.compile(r"dml_[A-Za-z0-9_-]{20,}|(?<=[Bb]earer )[A-Za-z0-9._~+/-]+=*")
_HIDDEN = "[masked]"
_PLAIN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


@final
class Masking:
    """What may be shown of personal columns, and a filter that keeps their values out of logs.

    Parameters
    ----------
    columns : what becomes of each personal column: "drop", "hash" (HMAC-SHA256 under the key: equal values
        stay equal, so that tables can be joined), or ascending edges, which show the bin alone. A sequence of
        names drops all of them.
    key : 32 bytes or more for "hash"; the same key gives the same hashes.

    Examples
    --------
    >>> masking = Masking({"name": "drop", "age": (18.0, 40.0, 65.0)})
    >>> masking.shown({"name": "Ada", "age": 36, "claims": 2})
    {'age': '[18.0, 40.0)', 'claims': 2}
    """

    def __init__(self, columns: Mapping[str, How] | Sequence[str], key: bytes | None = None) -> None:
        if isinstance(columns, str):
            raise ValueError(
                f"columns is the text {columns!r}; give a list of names, or what becomes of each"
            )
        given: Mapping[str, How] = columns if isinstance(columns, Mapping) else dict.fromkeys(columns, "drop")
        self._columns = {name: _checked(name, how) for name, how in given.items()}
        if "hash" in self._columns.values() and (key is None or len(key) < 32):
            raise ValueError(
                "hashes of personal columns need a key of 32 bytes or more: secrets.token_bytes(32)"
            )
        self._key = key or b""
        named = "|".join(re.escape(name) for name in sorted(self._columns, key=len, reverse=True))
        # name=value, "name": value, 'name': [values]
        value = r"(?:\[[^\]]*\]?|\"(?:[^\"\\]|\\.)*\"?|'(?:[^'\\]|\\.)*'?|[^\s,;})\]]+)"
        self._named = (
            re.compile(rf"(?<!\w)(?P<name>['\"]?(?:{named})['\"]?\s*[=:]\s*){value}") if named else None
        )
        self._values: ContextVar[re.Pattern[str] | None] = ContextVar("personal values", default=None)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the personal columns."""
        return tuple(self._columns)

    def shown(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """A record with its personal columns dropped, hashed or binned; a value may be a list of values."""
        return {
            name: self._masked(name, value) if name in self._columns else value
            for name, value in record.items()
            if self._columns.get(name) != "drop"
        }

    def redacted(self, text: str) -> str:
        """Text without the values of personal columns, as far as they can be recognised, and without tokens.

        Recognised are ``name=value``, ``"name": value`` and, within `hiding`, the values of its record.
        """
        text = _SECRET.sub(_HIDDEN, text)
        if self._named is not None:
            text = self._named.sub(rf"\g<name>{_HIDDEN}", text)
        values = self._values.get()
        return text if values is None else values.sub(_HIDDEN, text)

    @contextmanager
    def hiding(self, record: Mapping[str, Any]) -> Iterator[None]:
        """While it lasts, in this thread or task, `redacted` knows the personal values of a record.

        A complaint like "could not convert string to float: 'Ada'" names no column; this is what finds it.
        """
        texts = {text for name in self._columns if name in record for text in _texts(record[name])}
        longest = sorted((re.escape(text) for text in texts if text), key=len, reverse=True)
        token = self._values.set(re.compile(rf"(?<!\w)(?:{'|'.join(longest)})(?!\w)") if longest else None)
        try:
            yield
        finally:
            self._values.reset(token)

    def filter(self) -> logging.Filter:
        """A filter for handlers: redacts messages, tracebacks and extra fields; every record passes."""
        return _Redacting(self)

    def _masked(self, name: str, value: Any) -> Any:
        if _several(value):
            return [self._masked(name, one) for one in value]
        how = self._columns[name]
        if how == "hash":
            return hmac.digest(self._key, f"{name}\0{value}".encode(), "sha256").hex()
        assert isinstance(how, tuple)
        return _bin(value, how)


class _Redacting(logging.Filter):
    def __init__(self, masking: Masking) -> None:
        super().__init__()
        self._masking = masking

    def filter(self, record: logging.LogRecord) -> bool:
        redacted = self._masking.redacted
        try:
            message = record.getMessage()
        except Exception:  # a message whose arguments do not fit: logging would print the arguments
            message = str(record.msg)
        record.msg, record.args = redacted(message), None
        if record.exc_info:
            record.exc_text = record.exc_text or logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        for name, value in list(vars(record).items()):
            if name in ("exc_text", "stack_info") or name not in _PLAIN:
                setattr(record, name, self._plain(value))
        return True

    def _plain(self, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Mapping):
            return {
                self._plain(key): self._plain(one)
                for key, one in self._masking.shown({str(key): one for key, one in value.items()}).items()
            }
        if isinstance(value, list | tuple):
            return [self._plain(one) for one in value]
        text = str(value)
        redacted = self._masking.redacted(text)
        return value if redacted == text else redacted


def _checked(name: str, how: How) -> How:
    if how in ("drop", "hash"):
        return how
    if isinstance(how, str) or not how or not all(low < high for low, high in pairwise(how)):
        raise ValueError(f"{name!r} is to become {how!r}; give 'drop', 'hash', or ascending edges")
    return tuple(float(edge) for edge in how)


def _bin(value: Any, edges: tuple[float, ...]) -> str | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None  # text has no bin, and is not shown
    if number != number:
        return None
    at = bisect_right(edges, number)
    if at == 0:
        return f"< {edges[0]}"
    return f">= {edges[-1]}" if at == len(edges) else f"[{edges[at - 1]}, {edges[at]})"


def _several(value: Any) -> bool:
    """Lists and arrays, but no text."""
    return isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping)


def _texts(value: Any) -> Iterator[str]:
    """How a value may look in a message."""
    if _several(value):
        for one in value:
            yield from _texts(one)
    elif value is not None:
        yield str(value)
        yield repr(value).strip("'\"")
        if isinstance(value, float) and value.is_integer():
            yield str(int(value))
