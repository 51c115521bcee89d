"""Divergences are SciPy's; false alarms and misses are counted on windows that are drawn."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import chi2, ks_2samp

from daskml_dist import drift
from daskml_dist.drift.chi_square import quantile, tail
from daskml_dist.errors import InvalidData

SEED = 20261122
COLUMNS = 30


def claims(rows: int, seed: int = SEED) -> np.ndarray:
    """Columns as in tables: continuous, skewed, counted, of few levels, rare levels, missing values."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(rows, COLUMNS))
    X[:, 5:10] = np.exp(X[:, 5:10])
    X[:, 10:15] = rng.poisson(3.0, size=(rows, 5))
    X[:, 15:20] = rng.random((rows, 5)) < [0.5, 0.1, 0.02, 0.004, 0.0005]
    X[:, 20:25] = np.where(rng.random((rows, 5)) < 0.8, 0.0, X[:, 20:25])
    X[rng.random((rows, COLUMNS)) < np.linspace(0, 0.02, COLUMNS)] = np.nan
    return X


def counted(reference: drift.Reference, X: np.ndarray) -> np.ndarray:
    counter = drift.Counter(reference)
    counter.add(X)
    return counter.take()


def names() -> list[str]:
    return [f"x{i}" for i in range(COLUMNS)]


@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 19, 20, 119])
@pytest.mark.parametrize("probability", [0.5, 0.1, 1e-3, 1e-6, 1e-12])
def test_chi_square_is_scipys(freedom: int, probability: float) -> None:
    assert quantile(probability, freedom) == pytest.approx(chi2.isf(probability, freedom), rel=1e-10)
    assert tail(chi2.isf(probability, freedom), freedom) == pytest.approx(probability, rel=1e-10)


def test_the_ends_of_chi_square() -> None:
    assert quantile(0.1, 0) == 0.0
    assert quantile(0.0, 3) == np.inf
    assert tail(-1.0, 3) == 1.0


def test_divergences_are_those_of_scipy() -> None:
    X = np.random.default_rng(SEED).normal(size=(4000, 1))
    reference = drift.reference(X, ["x"])
    there = counted(reference, 0.5 + X[:1500])
    [judgement] = drift.judge(reference, there)
    p, q = there[0] / 1500, reference.counts[0] / 4000
    assert judgement.js == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    smooth_p, smooth_q = (p + 1 / 1500) / (1 + 23 / 1500), (q + 1 / 1500) / (1 + 23 / 1500)
    assert judgement.psi == pytest.approx(np.sum((smooth_p - smooth_q) * np.log(smooth_p / smooth_q)))
    exact = ks_2samp(0.5 + X[:1500, 0], X[:, 0]).statistic
    assert exact - 0.03 < judgement.ks <= exact + 1e-12
    assert judgement.rows == 1500
    assert judgement.drifted


def test_the_same_data_are_at_distance_zero() -> None:
    reference = drift.reference(claims(500), names())
    for judgement in drift.judge(reference, reference.counts):
        assert (judgement.psi, judgement.ks, judgement.drifted) == (0.0, 0.0, False)
        assert judgement.js == pytest.approx(0.0, abs=1e-12)


def test_nothing_in_common_is_at_distance_one() -> None:
    reference = drift.reference(np.arange(100.0)[:, None], ["x"])
    [judgement] = drift.judge(reference, counted(reference, np.full((1000, 1), 1e6)))
    assert judgement.js == pytest.approx(1.0)
    assert judgement.ks == pytest.approx(1.0)


def test_no_rows_are_no_drift() -> None:
    reference = drift.reference(claims(500), names())
    for judgement in drift.judge(reference, np.zeros_like(reference.counts)):
        assert (judgement.psi, judgement.js, judgement.ks, judgement.rows) == (0.0, 0.0, 0.0, 0)
        assert not judgement.drifted


def false_alarms(
    reference: drift.Reference, source: np.ndarray, rows: int, windows: int, level: float
) -> float:
    """The share of windows, resampled from a source, with an alarm in one column or more."""
    rng = np.random.default_rng(SEED + rows)
    alarms = 0
    for _ in range(windows):
        there = counted(reference, source[rng.integers(0, len(source), rows)])
        alarms += any(judgement.drifted for judgement in drift.judge(reference, there, level=level))
    return alarms / windows


@pytest.mark.parametrize(("seen", "rows"), [(20_000, 1000), (1500, 1000), (20_000, 150)])
def test_false_alarms_are_as_rare_as_promised(seen: int, rows: int) -> None:
    """At a level that few windows can show; the slow test draws windows enough for the default."""
    source = claims(20_000, seed=SEED + 1)
    reference = drift.reference(claims(seen), names())
    assert false_alarms(reference, source, rows, 200, level=0.02) <= 0.02 + 3 * np.sqrt(0.02 / 200)


