"""The spine from end to end: containers in, the same bits out, wherever the work is done."""

from __future__ import annotations

import gc
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import dask.array as da
import numpy as np
import pytest
from distributed import Client, LocalCluster
from numpy.testing import assert_allclose
from sklearn.linear_model import LogisticRegression

from daskml_dist.cluster import InProcess
from daskml_dist.errors import CheckpointInvalid, ClusterGaveUp, InvalidData, UnsupportedCombination
from daskml_dist.fit import Interrupted, Outcome, Training, fit, score
from daskml_dist.losses import Logistic, Poisson, Squared
from daskml_dist.monitor import FitEnd, FitInfo, Listener
from daskml_dist.monitor.topic import TOPIC
from daskml_dist.monitor.topic import messages as messages_of
from daskml_dist.penalties import L2, Unpenalised
from daskml_dist.types import AnyArray, Step

ROWS, FEATURES, CHUNKS = 6000, 5, (1000, 1, 1500, 499, 2000, 1000)

LOGISTIC = Training(
    name="Logistic", loss=Logistic(), penalty=lambda total: L2(1.0 / total), labels=True, verbose=0
)
POISSON = Training(name="Poisson", loss=Poisson(), penalty=lambda total: L2(1e-3), verbose=0)
LEAST_SQUARES = Training(name="Squares", loss=Squared(), penalty=lambda total: Unpenalised(), verbose=0)


@dataclass(frozen=True)
class Data:
    """Rows for all three models, in memory."""

    X: AnyArray
    labels: AnyArray
    counts: AnyArray
    weight: AnyArray

    @classmethod
    def made(cls) -> Data:
        rng = np.random.default_rng(0)
        X = rng.standard_normal((ROWS, FEATURES)) * np.logspace(-1, 1, FEATURES) + 2.0
        z = (X - 2.0) @ (0.3 / np.logspace(-1, 1, FEATURES))
        labels = np.where(rng.random(ROWS) < 1 / (1 + np.exp(-z)), "yes", "no")
        return cls(X, labels, rng.poisson(np.exp(z)).astype(float), rng.integers(0, 3, ROWS) / 2.0)

    def lazy(self) -> tuple[Any, Any, Any, Any]:
        """X, labels, counts and weights as dask arrays of six unequal chunks."""
        return (
            da.from_array(self.X, chunks=(CHUNKS, FEATURES)),
            *(da.from_array(part, chunks=(CHUNKS,)) for part in (self.labels, self.counts, self.weight)),
        )


@pytest.fixture(scope="module")
def data() -> Data:
    return Data.made()


def train(training: Training, data: Data, scheduler: Any = "threads", **changes: Any) -> Outcome:
    X, labels, counts, weight = data.lazy()
    y = labels if training.labels else counts
    return fit(replace(training, scheduler=scheduler, **changes), X, y, weight)


def bits(outcome: Outcome) -> tuple[Any, ...]:
    """Everything that was found, but for times and costs."""
    state = outcome.solution.state
    assert state.point is not None and state.progress is not None
    steps = tuple((row["objective"], row["gap"], row["passes"]) for row in outcome.history)
    return (state.point.w.tobytes(), state.point.raw_intercept.tobytes(), vars(state.progress), steps)


# ------------------------------------------------------------------------------------ the walk


def test_it_finds_what_scikit_learn_finds(data: Data) -> None:
    found = train(LOGISTIC, data, tol=1e-12).solution.state.point
    peer = LogisticRegression(tol=1e-12, solver="newton-cholesky")
    peer.fit(data.X, data.labels, sample_weight=data.weight)
    assert found is not None
    assert_allclose(found.w, peer.coef_, rtol=1e-6)
    assert_allclose(found.raw_intercept, peer.intercept_, rtol=1e-6)


