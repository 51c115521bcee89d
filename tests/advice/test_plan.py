"""``plan``: nothing is computed, numbers make sense, and words read well."""

from __future__ import annotations

from typing import Any

import dask
import dask.array as da
import dask.dataframe as dd
import numpy as np
import pandas as pd
import pytest
from distributed import Client, LocalCluster, wait
from scipy.sparse import csr_array

import daskml_dist
from daskml_dist.advice import Machine
from daskml_dist.advice._calibration import machine_of, trials
from daskml_dist.advice._planning import Shape
from daskml_dist.cluster.calibrate import Measured, Room
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.linear_model import (
    LassoCV,
    LinearRegression,
    LinearSVC,
    LogisticRegression,
    LogisticRegressionCV,
    MinimaxClassifier,
    Ridge,
    SGDClassifier,
)
from daskml_dist.losses import Logistic

CLUSTER = Machine(workers=8, threads=4, memory=16e9)


def _never(block: np.ndarray) -> np.ndarray:
    raise AssertionError("a block was computed")


def unreadable(rows: int = 1_000_000, features: int = 50, chunk: int = 10_000, dtype: str = "float64") -> Any:
    """A dask array whose blocks raise when they are computed."""
    return da.ones((rows, features), chunks=(chunk, features), dtype=dtype).map_blocks(_never, dtype=dtype)


def test_nothing_is_computed(backend: str) -> None:
    X = unreadable(4_000, 5, 500)
    advice = daskml_dist.plan(X, X[:, 0])
    there = advice.machine
    assert there.measured and there.in_process == (backend == "threads")
    assert advice.work.rows == 4_000 and advice.pass_seconds > 0.0
    assert there.element * 5 + there.row > 0.0 and there.chunk > 0.0 and there.task > 0.0
    if backend == "cluster":
        assert (there.workers, there.threads, there.memory) == (2, 1, 2 * 2**30)
        assert 0.0 < there.hop < 10.0 and 1e5 < there.bandwidth < 1e12
        assert advice.bytes_per_pass > 0.0
    with pytest.raises(AssertionError, match="a block was computed"):
        X.compute(scheduler="threads")


def test_a_persisted_array_is_planned_where_it_lies(client: Client) -> None:
    first = sorted(client.scheduler_info()["workers"])[0]
    with dask.annotate(workers=[first], allow_other_workers=False):
        X = client.persist(da.ones((400, 3), chunks=(100, 3)), optimize_graph=False)
    wait(X)
    advice = daskml_dist.plan(X, None, LogisticRegression(), client)
    assert advice.placement is not None and len(advice.placement.shards) == 1
    assert advice.at(2).a_pass.imbalance == advice.a_pass.imbalance == 1.0
    assert advice.at(1).placement is None


