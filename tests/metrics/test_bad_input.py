"""What cannot be scored is refused in words: what it was, by the caller's name, where, and what to do."""

from __future__ import annotations

from typing import Any

import dask.array as da
import numpy as np
import pandas as pd
import pytest
import scipy.sparse
import xarray as xr

from daskml_dist import metrics
from daskml_dist.errors import ChunkMismatch, InvalidData, NonFiniteData, UnsupportedParameter
from tests.metrics.containers import unknown

N = 300
RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 2, N)
NUMBERS = RNG.random(N) + 0.1
WORDS = np.where(LABELS, "y", "X")
KINDS = {
    "accuracy_score": (LABELS, LABELS, "y_pred"),
    "roc_auc_score": (LABELS, NUMBERS, "y_score"),
    "roc_curve": (LABELS, NUMBERS, "y_score"),
    "log_loss": (LABELS, NUMBERS / 2, "y_proba"),
    "mean_squared_error": (NUMBERS, NUMBERS, "y_pred"),
    "d2_pinball_score": (NUMBERS, NUMBERS, "y_pred"),
    "r2_score": (NUMBERS, NUMBERS, "y_pred"),
    "mean_poisson_deviance": (NUMBERS, NUMBERS, "y_pred"),
}
every_kind = pytest.mark.parametrize("name", KINDS)


def _cut(array: Any) -> da.Array:
    return da.from_array(array, chunks=(100, *array.shape[1:]))


def _with(array: np.ndarray, row: int, value: Any) -> np.ndarray:
    changed = np.array(array, dtype=float)
    changed[row] = value
    return changed


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("part", [0, 1, 2])
@every_kind
def test_values_that_are_not_finite_are_found(name: str, part: int, value: float) -> None:
    target, prediction, called = KINDS[name]
    given = [target, prediction, np.ones(N)]
    given[part] = _with(given[part], 207, value)
    what = "NaN" if np.isnan(value) else "infinity"
    by_name = ("y_true", called, "sample_weight")[part]
    place = rf"Input {by_name} contains {what}: 1 value.*chunk 2, the first in row 7 of the chunk"
    y, z, weight = (_cut(column) for column in given)
    with pytest.raises(NonFiniteData, match=place):
        getattr(metrics, name)(y, z, sample_weight=weight)
    with pytest.raises(NonFiniteData, match=f"Input {by_name} contains {what}"):
        getattr(metrics, name)(given[0], given[1], sample_weight=given[2])


@pytest.mark.slow
def test_a_cluster_says_the_same(client: Any) -> None:
    with pytest.raises(
        NonFiniteData, match="Input y_score contains NaN: 1 value.*chunk 2, the first in row 7"
    ):
        metrics.roc_auc_score(_cut(LABELS), _cut(_with(NUMBERS, 207, np.nan)))
    with pytest.raises(
        InvalidData, match="Mix of label input types.*y_true holds 0, 1; y_pred holds 'X', 'y'"
    ):
        metrics.accuracy_score(_cut(LABELS), _cut(WORDS))


def test_missing_labels_are_found() -> None:
    for missing in (None, np.nan):
        words = WORDS.astype(object)
        words[207] = missing
        for y_true, y_pred, name in ((words, WORDS, "y_true"), (WORDS, words, "y_pred")):
            text = rf"Input {name} contains NaN: 1 missing value\(s\) in chunk 2, the first in row 7"
            with pytest.raises(NonFiniteData, match=text):
                metrics.f1_score(_cut(y_true), _cut(y_pred), pos_label="y")
            with pytest.raises(NonFiniteData, match=f"Input {name} contains NaN"):
                metrics.f1_score(pd.Series(y_true), y_pred, pos_label="y")


@pytest.mark.parametrize("chunked", [False, True], ids=["in memory", "chunked"])
@every_kind
def test_weights_are_refused_in_words(name: str, chunked: bool) -> None:
    target, prediction, _ = KINDS[name]
    for weight, text in (
        (
            _with(np.ones(N), 250, -2.0),
            r"Negative values .* `sample_weight`: 1 in chunk [02], the smallest -2",
        ),
        (np.zeros(N), "weights add up to zero|at least one non-zero"),
        (np.ones((N, 2)), "must be 1D array or scalar, got 2D"),
        (np.full(N, "a"), "sample_weight is of dtype <U1"),
        (np.ones(N - 1), r"inconsistent numbers of samples: \[300, 299\]"),
    ):
        given = [_cut(part) if chunked else part for part in (target, prediction, weight)]
        with pytest.raises(InvalidData, match=text):
            getattr(metrics, name)(given[0], given[1], sample_weight=given[2])


