"""More different scores than fit: brackets hold, exact areas are exact, and what is held stays bounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn.metrics
from numpy.testing import assert_allclose

from daskml_dist import metrics
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.kernels import ScoreSketch, Sketch, TargetSketch
from daskml_dist.metrics import Bracket, _ranking, curves, explained
from daskml_dist.metrics._base import Scored
from tests.metrics.containers import cut

ROWS = 1200
CHUNKS = (500, 1, 0, 699)
FEW = 64


def _rows(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, scores of many sizes with heavy ties among them, and weights, some of them zero."""
    rng = np.random.default_rng(seed)
    y = (rng.random(ROWS) < 0.3).astype(int)
    score = (rng.standard_normal(ROWS) + 1.5 * y) * 10.0 ** rng.integers(-2, 3, ROWS)
    score[rng.random(ROWS) < 0.2] = 0.0
    score[rng.random(ROWS) < 0.05] = np.nextafter(0.5, 1.0)
    score[rng.random(ROWS) < 0.05] = 0.5
    return y, score, np.where(rng.random(ROWS) < 0.1, 0.0, rng.random(ROWS))


PERFECT = (np.repeat([0, 1], ROWS // 2), np.arange(1.0 * ROWS), np.ones(ROWS))
REVERSED = (np.repeat([1, 0], ROWS // 2), np.arange(1.0 * ROWS), np.ones(ROWS))
ROWS_OF = {"ties": _rows(1), "more ties": _rows(2), "perfect": PERFECT, "reversed": REVERSED}
every_rows = pytest.mark.parametrize("rows", ROWS_OF.values(), ids=ROWS_OF)
AREAS = {
    "roc_auc": (metrics.roc_auc_score, metrics.roc_auc_bracket, sklearn.metrics.roc_auc_score, {}),
    "partial": (
        metrics.roc_auc_score,
        metrics.roc_auc_bracket,
        sklearn.metrics.roc_auc_score,
        {"max_fpr": 0.13},
    ),
    "average precision": (
        metrics.average_precision_score,
        metrics.average_precision_bracket,
        sklearn.metrics.average_precision_score,
        {},
    ),
}
every_area = pytest.mark.parametrize("area", AREAS.values(), ids=AREAS)


@pytest.fixture
def few_bins(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sketches of few bins; the bins of each one that was asked for."""
    monkeypatch.setattr(_ranking, "BINS", FEW)
    monkeypatch.setattr(explained, "BINS", FEW)
    asked: list[int] = []
    ask = Scored.ask

    def counting(self: Scored, kernel: Any) -> Any:
        found = ask(self, kernel)
        if isinstance(kernel, (ScoreSketch, TargetSketch)):
            assert isinstance(found, Sketch)
            assert kernel.most == FEW
            asked.append(len(found.low))
        return found

    monkeypatch.setattr(Scored, "ask", counting)
    return asked


def check_bracket(found: Bracket, expected: float) -> None:
    low, value, high = (np.asarray(part) for part in found)
    assert np.all(low - 1e-14 <= expected), f"{expected} is below {low}"
    assert np.all(expected <= high + 1e-14), f"{expected} is above {high}"
    assert np.all(low <= value + 1e-15) and np.all(value <= high + 1e-15)


@pytest.mark.parametrize("weighted", [False, True])
@every_rows
@every_area
def test_a_bracket_holds_the_exact_area(area: Any, rows: Any, weighted: bool, few_bins: list[int]) -> None:
    _, bracket, theirs, options = area
    y, score, weight = rows
    given = {"sample_weight": weight} if weighted else {}
    check_bracket(bracket(y, score, **given, **options), theirs(y, score, **given, **options))
    assert len(few_bins) == 1
    assert few_bins[0] <= FEW


@pytest.mark.thinned(3)
@pytest.mark.parametrize("weighted", [False, True])
@every_rows
@every_area
def test_exact_is_exact_however_little_fits(
    area: Any, rows: Any, weighted: bool, few_bins: list[int]
) -> None:
    mine, _, theirs, options = area
    y, score, weight = rows
    held = {"sample_weight": cut(CHUNKS)(weight)} if weighted else {}
    given = {"sample_weight": weight} if weighted else {}
    found = mine(cut(CHUNKS)(y), cut(CHUNKS)(score), **held, **options)
    assert found == pytest.approx(theirs(y, score, **given, **options), rel=1e-13)
    assert max(few_bins) <= FEW
    assert len(few_bins) <= 3 * ROWS // FEW


@pytest.mark.thinned(5)
@pytest.mark.parametrize("seed", range(25))
@every_area
def test_small_random_rows(area: Any, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    mine, bracket, theirs, options = area
    rng = np.random.default_rng(seed)
    rows = int(rng.integers(2, 60))
    y = (rng.random(rows) < rng.random()).astype(int)
    y[:2] = 0, 1
    score = rng.standard_normal(rows) * 10.0 ** rng.integers(-300, 300, rows)
    score = [score, np.round(rng.standard_normal(rows), 1), rng.integers(0, 3, rows) * 1.0][seed % 3]
    monkeypatch.setattr(_ranking, "BINS", int(rng.integers(4, 20)))
    expected = theirs(y, score, **options)
    check_bracket(bracket(y, score, **options), expected)
    assert mine(y, score, **options) == pytest.approx(expected, rel=1e-13)


def test_the_bracket_narrows_with_the_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    y, score, _ = ROWS_OF["ties"]
    widths = []
    for bins in (32, 128, 512, 4096):
        monkeypatch.setattr(_ranking, "BINS", bins)
        low, _, high = metrics.roc_auc_bracket(y, score)
        widths.append(high - low)
    assert sorted(widths, reverse=True) == widths
    assert widths[-1] == 0.0
    assert widths[-2] < 0.2 * widths[0]


def test_ties_do_not_widen_a_bracket(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of all rows at one score, which fills no bin with anything else."""
    rng = np.random.default_rng(4)
    y, score = rng.integers(0, 2, ROWS), np.where(rng.random(ROWS) < 0.5, 0.0, 1.0 + rng.random(ROWS))
    monkeypatch.setattr(_ranking, "BINS", 512)
    low, value, high = metrics.roc_auc_bracket(y, score)
    assert high - low < 0.005
    assert metrics.roc_auc_score(y, score, method="binned") == value


@every_rows
def test_exact_curves_are_scikit_learns(rows: Any, few_bins: list[int]) -> None:
    y, score, weight = rows
    for name in ("roc_curve", "precision_recall_curve"):
        found = getattr(metrics, name)(cut(CHUNKS)(y), cut(CHUNKS)(score), sample_weight=weight)
        for mine, yours in zip(
            found, getattr(sklearn.metrics, name)(y, score, sample_weight=weight), strict=True
        ):
            assert_allclose(mine, yours, rtol=1e-12)
    assert max(few_bins) <= FEW


@every_rows
def test_binned_curves_are_points_of_the_exact_ones(rows: Any, few_bins: list[int]) -> None:
    y, score, _ = rows
    for name in ("roc_curve", "precision_recall_curve"):
        exact = getattr(sklearn.metrics, name)(y, score, drop_intermediate=False)
        found = getattr(metrics, name)(y, score, method="binned", drop_intermediate=False)
        points = {tuple(point) for point in zip(*(part[: len(exact[2])] for part in exact), strict=True)}
        assert {
            tuple(point) for point in zip(*(part[: len(found[2])] for part in found), strict=True)
        } <= points
        assert len(found[2]) <= FEW + 1
    assert len(few_bins) == 2


@pytest.mark.parametrize("average", ["macro", "weighted", "micro", None])
def test_several_classes(average: Any, few_bins: list[int]) -> None:
    rng = np.random.default_rng(9)
    y = rng.choice(4, 600, p=[0.5, 0.3, 0.15, 0.05])
    chances = rng.dirichlet(np.ones(4), 600) * 0.7 + 0.3 * np.eye(4)[y]
    given = {"average": average, "multi_class": "ovr"}
    check_bracket(
        metrics.roc_auc_bracket(y, chances, **given), sklearn.metrics.roc_auc_score(y, chances, **given)
    )
    assert_allclose(
        metrics.roc_auc_score(y, chances, **given),
        sklearn.metrics.roc_auc_score(y, chances, **given),
        rtol=1e-13,
    )
    expected = sklearn.metrics.average_precision_score(y, chances, average=average)
    check_bracket(metrics.average_precision_bracket(y, chances, average=average), expected)
    assert_allclose(metrics.average_precision_score(y, chances, average=average), expected, rtol=1e-13)
    if average in ("macro", "weighted"):
        given["multi_class"] = "ovo"
        expected = sklearn.metrics.roc_auc_score(y, chances, **given)
        check_bracket(metrics.roc_auc_bracket(y, chances, **given), expected)
        assert metrics.roc_auc_score(y, chances, **given) == pytest.approx(expected, rel=1e-13)
    assert max(few_bins) <= FEW


@pytest.mark.parametrize("alpha", [0.0, 0.1, 0.5, 0.99, 1.0])
def test_quantiles_are_exact_however_little_fits(alpha: float, few_bins: list[int]) -> None:
    _, score, weight = ROWS_OF["ties"]
    y = np.column_stack([score, score**3, -score])
    near = y + np.random.default_rng(6).standard_normal(y.shape)
    options = {"alpha": alpha, "multioutput": "raw_values", "sample_weight": weight}
    found = metrics.d2_pinball_score(cut(CHUNKS)(y), cut(CHUNKS)(near), **options)
    assert_allclose(found, sklearn.metrics.d2_pinball_score(y, near, **options), rtol=1e-12)
    assert max(few_bins) <= FEW
    assert 3 <= len(few_bins) <= 30


def test_an_exact_curve_of_too_many_points_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_ranking, "BINS", FEW)
    monkeypatch.setattr(curves, "MOST_POINTS", 1000)
    y, score, _ = ROWS_OF["perfect"]
    with pytest.raises(InvalidData, match=r"has 1,1.. rows .* 1,000 points at most. Use method='binned'"):
        metrics.roc_curve(y, score)
    assert len(metrics.roc_curve(y, score, method="binned")[0]) > 2


@pytest.mark.parametrize(
    "name", ["roc_auc_score", "average_precision_score", "roc_curve", "precision_recall_curve"]
)
def test_an_unknown_method_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedParameter, match="method='fast' was given; expected 'exact' or 'binned'"):
        getattr(metrics, name)([0, 1], [0.1, 0.2], method="fast")


def test_the_check_of_brackets_sees_lies() -> None:
    for lie in (Bracket(0.5, 0.6, 0.7), Bracket(0.1, 0.15, 0.2), Bracket(0.2, 0.1, 0.9)):
        with pytest.raises(AssertionError):
            check_bracket(lie, 0.4)