def test_a_cluster_is_taken_in_every_form(cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def calibrate(hands: Any, tried: Any) -> Measured:
        asked.append(type(hands).__name__)
        return Measured(dict.fromkeys(tried, 1e-3), 2, 1e-2, 1e-4, 1e-3, 1e9)

    monkeypatch.setattr("daskml_dist.advice._planning.calibrate", calibrate)
    X = unreadable(4_000, 5, 500)
    for given in (cluster, cluster.scheduler_address, "threads", None):
        daskml_dist.plan(X, cluster=given)
    daskml_dist.plan(X, None, LogisticRegression(scheduler=cluster.scheduler_address))
    assert asked == ["OnDask", "OnDask", "InProcess", "InProcess", "OnDask"]


@pytest.mark.parametrize(
    ("estimator", "solver", "passes"),
    [
        (None, "progressive-newton", 3),
        (LogisticRegression(), "progressive-newton", 3),
        (LogisticRegression(solver="lbfgs"), "lbfgs", 40),
        (LogisticRegression(solver="lbfgs", max_iter=7), "lbfgs", 7),
        (LogisticRegression(solver="model-parallel"), "model-parallel", 30),
        (LogisticRegressionCV(), "progressive-newton", 3),
        (LinearRegression(), "least-squares", 1),
        (Ridge(), "least-squares", 1),
        (LassoCV(), "least-squares search", 1),
        (LinearSVC(loss="hinge"), "narrowing", 10),
        (MinimaxClassifier(), "group-newton", 5),
        (SGDClassifier(max_iter=2), "sgd", 3),
    ],
)
def test_each_estimator_has_its_solver_and_passes(estimator: Any, solver: str, passes: int) -> None:
    advice = daskml_dist.plan(unreadable(), None, estimator, CLUSTER)
    assert (advice.solver, advice.passes) == (solver, passes)
    assert advice.seconds > advice.passes * advice.pass_seconds * 0.5


def test_streamed_data_take_a_pass_more() -> None:
    small = Machine(workers=2, memory=1e8)
    advice = daskml_dist.plan(unreadable(), cluster=small)
    assert advice.passes == 4 and advice.strategy.name == "streamed"
    assert "With 8 workers they would stay in memory" in advice.strategy.why
    assert advice.a_pass.load == pytest.approx(1e6 * 400 / 2 / 2e8)


def test_small_data_are_for_one_machine() -> None:
    advice = daskml_dist.plan(np.ones((2_000, 5)), np.arange(2_000) % 2, cluster=Machine(workers=4))
    assert advice.strategy.name == "one machine" and "on 4 workers" in advice.strategy.why
    assert advice.break_even < 1.5


def test_a_model_that_does_not_fit_is_parted() -> None:
    X = unreadable(100_000, 2_000_000, 1_000, "float32")
    advice = daskml_dist.plan(X, cluster=Machine(workers=16, memory=2e8))
    assert advice.strategy.name == "model parallel" and advice.strategy.columns == 16
    assert "solver='model-parallel'" in advice.strategy.why


def test_classes_in_memory_are_counted() -> None:
    y = np.arange(2_000) % 3
    advice = daskml_dist.plan(np.ones((2_000, 5)), y, cluster=CLUSTER)
    assert advice.work.parameters == 3 * 6 and not advice.notes
    assert daskml_dist.plan(np.ones((2_000, 5)), cluster=CLUSTER).notes == (
        "y is not read: two classes are supposed",
    )


def test_sparse_rows_cost_their_entries() -> None:
    X = csr_array(np.tile(np.arange(10) % 5 == 0, (3_000, 1)).astype(float))
    advice = daskml_dist.plan(X, None, Ridge(), CLUSTER)
    assert advice.work.elements == 2.0
    lazy = da.from_array(X, chunks=(1_000, 10), asarray=False)
    assert "1 in 100" in daskml_dist.plan(lazy, None, Ridge(), CLUSTER).notes[0]
    assert daskml_dist.plan(X, None, Ridge(), "threads").pass_seconds > 0.0


def test_deadline_and_budget_choose_the_workers() -> None:
    X = unreadable(20_000_000, 100, 20_000)
    free = daskml_dist.plan(X, cluster=CLUSTER)
    soon = daskml_dist.plan(X, cluster=CLUSTER, deadline=free.seconds)
    assert soon.nodes.met and soon.nodes.workers <= 8
    assert soon.at(soon.nodes.workers).seconds <= free.seconds
    assert soon.at(soon.nodes.workers - 1).seconds > free.seconds
    cheap = daskml_dist.plan(X, cluster=CLUSTER, budget=8 * free.seconds)
    assert cheap.nodes.met and cheap.nodes.worker_seconds <= 8 * free.seconds
    late = daskml_dist.plan(X, cluster=CLUSTER, deadline=1e-3)
    assert not late.nodes.met and "No number of workers keeps the deadline of 1 ms" in late.nodes.why
    dear = daskml_dist.plan(X, cluster=CLUSTER, budget=1e-3, deadline=10.0)
    assert not dear.nodes.met and "keeps the budget" in dear.nodes.why
    assert "less than half" in free.nodes.why


def test_chunks_are_made_larger_and_smaller() -> None:
    tiny = daskml_dist.plan(unreadable(1_000_000, 50, 100), cluster=CLUSTER).chunks
    assert tiny.rows > 1_000 and "Now there are 10,000" in tiny.why
    huge = daskml_dist.plan(unreadable(10_000_000, 50, 10_000_000), cluster=CLUSTER).chunks
    assert huge.count >= 4 * 32 and huge.shape == (huge.rows, 50)


def test_the_four_figures_have_values_units_meanings_and_limits() -> None:
    advice = daskml_dist.plan(unreadable(), cluster=CLUSTER)
    figures = advice.figures
    sending = advice.bytes_per_pass / CLUSTER.bandwidth
    truth = {
        "P": 8 / 1_000_000,
        "Q": 51 / advice.seconds,
        "C": sending * CLUSTER.latency / 1_000_000,
        "R": advice.seconds / 8,
    }
    for symbol, value in truth.items():
        figure = figures[symbol]
        assert figure.value == pytest.approx(value)
        assert figure.unit and figure.meaning.endswith(".") and figure.limit.endswith(".")
        assert symbol in repr(figure) and figure.unit in repr(figure)


def test_what_is_printed_reads_well() -> None:
    advice = daskml_dist.plan(unreadable(), cluster=CLUSTER, deadline=60.0)
    told = repr(advice)
    for piece in (
        "LogisticRegression on 1,000,000 x 50 in 100 chunks, 400 MB",
        "3 passes",
        "8 workers",
        "speed-up",
    ):
        assert piece in told
    assert "nan" not in told and "inf" not in told
    assert (
        "<table>" in advice._repr_html_()
        and "&#x27;"
        in daskml_dist.plan(np.ones((100, 2)), np.arange(100) % 2, cluster=Machine(workers=4))._repr_html_()
    )


def test_the_table_compares_numbers_of_workers() -> None:
    advice = daskml_dist.plan(unreadable(5_000_000, 100, 5_000), cluster=CLUSTER)
    table = advice.table()
    assert list(table.index[:4]) == [1, 2, 4, 8] and list(table.columns)[:2] == ["seconds", "pass seconds"]
    assert table["seconds"][8] == advice.seconds and table["speed-up"][1] == 1.0
    assert (np.diff(table["efficiency"]) < 0).all() and (np.diff(table["memory"]) < 0).all()


@pytest.mark.slow
def test_what_if_there_were_ten_thousand_workers() -> None:
    advice = daskml_dist.plan(unreadable(100_000_000, 20, 1_000), cluster=CLUSTER, workers=10_000)
    assert advice.machine.workers == 10_000
    assert advice.simulate().seconds == pytest.approx(advice.pass_seconds, rel=0.1)
    assert advice.simulate(100, passes=3, spread=0.3).passes.shape == (3,)
    assert 1 <= advice.at(8).break_even_simulated <= 10_000


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"deadline": -1.0}, "deadline=-1.0: expected seconds"),
        ({"deadline": True}, "deadline=True"),
        ({"budget": 0.0}, "budget=0.0: expected seconds of a fit times workers"),
        ({"workers": 0}, "workers=0: expected a whole number from 1 to 10,000"),
        ({"workers": 2.5}, "workers=2.5"),
        ({"estimator": "logistic"}, "expected an estimator of daskml_dist.linear_model"),
        ({"estimator": LogisticRegression}, r"expected LogisticRegression\(\)"),
        ({"estimator": LogisticRegression(solver="magic")}, "solver='magic'"),
        ({"cluster": 3}, "scheduler=3 was given"),
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(UnsupportedParameter, match=told):
        daskml_dist.plan(unreadable(), **{"cluster": CLUSTER, **wrong})


