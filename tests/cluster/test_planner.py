"""What passes tell of workers, when something is late, and what a placement may say: without a cluster."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from daskml_dist import Placement
from daskml_dist.cluster import Holding, connect
from daskml_dist.cluster import late as lateness
from daskml_dist.cluster.late import overdue
from daskml_dist.cluster.pace import LEAST, Pace
from daskml_dist.cluster.planner import Planner
from daskml_dist.errors import UnsupportedParameter
from daskml_dist.linear_model import LogisticRegression
from daskml_dist.partition import Facts, sequential

SLOTS = ("a", "b", "c", "d")
ROWS = (1000,) * 32
PLAN = sequential(ROWS, SLOTS)
COSTS = tuple(map(float, ROWS))
WORK = [8000.0] * 4


def test_paces_are_relative_so_that_kernels_can_be_compared() -> None:
    pace = Pace()
    pace.heard(WORK, SLOTS, [4.0, 1.0, 1.0, 1.0], 0)
    assert pace.relative == {"a": 4.0, "b": 1.0, "c": 1.0, "d": 1.0}
    pace.heard(WORK, SLOTS, [40.0, 10.0, 10.0, 10.0], 0)
    assert pace.relative == {"a": 4.0, "b": 1.0, "c": 1.0, "d": 1.0}
    assert pace.paces()["a"] == pytest.approx(40.0 / 8000)


def test_paces_are_smoothed_until_they_have_changed_for_good() -> None:
    pace = Pace()
    pace.heard(WORK, SLOTS, [1.0] * 4, 0)
    pace.heard(WORK, SLOTS, [2.0, 1.0, 1.0, 1.0], 0)
    assert pace.relative["a"] == pytest.approx(1.3)
    pace.heard(WORK, SLOTS, [2.0, 1.0, 1.0, 1.0], 0)
    assert pace.relative["a"] == pytest.approx(2.0)


def test_two_uneven_passes_count_or_one_obvious_one() -> None:
    pace = Pace()
    pace.heard(WORK, SLOTS, [2.0, 1.0, 1.0, 1.0], 0)
    assert pace.imbalance == pytest.approx(1.6) and not pace.uneven
    pace.heard(WORK, SLOTS, [1.0, 1.0, 1.0, 1.0], 0)
    pace.heard(WORK, SLOTS, [2.0, 1.0, 1.0, 1.0], 0)
    assert not pace.uneven, "they must be consecutive"
    pace.heard(WORK, SLOTS, [2.0, 1.0, 1.0, 1.0], 0)
    assert pace.uneven
    pace.settled()
    assert not pace.uneven
    pace.heard(WORK, SLOTS, [4.0, 1.0, 1.0, 1.0], 0)
    assert pace.uneven


def test_idle_threads_count_as_imbalance() -> None:
    pace = Pace()
    pace.heard(WORK[:2], SLOTS[:2], [1.0, 1.0], 2)
    assert pace.imbalance == pytest.approx(2.0)


def test_short_passes_say_nothing() -> None:
    pace = Pace()
    for _ in range(3):
        pace.heard(WORK, SLOTS, [0.9 * LEAST, 1e-3, 1e-3, 1e-3], 0)
    assert not pace.uneven and not pace.measured and not pace.relative


def test_what_a_re_plan_gained_is_measured_in_the_next_pass() -> None:
    clock = iter(range(100))
    planner = Planner(Placement(), {}, clock=lambda: float(next(clock)))
    planner.heard(PLAN, COSTS, [32.0, 8.0, 8.0, 8.0], SLOTS, 0)
    facts = Facts(SLOTS, COSTS, planner.pace.paces(), 1.0, (0.0,) * 32, 1.0)
    plan = planner.replan(PLAN, facts)
    assert {d.measured_gain for d in planner.decisions} == {None}
    assert [d.number for d in planner.decisions] == list(range(len(planner.decisions)))
    sizes = [len(ids) for ids in plan.shards]
    seconds = [2.0 * n * (4.0 if owner == "a" else 1.0) for n, owner in zip(sizes, plan.owners, strict=True)]
    planner.heard(plan, COSTS, seconds, plan.owners, 0)  # each row takes twice as long now, anywhere
    assert sum(d.measured_gain or 0.0 for d in planner.decisions) == pytest.approx(64.0 - max(seconds))
    assert all(d.outcome == "imbalance 1.05" for d in planner.decisions)
    assert not planner.pace.uneven


def test_a_repaired_plan_is_not_measured_against() -> None:
    planner = Planner(Placement(), {})
    planner.heard(PLAN, COSTS, [32.0, 8.0, 8.0, 8.0], SLOTS, 0)
    planner.replan(PLAN, Facts(SLOTS, COSTS, planner.pace.paces(), 1.0, (0.0,) * 32, 1.0))
    planner.forget()
    planner.heard(PLAN, COSTS, [8.0] * 4, SLOTS, 0)
    assert {d.measured_gain for d in planner.decisions} == {None}


# ------------------------------------------------------------------------------ first plans

HELD = Holding(ROWS, tuple("aaaaaaaabbbbbbbbccccccccdddddddd"), SLOTS, False)
KNOWN = {"a": 4.0, "b": 1.0, "c": 1.0, "d": 1.0}
SIZES = (1e6,) * 32


def counts(plan: Any) -> dict[str, int]:
    return dict(zip(plan.owners, map(len, plan.shards), strict=True))


def test_finish_time_uses_what_earlier_fits_measured() -> None:
    known: dict[str, float] = {}
    Planner(Placement(), known).heard(PLAN, COSTS, [32.0, 8.0, 8.0, 8.0], SLOTS, 0)
    assert known == KNOWN
    planner = Planner(Placement(by="finish-time"), known)
    plan = planner.first(HELD, SIZES, {})
    assert counts(plan) == {"a": 3, "b": 9, "c": 10, "d": 10} or counts(plan)["a"] <= 3
    assert {(d.kind, d.source) for d in planner.decisions} == {("placed", "a")}
    streamed = replace(HELD, locations=(None,) * 32, streamed=True)
    assert counts(planner.first(streamed, SIZES, {})) == {"a": 2, "b": 10, "c": 10, "d": 10}


@pytest.mark.parametrize("by", ["auto", "in-place"])
def test_data_stay_in_place(by: Any) -> None:
    planner = Planner(Placement(by=by), dict(KNOWN))
    assert counts(planner.first(HELD, (), {})) == {"a": 8, "b": 8, "c": 8, "d": 8}
    assert planner.decisions == []


def test_resources_spread_chunks_over_those_who_have_them() -> None:
    held = replace(HELD, slots=("b", "c"))
    planner = Planner(Placement(by="resources", resources={"GPU": 1}), {})
    assert counts(planner.first(held, SIZES, {})) == {"b": 16, "c": 16}
    assert counts(planner.first(held, SIZES, {"b": 10e6})) == {"b": 10, "c": 22}
    assert {d.kind for d in planner.decisions} == {"placed"}


# ----------------------------------------------------------------------------------- lateness


def test_who_is_late() -> None:
    assert overdue(5.0, [1.0, 1.0, 1.5, None]) == [3]
    assert overdue(2.9, [1.0, 1.0, 1.5, None]) == []
    assert overdue(50.0, [1.0, 1.0, None, None]) == [], "half of them are not late but slow"
    assert overdue(0.9 * lateness.LEAST, [0.01, 0.01, 0.01, None]) == []
    assert overdue(5.0, [1.0, None]) == [1]
    assert overdue(5.0, [None, None]) == []
    assert overdue(5.0, [1.0]) == []


# ---------------------------------------------------------------------------------- placement


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"by": "speed"}, "by='speed'"),
        ({"by": "resources"}, "without resources"),
        ({"resources": {"GPU": 0}}, "a number above 0"),
        ({"resources": {"GPU": "one"}}, "a number above 0"),
        ({"replan": 1}, "replan=1"),
        ({"backup": None}, "backup=None"),
    ],
)
def test_placements_that_make_no_sense(given: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedParameter, match=told):
        Placement(**given)


def test_a_placement_needs_a_cluster() -> None:
    with pytest.raises(UnsupportedParameter, match="no current distributed.Client"):
        connect(Placement())
    with pytest.raises(UnsupportedParameter, match="expected None"):
        connect(Placement("threads"))


def test_without_a_cluster_nothing_moves() -> None:
    X = np.random.default_rng(0).normal(size=(50, 2))
    model = LogisticRegression(verbose=0, scheduler="threads").fit(X, X[:, 0] > 0)
    assert model.decisions_ == []
