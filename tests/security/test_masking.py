"""Masking: canaries are planted wherever a value may be, and looked for in whatever comes out."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
import logging
import threading
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from daskml_dist.security import Masking

KEY = bytes(range(32))
CANARY = "Zyzzyva-7731"
NUMBER = 8675309.25
RECORD = {"name": CANARY, "income": NUMBER, "city": ["Ulm", CANARY], "doors": 4}
HOW = {"name": "drop", "income": (10_000.0, 50_000.0), "city": "hash"}


@pytest.fixture
def masking() -> Masking:
    return Masking(HOW, key=KEY)


def test_what_is_shown(masking: Masking) -> None:
    shown = masking.shown(RECORD)
    assert list(shown) == ["income", "city", "doors"]
    assert shown["income"] == ">= 50000.0"
    assert shown["doors"] == 4
    expected = [
        hmac.new(KEY, f"city\0{city}".encode(), hashlib.sha256).hexdigest() for city in ("Ulm", CANARY)
    ]
    assert shown["city"] == expected


@pytest.mark.parametrize(
    ("income", "shown"),
    [
        (9_999, "< 10000.0"),
        (10_000, "[10000.0, 50000.0)"),
        (50_000, ">= 50000.0"),
        (float("nan"), None),
        ("x", None),
    ],
)
def test_bins(masking: Masking, income: object, shown: str | None) -> None:
    assert masking.shown({"income": income}) == {"income": shown}


def test_a_hash_depends_on_key_and_column() -> None:
    columns = {"a": "hash", "b": "hash"}
    one, other = Masking(columns, key=KEY), Masking(columns, key=KEY[::-1])
    first = one.shown({"a": CANARY, "b": CANARY})
    assert first == one.shown({"a": CANARY, "b": CANARY})
    assert len({first["a"], first["b"], other.shown({"a": CANARY})["a"]}) == 3


@pytest.fixture
def log(masking: Masking) -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose handler writes messages, extra fields and tracebacks, filtered."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s %(row)s", defaults={"row": ""}))
    handler.addFilter(masking.filter())
    logger = logging.getLogger("tests.masking")
    logger.addHandler(handler)
    logger.propagate = False
    logger.setLevel(logging.INFO)
    yield logger, out
    logger.removeHandler(handler)


def _traceback(logger: logging.Logger) -> None:
    try:
        float(CANARY)
    except ValueError:
        logger.exception("a request failed")


def _chained(logger: logging.Logger) -> None:
    try:
        try:
            json.loads("{" + CANARY)
        except ValueError as error:
            raise RuntimeError(f"row {RECORD}") from error
    except RuntimeError:
        logger.error("failed", exc_info=True, stack_info=True)


SPEECHES: dict[str, Callable[[logging.Logger], None]] = {
    "the value alone": lambda logger: logger.info("could not convert %r", CANARY),
    "the number alone": lambda logger: logger.info("%s is too much, and %r", NUMBER, NUMBER),
    "a record": lambda logger: logger.info("got %s", RECORD),
    "a record as arguments": lambda logger: logger.info("got %(name)s of %(city)s", RECORD),
    "JSON": lambda logger: logger.info(json.dumps(RECORD)),
    "name=value": lambda logger: logger.info("name=%s income=%s", CANARY, NUMBER),
    "extra": lambda logger: logger.info("a row", extra={"row": RECORD}),
    "extra text": lambda logger: logger.info("a row", extra={"row": f"[{CANARY}]"}),
    "arguments that do not fit": lambda logger: logger.info(f"%d {CANARY}", CANARY),
    "traceback": _traceback,
    "chained": _chained,
}


def leaks(text: str) -> bool:
    return CANARY in text or "8675309" in text


@pytest.mark.parametrize("speech", SPEECHES)
def test_no_canary_gets_out(
    masking: Masking, log: tuple[logging.Logger, io.StringIO], speech: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    logger, out = log
    with masking.hiding(RECORD):
        SPEECHES[speech](logger)
    assert out.getvalue().strip()
    assert not leaks(out.getvalue())
    assert "doors" in out.getvalue() or speech not in ("a record", "JSON", "extra")


@pytest.mark.parametrize("speech", SPEECHES)
def test_the_canaries_would_be_seen(log: tuple[logging.Logger, io.StringIO], speech: str) -> None:
    """The lie: without the filter each speech gives itself away."""
    logger, out = log
    for handler in logger.handlers:
        handler.filters.clear()
    if speech == "arguments that do not fit":  # logging itself prints these to stderr
        return
    SPEECHES[speech](logger)
    assert leaks(out.getvalue())


@pytest.mark.parametrize(
    "text",
    [
        f'{{"name": "{CANARY}", "doors": 4}}',
        f"{{'name': '{CANARY}', 'doors': 4}}",
        f'"name": ["Ada", "{CANARY}"], "doors": 4',
        f"name={CANARY}, doors=4",
        f"name: {CANARY}; doors: 4",
        f'name="{CANARY} the \\"second\\"" doors 4',
        f'"name": ["{CANARY}',  # cut off
        f'"name": "{CANARY}',
    ],
)
def test_named_values_are_found_without_their_record(masking: Masking, text: str) -> None:
    redacted = masking.redacted(text)
    assert CANARY not in redacted
    assert "[masked]" in redacted
    assert ("doors" in redacted) == ("doors" in text)


def test_other_columns_are_left_alone(masking: Masking) -> None:
    text = "surname=Lovelace, doors=4, names: two"
    assert masking.redacted(text) == text
    assert Masking([]).redacted(text) == text


def test_tokens_are_never_written() -> None:
    masking = Masking([])
    secret = "dml_" + "Ab3-_" * 8
    for text in (
        f"token {secret}",
        f"Authorization: Bearer {secret}",
        "authorization: bearer eyJhbGci.eyJz.c2ln",
    ):
        assert secret not in masking.redacted(text)
        assert "eyJ" not in masking.redacted(text)


def test_what_is_hidden_is_this_requests_alone(masking: Masking) -> None:
    seen: list[str] = []
    with masking.hiding(RECORD):
        thread = threading.Thread(target=lambda: seen.append(masking.redacted(f"<{CANARY}>")))
        thread.start()
        thread.join(10)
        assert masking.redacted(f"<{CANARY}>") == "<[masked]>"
        assert masking.redacted("Ulmus is no Ulm") == "Ulmus is no [masked]"
    assert masking.redacted(f"<{CANARY}>") == seen[0] == f"<{CANARY}>"


def test_arrays_are_values_too(masking: Masking) -> None:
    record = {"name": np.array([CANARY, "Ada"]), "income": np.array([NUMBER, 20_000.0])}
    assert masking.shown(record) == {"income": [">= 50000.0", "[10000.0, 50000.0)"]}
    with masking.hiding(record):
        assert not leaks(masking.redacted(f"{CANARY} {NUMBER} {record}"))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Masking({"a": "hash"})
    with pytest.raises(ValueError, match="32 bytes"):
        Masking({"a": "hash"}, key=b"short")
    with pytest.raises(ValueError, match="give a list"):
        Masking("name")
    for how in ("mask", (), (2.0, 1.0)):
        with pytest.raises(ValueError, match="'a' is to become"):
            Masking({"a": how})  # type: ignore[dict-item]
    assert Masking(["a", "b"]).columns == ("a", "b")
