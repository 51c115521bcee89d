"""Interrupted, resumed, warm started, out of passes, kept on disk: nothing that was reached is lost."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from distributed import Client, Future
from sklearn.exceptions import ConvergenceWarning

import daskml_dist
from daskml_dist.cluster.in_process import InProcess
from daskml_dist.cluster.on_dask import OnDask
from daskml_dist.errors import CheckpointInvalid
from daskml_dist.kernels import Sweep
from daskml_dist.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from tests.linear_model.problems import chunked, data
from tests.linear_model.truth import theta_of

pytestmark = pytest.mark.few_clusters

DATA = data()
ITERATIVE: list[Any] = [
    LogisticRegression(C=100.0, tol=1e-12, verbose=0),
    LogisticRegression(C=100.0, tol=1e-12, solver="newton", verbose=0),
    LogisticRegression(C=100.0, tol=1e-9, solver="lbfgs", verbose=0),
    PoissonRegressor(alpha=1e-3, tol=1e-12, verbose=0),
]
every_model = pytest.mark.parametrize(
    "model", ITERATIVE, ids=lambda model: f"{type(model).__name__}-{model.solver}"
)


def _fresh(model: Any, **changes: Any) -> Any:
    return type(model)(**{**model.get_params(), **changes})


def _fit(model: Any) -> Any:
    return model.fit(chunked(DATA.X, 5), chunked(DATA.target(type(model)), 5))


def _interrupt_after(monkeypatch: pytest.MonkeyPatch, sweeps: int) -> None:
    """Ctrl-C while the pass after so many passes is under way."""
    asked = 0
    for hands in (InProcess, OnDask):
        answer = hands.answer

        def interrupted(self: Any, question: Any, answer: Any = answer) -> Any:
            nonlocal asked
            asked += isinstance(question.kernel, Sweep)
            if asked > sweeps:
                raise KeyboardInterrupt
            return answer(self, question)

        monkeypatch.setattr(hands, "answer", interrupted)


@pytest.mark.parametrize("passes", [1, 2])
@every_model
def test_an_interrupted_fit_keeps_what_it_has(
    model: Any, passes: int, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = _fresh(model)
    with monkeypatch.context() as patched:
        _interrupt_after(patched, passes)
        with pytest.raises(KeyboardInterrupt):
            _fit(fitted)
    assert fitted.n_passes_ == passes
    assert len(fitted.history_) == passes
    assert np.isfinite(fitted.coef_).all()
    assert np.isfinite(fitted.gap_)
    assert fitted.predict(DATA.X).shape == (600,)


def test_an_interruption_inside_a_kernel_goes_up(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    chunk = Sweep.chunk

    def interrupted(self: Sweep, given: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls > 10:  # two passes over four chunks with rows, and into the third
            raise KeyboardInterrupt
        return chunk(self, given)

    monkeypatch.setattr(Sweep, "chunk", interrupted)
    model = LogisticRegression(solver="newton", verbose=0)
    with pytest.raises(KeyboardInterrupt):
        _fit(model)
    assert model.n_passes_ == 2


def test_an_interruption_before_anything_is_known_leaves_no_attributes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _interrupt_after(monkeypatch, 0)
    model = LogisticRegression(solver="newton", verbose=0)
    with pytest.raises(KeyboardInterrupt):
        _fit(model)
    assert "coef_" not in vars(model)


SCRIPT = """
import sys
import numpy as np
from distributed import Client, LocalCluster
from daskml_dist.linear_model import LogisticRegression
from tests.linear_model.problems import chunked

if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = rng.standard_normal((2000, 5))
    y = X[:, 0] > 0
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0", "memory_limit": "1GiB"}
    with LocalCluster(**options) as cluster, Client(cluster):
        endless = {"C": 1e9, "solver": "lbfgs", "tol": 0.0, "max_iter": 100_000, "verbose": 0}
        model = LogisticRegression(checkpoint=sys.argv[1], **endless)
        try:
            model.fit(chunked(X, 4), chunked(y, 4))
        except KeyboardInterrupt:
            print("kept", model.n_passes_, bool(np.isfinite(model.coef_).all()), flush=True)