def test_rows_that_nobody_knows_are_refused() -> None:
    frame = dd.from_pandas(pd.DataFrame({"a": np.arange(10.0)}), npartitions=2)
    unknown = da.ones((10, 2), chunks=(5, 2))
    unknown = unknown[unknown[:, 0] > 0]
    for X in (frame, unknown):
        with pytest.raises(InvalidData, match="compute_chunk_sizes"):
            daskml_dist.plan(X, cluster=CLUSTER)
    with pytest.raises(ValueError, match="0 sample"):
        daskml_dist.plan(np.ones((0, 3)), cluster=CLUSTER)


def test_constants_are_found_again_from_times_that_they_make() -> None:
    truth = Machine(
        workers=4, threads=2, memory=1e9, element=2e-9, row=3e-8, product=1e-10, chunk=2e-4, number=5e-8
    )
    shape = Shape(features=40, elements=40.0, sparse=False, dtype="float64", shard_bytes=1e8)
    tried = trials(Logistic(), shape, compiled=True)

    def seconds(name: str) -> float:
        trial = tried[name]
        p, hessian = trial.features, name.startswith("hessian")
        rows = trial.rows * (truth.row + p * truth.element + hessian * p * (p + 1) / 2 * truth.product)
        return truth.chunk + hessian * p * (p + 1) / 2 * truth.number + rows

    times = {name: seconds(name) for name in tried}
    measured = Measured(times, 8, 1e-2 + 8 * 5e-4, 5e-4, 5e-3, 1e9)
    found = machine_of(Room(4, 2, 1e9), measured, tried, in_process=False)
    for name in ("element", "row", "product", "chunk", "number", "latency", "hop", "task", "bandwidth"):
        assert getattr(found, name) == pytest.approx(getattr(truth, name), rel=1e-6), name
    lie = machine_of(
        Room(4, 2, 1e9),
        Measured({**times, "large": 2 * times["large"]}, 8, 1e-2, 5e-4, 5e-3, 1e9),
        tried,
        in_process=False,
    )
    assert lie.element != pytest.approx(truth.element, rel=0.1)
