"""The history: one plain row a step."""

from __future__ import annotations

import json
from dataclasses import fields

import numpy as np
import pandas as pd

from daskml_dist.monitor import History
from daskml_dist.types import Step
from tests.monitor.samples import step, tell


def test_one_plain_row_a_step() -> None:
    history = History()
    tell(history, passes=3)
    rows = history.rows()
    assert [row["passes"] for row in rows] == [1, 2, 3]
    assert list(rows[0]) == [field.name for field in fields(Step)]
    assert {type(value) for row in rows for value in row.values()} == {int, float, str}
    assert json.loads(json.dumps(rows)) == rows
    assert len(pd.DataFrame(rows)) == 3
    assert history.steps == (step(1), step(2), step(3))


def test_a_new_fit_starts_a_new_history_and_rows_are_copies() -> None:
    history = History()
    tell(history, passes=3)
    before = history.rows()
    tell(history, passes=1)
    assert len(before) == 3 and len(history.rows()) == 1
    history.rows()[0]["gap"] = 9.0
    assert history.rows()[0]["gap"] == 0.1


def test_numbers_that_arrive_as_arrays_become_numbers() -> None:
    history = History()
    history.hear(step(1, objective=np.array(0.5), gap=np.float32(np.inf)))
    assert history.rows()[0]["objective"] == 0.5
    assert history.rows()[0]["gap"] == float("inf")