@pytest.mark.parametrize("threads", [1, 3, 8])
@pytest.mark.parametrize("training", [LOGISTIC, POISSON, LEAST_SQUARES], ids=lambda t: t.name)
def test_threads_leave_no_trace(
    training: Training, threads: int, data: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = bits(train(training, data))
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(threads)))
    assert InProcess().threads == threads
    assert bits(train(training, data)) == expected


COMPILED = (replace(LOGISTIC, solver="lbfgs"), replace(POISSON, solver="lbfgs"))  # sweeps without Hessian


def large(training: Training, data: Data, scheduler: Any = "threads") -> tuple[Any, ...]:
    """The bits of a fit that takes its data for large, and compiles."""
    with mock.patch("daskml_dist.solvers._base.LARGE", 0):
        return bits(train(training, data, scheduler))


@pytest.mark.slow
def test_workers_leave_no_trace(data: Data) -> None:
    """The same bits from threads and from 1 and 3 workers; a cluster that grows between fits is used."""
    every = (LOGISTIC, POISSON, LEAST_SQUARES)
    expected = {training.name: bits(train(training, data)) for training in every}
    compiled = {training.name: large(training, data) for training in COMPILED}
    assert compiled[LOGISTIC.name] != bits(train(COMPILED[0], data)), "the compiled loops were not used"
    with (
        LocalCluster(
            n_workers=1, threads_per_worker=2, processes=True, memory_limit="1GiB", dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        for workers in (1, 3):
            cluster.scale(workers)
            client.wait_for_workers(workers, timeout=60)
            for training in every:
                found = train(training, data, client)
                assert bits(found) == expected[training.name], (training.name, workers)
                assert max(row["tasks"] for row in found.history) <= 2 * 2 * workers + 1
            for training in COMPILED:
                assert large(training, data, client) == compiled[training.name], (training.name, workers)


def test_a_client_need_not_be_the_default_one(data: Data, cluster: LocalCluster) -> None:
    with Client(cluster, set_as_default=False) as client:
        assert bits(train(LOGISTIC, data, client)) == bits(train(LOGISTIC, data))


def released(client: Client) -> bool:
    """Whether the workers hold nothing any more, or soon will."""
    gc.collect()
    deadline = time.monotonic() + 15
    while any(client.has_what().values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def test_a_forgotten_fit_leaves_nothing_on_the_cluster(data: Data, client: Client) -> None:
    found = train(LOGISTIC, data, client)
    assert found.graph is not None
    del found
    assert released(client)


def test_a_fit_that_is_kept_leaves_no_data_on_the_cluster(data: Data, client: Client) -> None:
    found = train(LOGISTIC, data, client)
    assert released(client)
    del found


# ------------------------------------------------------------------------------ what is reported


def check_history(outcome: Outcome, tol: float) -> None:
    rows = outcome.history
    assert [row["passes"] for row in rows] == list(range(1, outcome.solution.state.passes + 1))
    assert all(row["rows"] == ROWS for row in rows)
    assert all(row["question"] in ("Sweep", "Moments", "TSQR") for row in rows)
    assert all(later <= before for before, later in pairs([row["objective"] for row in rows]))
    assert all(later >= before for before, later in pairs([row["seconds"] for row in rows]))
    assert all(row["tasks"] >= 1 and row["partial_bytes"] > 0 for row in rows)
    assert all(np.isfinite(row[name]) for row in rows for name in ("objective", "gap", "gradient_norm"))
    assert rows[-1]["gap"] <= tol
    assert all(type(value) in (int, float, str) for row in rows for value in row.values())


def pairs(values: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values[:-1], values[1:], strict=True))


@pytest.mark.parametrize("training", [LOGISTIC, POISSON], ids=lambda t: t.name)
@pytest.mark.parametrize("solver", ["progressive-newton", "newton", "lbfgs"])
def test_history_is_sane(training: Training, solver: str, data: Data) -> None:
    check_history(train(training, data, solver=solver, tol=1e-8), 1e-8)


class Recorder(Listener):
    """Somebody else's listener."""

    heard: list[Any] = []

    def begin(self, info: FitInfo) -> None:
        self.heard.append(info)

    def hear(self, step: Step) -> None:
        self.heard.append(step)

    def end(self, outcome: FitEnd) -> None:
        self.heard.append(outcome)


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Recorder]]:
    """A listener that announced itself."""
    monkeypatch.setattr("daskml_dist.monitor.discovery._factories", lambda: (("test", Recorder),))
    Recorder.heard = []
    yield Recorder