"""


@pytest.mark.slow
def test_a_real_ctrl_c_on_a_cluster(tmp_path: Path) -> None:
    script, kept = tmp_path / "interrupted.py", tmp_path / "kept"
    script.write_text(SCRIPT)
    root = Path(daskml_dist.__file__).parents[1]
    child = subprocess.Popen(
        [sys.executable, str(script), str(kept)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=root,
        env={"PYTHONPATH": str(root), "PATH": ""},
    )
    try:
        deadline = time.monotonic() + 120
        while not (kept.is_dir() and any(kept.glob("*.ckpt"))):
            assert child.poll() is None, child.stderr.read()
            assert time.monotonic() < deadline, "no pass was made"
            time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    finally:
        child.kill()
    assert out.startswith("kept "), err
    passes, finite = out.split()[1:]
    assert int(passes) >= 1
    assert finite == "True"
    assert child.returncode == 0


@every_model
def test_a_second_fit_from_the_optimum_takes_one_pass(model: Any, backend: str) -> None:
    fitted = _fit(_fresh(model, warm_start=True))
    theta, passes = theta_of(fitted), fitted.n_passes_
    assert passes > 1
    _fit(fitted)
    assert fitted.n_passes_ == 1
    np.testing.assert_allclose(theta_of(fitted), theta, rtol=1e-4 if model.solver == "lbfgs" else 1e-9)


def test_without_warm_start_a_second_fit_is_the_first_again() -> None:
    model = _fit(LogisticRegression(verbose=0))
    theta, passes = theta_of(model), model.n_passes_
    _fit(model)
    assert model.n_passes_ == passes
    assert theta_of(model).tobytes() == theta.tobytes()


def test_a_warm_start_may_change_its_mind() -> None:
    model = _fit(LogisticRegression(warm_start=True, tol=1e-12, verbose=0))
    model.set_params(C=0.01, fit_intercept=False)
    expected = _fit(LogisticRegression(C=0.01, fit_intercept=False, tol=1e-12, verbose=0))
    np.testing.assert_allclose(theta_of(_fit(model)), theta_of(expected), rtol=1e-8)
    with pytest.raises(ValueError, match="warm_start=True starts from 5 coefficients, and X has 3 features"):
        model.fit(DATA.X[:, :3], DATA.labels)


@every_model
def test_running_out_of_passes_is_told(model: Any, backend: str) -> None:
    fitted = _fresh(model, max_iter=1)
    text = f"{type(model).__name__} did not reach tol=.* within max_iter=1 passes; the relative gap is"
    with pytest.warns(ConvergenceWarning, match=text):
        _fit(fitted)
    assert fitted.n_passes_ == 1
    assert fitted.gap_ > model.tol
    assert fitted.n_iter_ == 1


@pytest.mark.parametrize("passes", [1, 2])
@every_model
def test_a_fit_goes_on_from_its_checkpoint(
    model: Any, passes: int, tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = _fit(_fresh(model))
    cut_short = _fresh(model, checkpoint=str(tmp_path))
    with monkeypatch.context() as patched:
        _interrupt_after(patched, passes + 1)  # the state of a pass is kept before the next one
        with pytest.raises(KeyboardInterrupt):
            _fit(cut_short)
    resumed = _fit(_fresh(model, checkpoint=str(tmp_path)))
    assert resumed.n_passes_ > passes
    assert theta_of(resumed).tobytes() == theta_of(whole).tobytes()


def test_a_finished_fit_is_verified_by_one_more_pass(tmp_path: Path) -> None:
    first = _fit(LogisticRegression(checkpoint=str(tmp_path), verbose=0))
    again = _fit(LogisticRegression(checkpoint=str(tmp_path), verbose=0))
    assert again.gap_ < 1e-6
    assert again.n_passes_ <= first.n_passes_ + 1
    np.testing.assert_allclose(theta_of(again), theta_of(first), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"C": 3.0}, "penalty was"),
        ({"fit_intercept": False}, "intercept was True"),
        ({"solver": "lbfgs"}, "solver"),
    ],
)
def test_a_foreign_checkpoint_is_refused(changes: dict[str, Any], text: str, tmp_path: Path) -> None:
    kept = {"checkpoint": str(tmp_path), "verbose": 0}
    _fit(LogisticRegression(**kept))
    with pytest.raises(CheckpointInvalid, match=f"belongs to another training: .*{text}.*another checkpoint"):
        _fit(LogisticRegression(**kept, **changes))
    with pytest.raises(CheckpointInvalid, match="rows was 600 and is 300"):
        LogisticRegression(**kept).fit(DATA.X[:300], DATA.labels[:300])
    with pytest.raises(
        CheckpointInvalid, match="estimator was 'LogisticRegression' and is 'PoissonRegressor'"
    ):
        PoissonRegressor(**kept).fit(DATA.X, DATA.counts)


@pytest.mark.parametrize("estimator", [LinearRegression, Ridge, LogisticRegression, PoissonRegressor])
def test_a_model_survives_disk_and_pickle(estimator: Any, tmp_path: Path, client: Client) -> None:
    y = DATA.target(estimator)
    if estimator is LogisticRegression:
        y = np.where(y > 0, "yes", "no")
    model = estimator(verbose=0, scheduler=client).fit(chunked(DATA.X, 5), chunked(y, 5))
    assert not any(isinstance(value, Future) for value in vars(model).values())
    daskml_dist.save(model, str(tmp_path / "model"))
    kept = daskml_dist.load(str(tmp_path / "model"))
    unscheduled = estimator(**{**model.get_params(), "scheduler": None})
    vars(unscheduled).update({name: value for name, value in vars(model).items() if name.endswith("_")})
    for other in (kept, pickle.loads(pickle.dumps(unscheduled))):
        assert np.asarray(other.predict(DATA.X)).tolist() == np.asarray(model.predict(DATA.X)).tolist()
        assert other.gap_ == model.gap_
        assert other.history_ == model.history_
        assert other.graph_ is None
        assert other.get_params() == unscheduled.get_params()
