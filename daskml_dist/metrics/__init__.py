"""Metrics: scikit-learn's scores of predictions that live anywhere, as plain numbers.

Names, parameters and values are those of ``sklearn.metrics``, with a ``scheduler`` more. Data may be NumPy or
pandas, dask arrays or dataframes, or xarray; what is lazy is reduced where it lives, in one or two passes.
"""

from daskml_dist.metrics._areas import Bracket
from daskml_dist.metrics.areas import (
    average_precision_bracket,
    average_precision_score,
    roc_auc_bracket,
    roc_auc_score,
)
from daskml_dist.metrics.classification import accuracy_score, balanced_accuracy_score, confusion_matrix
from daskml_dist.metrics.curves import precision_recall_curve, roc_curve
from daskml_dist.metrics.deviances import (
    d2_tweedie_score,
    mean_gamma_deviance,
    mean_poisson_deviance,
    mean_tweedie_deviance,
)
from daskml_dist.metrics.explained import d2_absolute_error_score, d2_pinball_score, r2_score
from daskml_dist.metrics.precision_recall import (
    f1_score,
    fbeta_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
)
from daskml_dist.metrics.probabilities import brier_score_loss, d2_log_loss_score, log_loss
from daskml_dist.metrics.regression import (
    mean_absolute_error,
    mean_absolute_percentage_error,
    mean_pinball_loss,
    mean_squared_error,
    root_mean_squared_error,
)

__all__ = [
    "Bracket",
    "accuracy_score",
    "average_precision_bracket",
    "average_precision_score",
    "balanced_accuracy_score",
    "brier_score_loss",
    "confusion_matrix",
    "d2_absolute_error_score",
    "d2_log_loss_score",
    "d2_pinball_score",
    "d2_tweedie_score",
    "f1_score",
    "fbeta_score",
    "log_loss",
    "mean_absolute_error",
    "mean_absolute_percentage_error",
    "mean_gamma_deviance",
    "mean_pinball_loss",
    "mean_poisson_deviance",
    "mean_squared_error",
    "mean_tweedie_deviance",
    "precision_recall_curve",
    "precision_recall_fscore_support",
    "precision_score",
    "r2_score",
    "recall_score",
    "roc_auc_bracket",
    "roc_auc_score",
    "roc_curve",
    "root_mean_squared_error",
]