@pytest.mark.parametrize("chunked", [False, True], ids=["in memory", "chunked"])
@every_kind
def test_shapes_are_refused_in_words(name: str, chunked: bool) -> None:
    target, prediction, called = KINDS[name]
    for y, z, text in (
        (target[:-1], prediction, rf"inconsistent numbers of samples: \[300, 299\] \({called}, y_true\)"),
        (target[:0], prediction[:0], r"0 sample\(s\)"),
        (
            target.reshape(-1, 2),
            prediction,
            "y_true should be a 1d array|different number of output|inconsistent",
        ),
        (
            np.stack([target] * 2, axis=1),
            prediction,
            "should be a 1d array of labels|number of output|Multioutput",
        ),
        (target, np.zeros((N, 2, 2)), rf"{called} should be a 1d|Found array with dim 3"),
        (target + 1j, prediction, "Complex data not supported"),
        (target, (prediction + 1j), "Complex data not supported"),
    ):
        given = [_cut(part) if chunked else part for part in (y, z)]
        with pytest.raises(ValueError, match=text):
            getattr(metrics, name)(*given)


REFUSALS: list[tuple[str, Any, Any, dict[str, Any], str]] = [
    ("accuracy_score", LABELS, NUMBERS, {}, r"continuous.*y_pred holds fractions such as .*\(chunk 0\)"),
    ("accuracy_score", NUMBERS, LABELS, {}, "continuous.*y_true holds fractions"),
    (
        "accuracy_score",
        LABELS,
        WORDS,
        {},
        "Mix of label input types.*y_pred holds 'X', 'y'. Convert one of them",
    ),
    ("accuracy_score", WORDS, LABELS.astype(str), {"normalize": "yes"}, "'normalize' parameter"),
    ("f1_score", LABELS, LABELS, {"pos_label": 3}, "pos_label=3 is not a valid label"),
    ("f1_score", np.arange(N) % 3, LABELS, {}, "Target is multiclass but average='binary'"),
    ("f1_score", WORDS, WORDS, {"average": "samples"}, "Samplewise metrics are not available"),
    ("f1_score", WORDS, WORDS, {"average": "best"}, "'average' parameter"),
    ("confusion_matrix", LABELS, LABELS, {"labels": [7]}, "At least one label specified must be in y_true"),
    ("roc_auc_score", NUMBERS, NUMBERS, {}, "continuous.*y_true holds fractions"),
    ("roc_auc_score", np.arange(N) % 3, NUMBERS, {}, r"multi_class must be in \('ovo', 'ovr'\)"),
    ("roc_auc_score", LABELS, np.stack([NUMBERS] * 2, axis=1), {}, r"y_score has 2 columns.*y_score\[:, 1\]"),
    ("roc_curve", LABELS, np.stack([NUMBERS] * 2, axis=1), {}, "y_score has 2 columns, and one score a row"),
    (
        "average_precision_score",
        LABELS,
        np.stack([NUMBERS] * 3, axis=1),
        {},
        "y_score has 3 columns, and one",
    ),
    (
        "roc_auc_score",
        np.arange(N) % 3,
        np.stack([NUMBERS] * 3, axis=1),
        {"multi_class": "ovr"},
        r"need to be probabilities.*row\(s\) of y_score in chunk 0 do not, the first is row 0 .* sum of",
    ),
    ("roc_auc_score", LABELS, NUMBERS, {"max_fpr": 0.0}, "'max_fpr' parameter"),
    ("roc_curve", WORDS, NUMBERS, {}, "pos_label is not specified"),
    ("roc_curve", np.arange(N) % 3, NUMBERS, {}, "multiclass format is not supported"),
    ("average_precision_score", WORDS, NUMBERS, {}, "pos_label=1 is not a valid label"),
    (
        "average_precision_score",
        np.arange(N) % 3,
        NUMBERS,
        {},
        r"y_score has 1 column\(s\), and y_true has 3 classes",
    ),
    ("log_loss", LABELS, NUMBERS + 1, {}, r"y_proba contains values greater than 1: .*\(chunk 0\)"),
    ("log_loss", LABELS, NUMBERS - 1, {}, r"y_proba contains values less than 0: .*\(chunk 0\)"),
    ("log_loss", np.zeros(N, dtype=int), NUMBERS / 2, {}, "y_true contains only one label"),
    ("log_loss", LABELS, np.full((N, 3), 1 / 3), {}, "different number of classes"),
    ("log_loss", LABELS, NUMBERS / 2, {"labels": [1, 2]}, "not belonging to the passed labels"),
    ("brier_score_loss", WORDS, NUMBERS / 2, {}, "pos_label is not specified"),
    ("brier_score_loss", np.arange(N) % 3, NUMBERS / 2, {}, "multiclass but should be binary"),
    ("mean_squared_error", WORDS, NUMBERS, {}, "y_true is of dtype <U1; numbers are expected"),
    ("mean_squared_error", NUMBERS, WORDS, {}, "y_pred is of dtype <U1; numbers are expected"),
    ("mean_squared_error", NUMBERS, NUMBERS, {"multioutput": "best"}, "'multioutput' parameter"),
    ("mean_squared_error", NUMBERS, NUMBERS, {"multioutput": [1.0]}, "Custom weights are useful only"),
    ("r2_score", NUMBERS, NUMBERS, {"multioutput": [1.0, 2.0]}, "Custom weights are useful only"),
    ("mean_pinball_loss", NUMBERS, NUMBERS, {"alpha": 2.0}, "'alpha' parameter"),
    ("d2_pinball_score", NUMBERS, NUMBERS, {"alpha": -1.0}, "'alpha' parameter"),
    ("mean_tweedie_deviance", NUMBERS, NUMBERS, {"power": 0.5}, "'power' parameter"),
    (
        "mean_poisson_deviance",
        NUMBERS - 1,
        NUMBERS,
        {},
        r"TweedieDeviance\(power=1.0\) can only be used on non-negative y_true and strictly positive y_pred. "
        "In chunk 0 the least y_true is -",
    ),
    ("mean_gamma_deviance", NUMBERS, 0 * NUMBERS, {}, "strictly positive y_true and y_pred"),
    ("d2_tweedie_score", NUMBERS, NUMBERS - 1, {"power": -1}, "strictly positive y_pred"),
]