def test_a_foreign_listener_hears_everything(data: Data, recorder: type[Recorder]) -> None:
    outcome = train(POISSON, data)
    begin, *steps, end = recorder.heard
    assert (begin.estimator, begin.rows, begin.features) == ("Poisson", ROWS, FEATURES)
    assert [step.objective for step in steps] == [row["objective"] for row in outcome.history]
    assert (end.fit_id, end.status, end.passes) == (begin.fit_id, "converged", outcome.solution.state.passes)


def test_steps_are_published_on_the_topic(data: Data, client: Client) -> None:
    outcome = train(POISSON, data, client)
    deadline = time.monotonic() + 20
    messages: list[dict[str, Any]] = []
    while time.monotonic() < deadline and (not messages or messages[-1]["event"] != "end"):
        time.sleep(0.05)
        last = list(messages_of(client.get_events(TOPIC)))
        ids = [message["fit_id"] for message in last if message["event"] == "begin"]
        messages = [message for message in last if ids and message["fit_id"] == ids[-1]]
    assert [message["number"] for message in messages] == list(range(len(messages)))
    assert (messages[0]["event"], messages[1]["event"], messages[-1]["event"]) == ("begin", "placed", "end")
    steps = [message for message in messages if message["event"] == "step"]
    assert [m["objective"] for m in steps] == [row["objective"] for row in outcome.history]
    assert {message["client"] for message in messages} == {client.id}


def test_the_graph_of_a_pass_can_be_seen(data: Data, client: Client, tmp_path: Path) -> None:
    graph = train(LOGISTIC, data, client).graph
    names = [str(key) for key in graph.dask]
    assert any("-shard-" in name for name in names) and any(name.endswith("-finish") for name in names)
    assert train(LOGISTIC, data).graph is None
    pytest.importorskip("graphviz")
    if shutil.which("dot") is None:
        pytest.skip("drawing needs graphviz on the PATH")
    graph.visualize(filename=str(tmp_path / "pass"), format="dot")
    assert "finish" in (tmp_path / "pass.dot").read_text()


# -------------------------------------------------------------------------- stopped, resumed, lost