@pytest.mark.slow
@pytest.mark.parametrize("rows", [1000, 2000])
def test_one_false_alarm_in_a_thousand_windows(rows: int) -> None:
    source = claims(20_000)
    reference = drift.reference(source, names())
    assert false_alarms(reference, source, rows, 5000, level=0.001) <= 0.001


def test_a_fixed_threshold_would_not_do() -> None:
    """The lie: the folk rule of 0.1 fails on small windows of the same data, and misses a real shift."""
    source = claims(20_000)
    reference = drift.reference(source, names())
    small = drift.judge(reference, counted(reference, source[:100]))
    assert sum(judgement.psi > 0.1 for judgement in small) > 5
    shifted = np.random.default_rng(SEED).normal(0.25, 1.0, size=(2000, COLUMNS))
    assert drift.judge(reference, counted(reference, shifted))[0].psi < 0.1


def missed(reference: drift.Reference, rng: np.random.Generator, windows: int) -> tuple[int, int]:
    """Shifts of a quarter deviation in one column of 30 that 2,000 rows, or two windows, do not show."""
    once = pairs = 0
    for _ in range(windows):
        X = rng.normal(size=(2000, COLUMNS))
        X[:, 7] += 0.25
        once += not drift.judge(reference, counted(reference, X))[7].drifted
        window = drift.Window(reference)
        window.add(counted(reference, X[:1000]))
        window.add(counted(reference, X[1000:]))
        pairs += "x7" not in window.alarms
    return once, pairs


def test_a_shift_of_a_quarter_deviation_is_found_in_2000_rows() -> None:
    rng = np.random.default_rng(SEED)
    reference = drift.reference(rng.normal(size=(20_000, COLUMNS)), names())
    once, pairs = missed(reference, rng, 100)
    assert once == 0
    assert pairs <= 3  # one in a hundred is promised; the slow test counts more


@pytest.mark.slow
def test_a_shift_is_found_in_99_of_100_windows() -> None:
    rng = np.random.default_rng(SEED)
    reference = drift.reference(rng.normal(size=(20_000, COLUMNS)), names())
    assert max(missed(reference, rng, 3000)) <= 30


@pytest.mark.parametrize("what", ["missing", "below", "above", "level"])
def test_what_was_never_seen_is_found(what: str) -> None:
    X = np.random.default_rng(SEED).normal(size=(50_000, 1))
    reference = drift.reference(X, ["x"])
    rows = X[:2000].copy()
    rows[:40] = {"missing": np.nan, "below": -100.0, "above": 100.0, "level": 0.5}[what]
    [judgement] = drift.judge(reference, counted(reference, rows))
    assert judgement.drifted == (what != "level")  # 2 % more of a common value is nothing


def test_large_windows_do_not_complain_of_what_is_too_small_to_matter() -> None:
    rng = np.random.default_rng(SEED)
    reference = drift.reference(rng.normal(size=(200_000, 1)), ["x"])
    there = counted(reference, rng.normal(0.05, 1.0, size=(200_000, 1)))
    assert not drift.judge(reference, there)[0].drifted
    assert drift.judge(reference, there, floor=0.0)[0].drifted


def test_bad_arguments() -> None:
    reference = drift.reference(claims(500), names())
    with pytest.raises(InvalidData, match="counts of shape"):
        drift.judge(reference, reference.counts[:, :-1])
    with pytest.raises(InvalidData, match="level=2"):
        drift.judge(reference, reference.counts, level=2)
    with pytest.raises(InvalidData, match="rows=0"):
        drift.Window(reference, rows=0)
    with pytest.raises(InvalidData, match="counts of shape"):
        drift.Window(reference).add(reference.counts[:1])


def windows(*shifts: float) -> SimpleNamespace:
    """The alarms after each window of 1,000 rows, with a column shifted by so much."""
    rng = np.random.default_rng(SEED)
    reference = drift.reference(rng.normal(size=(20_000, 2)), ["a", "b"])
    window, alarms, full = drift.Window(reference), [], []
    for shift in shifts:
        X = rng.normal(size=(1000, 2)) + [shift, 0.0]
        full += [window.add(counted(reference, X[:999])), window.add(counted(reference, X[999:]))]
        alarms.append(window.alarms)
    return SimpleNamespace(alarms=alarms, full=full, window=window)


def test_an_alarm_needs_two_windows_in_a_row_and_ends() -> None:
    found = windows(0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.0)
    assert found.alarms == [[], [], [], ["a"], ["a"], [], []]
    assert found.full == [False, True] * 7
    assert found.window.judgements[0].rows == 2000


def test_one_burst_is_no_alarm() -> None:
    assert windows(0.0, 5.0, 0.0, 0.0).alarms == [[], [], [], []]
    assert windows(5.0).alarms == [[]]