@pytest.mark.parametrize("chunked", [False, True], ids=["in memory", "chunked"])
@pytest.mark.parametrize(
    ("name", "y", "z", "options", "text"), REFUSALS, ids=[f"{row[0]} {row[4][:30]}" for row in REFUSALS]
)
def test_data_and_parameters_are_refused_in_words(
    name: str, y: Any, z: Any, options: dict[str, Any], text: str, chunked: bool
) -> None:
    given = [_cut(part) if chunked else part for part in (y, z)]
    with pytest.raises(ValueError, match=text):
        getattr(metrics, name)(*given, **options)


def test_objects_that_are_no_numbers_name_their_chunk() -> None:
    words = NUMBERS.astype(object)
    words[207] = "seven"
    with pytest.raises(InvalidData, match="y_true is not numeric in chunk 2"):
        metrics.mean_absolute_error(_cut(words), _cut(NUMBERS))
    with pytest.raises(InvalidData, match="y_pred is not numeric in chunk 2"):
        metrics.mean_absolute_error(_cut(NUMBERS), _cut(words))
    with pytest.raises(InvalidData, match="y_pred holds objects that are no numbers"):
        metrics.mean_absolute_error(NUMBERS, words)


def test_rows_that_do_not_match_are_refused() -> None:
    longer, shorter = unknown(LABELS[:180]), unknown(LABELS[:180])
    wrong = longer.map_blocks(lambda block: block[1:], dtype=longer.dtype)
    with pytest.raises(ChunkMismatch, match=r"Rows differ in chunk 0: y_pred has 0, y_true has 1"):
        metrics.accuracy_score(shorter, wrong)
    fewer = da.Array(longer.dask, longer.name, ((np.nan,) * 5,), dtype=longer.dtype)
    with pytest.raises(ChunkMismatch, match="y_pred has 17 chunks and y_true has 5 of unknown lengths"):
        metrics.accuracy_score(fewer, longer)
    labels = xr.DataArray(LABELS, dims=["row"], coords={"row": np.arange(N)})
    moved = labels.assign_coords(row=np.arange(N) + 1)
    with pytest.raises(ChunkMismatch, match="y_pred and y_true have different labels on dim 'row'"):
        metrics.accuracy_score(labels, moved)
    with pytest.raises(
        InvalidData, match="The rows of y_pred lie on dim 'row' and those of y_true on 'site'"
    ):
        metrics.accuracy_score(labels.rename(row="site"), labels)


def test_what_is_no_container_is_refused() -> None:
    with pytest.raises(TypeError, match="y_true is a dict"):
        metrics.accuracy_score({"a": 1}, LABELS)
    with pytest.raises(TypeError, match="y_pred is a NoneType"):
        metrics.mean_squared_error(NUMBERS, None)
    with pytest.raises(TypeError, match="Sparse data was passed for y_score"):
        metrics.roc_auc_score(LABELS, scipy.sparse.csr_array(NUMBERS[:, None]))
    with pytest.raises(UnsupportedParameter, match="scheduler='local' was given"):
        metrics.accuracy_score(LABELS, LABELS, scheduler="local")


def test_labels_called_x_and_y_keep_their_names() -> None:
    """Complaints are translated to the caller's names, but not what they quote."""
    with pytest.raises(ValueError, match="pos_label=z is not a valid label.*'X' 'y'"):
        metrics.f1_score(WORDS, WORDS, pos_label="z")
    assert metrics.f1_score(WORDS, WORDS, pos_label="X") == 1.0