def after(questions: int, error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    """Raise an error instead of an answer, once so many questions were answered."""
    honest, asked = InProcess.answer, [0]

    def answer(self: InProcess, question: Any) -> Any:
        asked[0] += 1
        if asked[0] == questions + 1:
            raise error
        return honest(self, question)

    monkeypatch.setattr(InProcess, "answer", answer)


def test_a_fit_goes_on_from_its_checkpoint(data: Data, tmp_path: Path, recorder: type[Recorder]) -> None:
    whole = train(POISSON, data, solver="newton", tol=1e-9)
    first = train(POISSON, data, solver="newton", tol=1e-9, max_passes=3, checkpoint=str(tmp_path))
    assert not first.solution.converged and first.solution.state.passes == 3
    rest = train(POISSON, data, solver="newton", tol=1e-9, checkpoint=str(tmp_path))
    assert rest.solution.converged
    assert rest.history[0]["passes"] >= 3
    assert rest.solution.state.point is not None and whole.solution.state.point is not None
    assert_allclose(rest.solution.state.point.w, whole.solution.state.point.w, rtol=1e-6)


def test_a_checkpoint_of_another_training_is_refused(data: Data, tmp_path: Path) -> None:
    train(POISSON, data, checkpoint=str(tmp_path))
    with pytest.raises(CheckpointInvalid, match="another training: .*penalty was .* and is"):
        train(replace(POISSON, penalty=lambda total: L2(0.5)), data, checkpoint=str(tmp_path))


def test_ctrl_c_keeps_what_was_found(
    data: Data, monkeypatch: pytest.MonkeyPatch, recorder: type[Recorder]
) -> None:
    after(4, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(Interrupted) as told:
        train(POISSON, data, solver="newton")
    assert told.value.outcome is not None
    assert told.value.outcome.solution.state.point is not None
    assert recorder.heard[-1].status == "interrupted"


def test_ctrl_c_before_anything_was_found(data: Data, monkeypatch: pytest.MonkeyPatch) -> None:
    after(2, KeyboardInterrupt(), monkeypatch)
    with pytest.raises(Interrupted) as told:
        train(POISSON, data, solver="newton")
    assert told.value.outcome is None


@pytest.mark.parametrize("own", [True, False], ids=["own folder", "no folder"])
def test_a_cluster_that_gives_up_leaves_a_checkpoint(
    own: bool, data: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    after(4 + own, ClusterGaveUp("No workers."), monkeypatch)  # a folder asks for a fingerprint first
    with pytest.raises(ClusterGaveUp, match="No workers. The state after 2 passes is kept in") as told:
        train(POISSON, data, solver="newton", checkpoint=str(tmp_path) if own else None)
    folder = str(told.value).partition("checkpoint='")[2].partition("'")[0]
    monkeypatch.undo()
    rest = train(POISSON, data, solver="newton", checkpoint=folder)
    assert rest.solution.converged and rest.history[0]["passes"] == 3


def test_a_refinement_can_be_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Columns so nearly collinear that least squares need a second pass."""
    monkeypatch.setattr("daskml_dist.solvers.least_squares.SMALL_ELEMENTS", 0)
    rng = np.random.default_rng(0)
    X = rng.standard_normal((200, 3))
    X[:, 2] = X[:, 1] + 4e-7 * rng.standard_normal(200)
    y = X.sum(axis=1) + rng.standard_normal(200)
    found = fit(replace(LEAST_SQUARES, scheduler="threads", checkpoint=str(tmp_path)), X, y)
    assert found.solution.converged and found.solution.state.passes >= 2


# ------------------------------------------------------------------------------------ refusals


def test_what_cannot_be_solved_is_refused_before_data_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(InProcess, "hold", lambda self, table: pytest.fail("data were touched"))
    with pytest.raises(UnsupportedCombination, match="solver='least-squares' needs a quadratic loss"):
        fit(replace(POISSON, solver="least-squares"), np.ones((3, 1)), np.ones(3))


def test_nan_in_the_last_chunk_is_named(data: Data) -> None:
    for training in (LOGISTIC, POISSON, LEAST_SQUARES):
        for solver in ("auto", "newton"):
            bad = replace(data, X=data.X.copy())
            bad.X[5500, 3] = np.nan
            with pytest.raises(InvalidData, match=r"X contains NaN.*chunk 5.*row 500 .*column 3"):
                train(replace(training, solver=solver), bad)


def test_score(data: Data) -> None:
    point = train(POISSON, data).solution.state.point
    assert point is not None
    X, _, counts, weight = data.lazy()
    lazily = score(replace(POISSON, scheduler="threads"), point, X, counts, weight)
    at_once = score(POISSON, point, data.X, np.asarray(counts), data.weight)
    assert 0.05 < lazily < 1.0
    assert_allclose(lazily, at_once, rtol=1e-12)


# ------------------------------------------------------------------------------------- the lies


def test_a_history_that_lies_is_seen(data: Data) -> None:
    outcome = train(POISSON, data)
    for name, wrong in (("objective", 1e9), ("passes", 7), ("rows", 1), ("gap", 1.0), ("tasks", 0)):
        rows = [*outcome.history[:-1], {**outcome.history[-1], name: wrong}]
        with pytest.raises(AssertionError):
            check_history(replace(outcome, history=rows), 1e-6)
