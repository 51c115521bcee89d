"""One row has the bytes of the answer, and the counts, that the same row has among others."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daskml_dist.security import Limits
from daskml_dist.serve import one_row
from daskml_dist.serve.replica_app import ReplicaApp
from daskml_dist.serve.served import Served
from tests.serve import model_directories

MODELS: dict[str, tuple[str, list[Any] | None]] = {
    "identity": ("identity", None),
    "log": ("log", None),
    "logit": ("logit", [0, 1]),
    "logit, labels": ("logit", ["no %b", 'the "other"']),
    "decision": ("decision", [-1.0, 1.0]),
}
OTHERS: dict[str, tuple[str, list[Any] | None]] = {
    "probit": ("probit", None),
    "modified Huber": ("modified_huber", [0, 1]),
}


def app_of(directory: Path, link: str, classes: list[Any] | None, p: int) -> ReplicaApp:
    rng = np.random.default_rng(p)
    coef, intercept = rng.normal(size=(1, p)), rng.normal(size=1)
    model_directories.write(
        directory, model_directories.numbered(p), coef, intercept, link=link, classes=classes
    )
    return ReplicaApp(Served(directory), None, Limits())


def request(rows: list[list[float]], identity: str | None) -> bytes:
    flat = [value for row in rows for value in row]
    tensor = {"name": "x", "shape": [len(rows), len(rows[0])], "datatype": "FP64", "data": flat}
    named = {} if identity is None else {"id": identity}
    return json.dumps({**named, "inputs": [tensor]}).encode()


def compare(short: ReplicaApp, general: ReplicaApp, p: int) -> int:
    """Ask both the same; how many answers of the first came the short way."""
    rng = np.random.default_rng(0)
    took = 0
    one, general._one_row = short._one_row, None
    if one is not None:
        write = one._write

        def counting(margin: float) -> bytes:
            nonlocal took
            took += 1
            return write(margin)

        one._write = counting
    scales = 10.0 ** rng.uniform(-3, 0 if short.served.model.link == "log" else 4, size=300)
    for i, scale in enumerate(scales):
        row = (scale * rng.normal(size=p)).tolist()
        body = request([row], f'i"{i}' if i % 2 else None)
        assert short.infer(body, None) == general.infer(body, None)
    assert short.drift.rows == general.drift.rows == 300
    assert short.drift.counts() == general.drift.counts()
    assert short.drift.score_sum() == general.drift.score_sum()
    return took


@pytest.mark.parametrize("p", [1, 3, 30, 257])
@pytest.mark.parametrize("name", MODELS)
def test_one_row_is_answered_as_among_others(name: str, p: int, tmp_path: Path) -> None:
    short, general = (app_of(tmp_path / which, *MODELS[name], p) for which in ("short", "general"))
    assert compare(short, general, p) == 300


@pytest.mark.parametrize("name", OTHERS)
def test_rare_links_go_the_general_way(name: str, tmp_path: Path) -> None:
    short, general = (app_of(tmp_path / which, *OTHERS[name], 3) for which in ("short", "general"))
    assert compare(short, general, 3) == 0


def test_margins_without_end_go_the_general_way(tmp_path: Path) -> None:
    short, general = (app_of(tmp_path / which, "logit", [0, 1], 3) for which in ("short", "general"))
    general._one_row = None
    assert short._one_row is not None

    def never(margin: float) -> bytes:
        raise AssertionError(margin)

    short._one_row._write = never
    with np.errstate(all="ignore"):
        answers = [refusal(app, request([[1e308, 1e308, -1e308]], None)) for app in (short, general)]
    assert answers[0] == answers[1]


def test_another_answer_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison itself: the chances of the two classes exchanged."""
    right: Callable[..., Any] = one_row._two_classes

    def lie(model: Any) -> Callable[[float], bytes]:
        write = right(model)
        return lambda z: write(-z)

    monkeypatch.setattr(one_row, "_two_classes", lie)
    short, general = (app_of(tmp_path / which, "logit", [0, 1], 3) for which in ("short", "general"))
    with pytest.raises(AssertionError):
        compare(short, general, 3)


def refusal(app: ReplicaApp, body: bytes) -> Any:
    """What is answered, or why not."""
    try:
        return app.infer(body, None)
    except Exception as error:
        return repr(error)
