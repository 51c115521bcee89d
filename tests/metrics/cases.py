"""What each metric is asked here: targets, predictions and parameters that scikit-learn's takes too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.metrics.containers import ROWS

_rng = np.random.default_rng(20)

BINARY = _rng.integers(0, 2, ROWS)
THREE = np.array(["ant", "bee", "cat"])[_rng.choice(3, ROWS, p=[0.6, 0.3, 0.1])]
#: a class that is never predicted, and a prediction that never happens
OTHER = np.where(_rng.random(ROWS) < 0.6, THREE, np.array(["ant", "bee", "dog"])[_rng.integers(0, 3, ROWS)])
GUESS = np.where(_rng.random(ROWS) < 0.7, BINARY, 1 - BINARY)
SCORE = np.round(BINARY * 0.8 + _rng.standard_normal(ROWS), 1)
CHANCE = np.clip(np.round(BINARY * 0.3 + _rng.random(ROWS) * 0.7, 3), 0.0, 1.0)
CHANCES = np.round(_rng.dirichlet([2.0, 1.0, 1.0], ROWS) * 1024) / 1024
CHANCES[:, 2] = 1.0 - CHANCES[:, :2].sum(axis=1)

NUMBERS = np.round(_rng.standard_normal(ROWS) * 3.0, 2)
NEAR = NUMBERS + _rng.standard_normal(ROWS)
SEVERAL = np.column_stack([NUMBERS, NEAR, NUMBERS**2])
BESIDE = SEVERAL + _rng.standard_normal((ROWS, 3)) * [0.1, 1.0, 10.0]
COUNTS = _rng.poisson(1.0, ROWS)
AMOUNTS = np.round(_rng.gamma(2.0, 1.0, ROWS), 3) + 0.001
MEANS = AMOUNTS * np.exp(_rng.standard_normal(ROWS) / 3.0)

WEIGHT = np.round(_rng.gamma(1.0, 1.0, ROWS), 3)
WEIGHT[::7] = 0.0


@dataclass(frozen=True)
class Case:
    """One call of a metric, without its weights."""

    target: np.ndarray
    prediction: np.ndarray
    options: dict[str, Any] = field(default_factory=dict)
    weighted: bool = True


def _averages(target: np.ndarray, prediction: np.ndarray, **options: Any) -> list[Case]:
    return [
        Case(target, prediction, {"average": average, **options})
        for average in ("micro", "macro", "weighted", None)
    ]


_LABELS = [
    Case(BINARY, GUESS),
    Case(BINARY.astype(bool), GUESS.astype(float), {"pos_label": True}),
    Case(BINARY * 2 - 1, GUESS * 2 - 1, {"pos_label": -1}),
    *_averages(THREE, OTHER, zero_division=0.0),
    Case(THREE, OTHER, {"average": None, "labels": ["cat", "ant"], "zero_division": np.nan}),
    Case(THREE, OTHER, {"average": "macro", "labels": ["bee", "dog", "emu"], "zero_division": 1.0}),
]
_OUTPUTS = [
    Case(NUMBERS, NEAR),
    Case(NUMBERS.astype(np.float32), NEAR.astype(np.float64)),
    Case(COUNTS, MEANS),
    *(
        Case(SEVERAL, BESIDE, {"multioutput": multioutput})
        for multioutput in ("uniform_average", "raw_values", [0.2, 0.3, 0.5])
    ),
]
_PROBABILITIES = [
    Case(BINARY, CHANCE),
    Case(BINARY.astype(bool), CHANCE),
    Case(THREE, CHANCES),
    Case(np.where(THREE == "cat", "bee", THREE), CHANCES, {"labels": ["ant", "bee", "cat"]}),
    Case(np.where(BINARY, "b", "a"), np.column_stack([1.0 - CHANCE, CHANCE])),
]
_CURVES = [
    Case(BINARY, SCORE),
    Case(BINARY * 2 - 1, SCORE),
    Case(THREE, SCORE, {"pos_label": "bee"}),
    Case(BINARY, SCORE, {"drop_intermediate": True}),
    Case(BINARY, SCORE, {"drop_intermediate": False, "pos_label": 0}),
]

CASES: dict[str, list[Case]] = {
    "accuracy_score": [
        Case(BINARY, GUESS),
        Case(THREE, OTHER),
        Case(BINARY, GUESS.astype(bool), {"normalize": False}),
    ],
    "average_precision_score": [
        Case(BINARY, SCORE),
        Case(np.where(BINARY, "b", "a"), SCORE, {"pos_label": "a"}),
        *_averages(THREE, CHANCES),
    ],
    "balanced_accuracy_score": [
        Case(BINARY, GUESS),
        Case(THREE, np.where(OTHER == "dog", "ant", OTHER), {"adjusted": True}),
    ],
    "brier_score_loss": [
        *_PROBABILITIES,
        Case(np.where(BINARY, "b", "a"), CHANCE, {"pos_label": "a"}),
        Case(BINARY * 3 + 2, CHANCE, {"scale_by_half": False}),
        Case(BINARY, CHANCE, {"pos_label": 0, "scale_by_half": True}),
    ],
    "confusion_matrix": [
        Case(BINARY, GUESS),
        Case(THREE, OTHER),
        *(Case(THREE, OTHER, {"normalize": normalize}) for normalize in ("true", "pred", "all")),
        Case(THREE, OTHER, {"labels": ["dog", "ant"]}),
    ],
    "d2_absolute_error_score": _OUTPUTS,
    "d2_log_loss_score": _PROBABILITIES,
    "d2_pinball_score": [
        Case(case.target, case.prediction, {"alpha": alpha, **case.options})
        for case in (_OUTPUTS[0], _OUTPUTS[-1])
        for alpha in (0.0, 0.25, 0.9, 1.0)
    ],
    "d2_tweedie_score": [
        Case(NUMBERS, NEAR),
        Case(COUNTS, MEANS, {"power": 1}),
        Case(COUNTS, MEANS, {"power": 1.5}),
        Case(AMOUNTS, MEANS, {"power": 2}),
        Case(AMOUNTS, MEANS, {"power": 3}),
        Case(AMOUNTS, MEANS, {"power": -0.5}),
    ],
    "f1_score": _LABELS,
    "fbeta_score": [
        Case(case.target, case.prediction, {"beta": beta, **case.options})
        for case, beta in zip(_LABELS, (0.0, 0.5, 1.0, 2.0, np.inf, 3.0, 0.3, 0.1, 5.0), strict=True)
    ],
    "log_loss": [*_PROBABILITIES, Case(THREE, CHANCES, {"normalize": False})],
    "mean_absolute_error": _OUTPUTS,
    "mean_absolute_percentage_error": _OUTPUTS,
    "mean_gamma_deviance": [Case(AMOUNTS, MEANS)],
    "mean_pinball_loss": [
        Case(case.target, case.prediction, {"alpha": 0.3, **case.options}) for case in _OUTPUTS
    ],
    "mean_poisson_deviance": [Case(COUNTS, MEANS)],
    "mean_squared_error": _OUTPUTS,
    "mean_tweedie_deviance": [
        Case(COUNTS, MEANS, {"power": 1.7}),
        Case(AMOUNTS, MEANS, {"power": 3}),
        Case(NUMBERS, MEANS, {"power": -1.3}),
        Case(NUMBERS, NEAR),
    ],
    "precision_recall_curve": _CURVES,
    "precision_recall_fscore_support": [
        Case(BINARY, GUESS, {"average": "binary"}),
        Case(BINARY, GUESS, {"beta": 2.0}),
        *_averages(THREE, OTHER, zero_division=0.0),
    ],
    "precision_score": _LABELS,
    "r2_score": [
        *_OUTPUTS,
        Case(SEVERAL, BESIDE, {"multioutput": "variance_weighted"}),
        Case(SEVERAL, BESIDE, {"multioutput": None}),
    ],
    "recall_score": _LABELS,
    "roc_auc_score": [
        Case(BINARY, SCORE),
        Case(np.where(BINARY, "b", "a"), SCORE, {"average": None}),
        *(Case(BINARY, SCORE, {"max_fpr": rate}) for rate in (0.05, 0.3, 1.0)),
        *_averages(THREE, CHANCES, multi_class="ovr"),
        *(
            Case(THREE, CHANCES, {"multi_class": "ovo", "average": average}, weighted=False)
            for average in ("macro", "weighted")
        ),
    ],
    "roc_curve": _CURVES,
    "root_mean_squared_error": _OUTPUTS,
}
