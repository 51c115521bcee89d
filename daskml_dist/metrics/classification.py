"""Labels as predictions: accuracy and the confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, final

from sklearn import metrics as sklearn_metrics

from daskml_dist.kernels import LabelPairs
from daskml_dist.metrics._base import scored
from daskml_dist.types import AnyArray


@final
@dataclass(frozen=True)
class Pairs:
    """The different pairs of labels, and how much each weighs; counts are integers."""

    true: AnyArray
    predicted: AnyArray
    weight: AnyArray


def pairs_of(y_true: Any, y_pred: Any, sample_weight: Any, scheduler: Any) -> Pairs:
    """Each pair of labels once, in one pass: scikit-learn makes the same of them as of all rows."""
    with scored(y_true, y_pred, sample_weight, scheduler, labels="both") as data:
        found = data.ask(LabelPairs())
    return Pairs(found.y, found.X, found.rows if found.weight is None else found.weight)


def accuracy_score(
    y_true: Any, y_pred: Any, *, normalize: bool = True, sample_weight: Any = None, scheduler: Any = None
) -> float:
    r"""The share of rows whose label was predicted: scikit-learn's, from one pass over data anywhere.

    .. math::

        \frac{\sum_i s_i [\hat y_i = y_i]}{\sum_i s_i}

    Parameters
    ----------
    y_true, y_pred : (n,) labels: numbers without fractions, strings or bools, in any container.
    normalize : whether to divide by the sum of the weights.
    sample_weight : (n,) weights >= 0, one number, or None.
    scheduler : None for the current ``distributed.Client`` where the data are lazy, else threads;
        "threads"; a Client; the address of a scheduler; or a ``daskml_dist.Placement``.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        Labels or weights that cannot be used; a ValueError. NonFiniteData names the chunk.

    Examples
    --------
    >>> accuracy_score(["a", "b", "b"], ["a", "b", "a"], sample_weight=[1, 2, 1])
    0.75
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    return float(
        sklearn_metrics.accuracy_score(
            pairs.true, pairs.predicted, normalize=normalize, sample_weight=pairs.weight
        )
    )


def balanced_accuracy_score(
    y_true: Any, y_pred: Any, *, sample_weight: Any = None, adjusted: bool = False, scheduler: Any = None
) -> float:
    """The mean over classes of the share of their rows whose label was predicted.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    adjusted : whether to subtract chance and rescale, so that guessing scores 0 and perfection 1.

    Returns
    -------
    float.

    Raises
    ------
    InvalidData
        See ``accuracy_score``.

    Examples
    --------
    >>> balanced_accuracy_score([0, 0, 0, 1], [0, 0, 0, 0])
    0.5
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    return float(
        sklearn_metrics.balanced_accuracy_score(
            pairs.true, pairs.predicted, sample_weight=pairs.weight, adjusted=adjusted
        )
    )


def confusion_matrix(
    y_true: Any,
    y_pred: Any,
    *,
    labels: Any = None,
    sample_weight: Any = None,
    normalize: Literal["true", "pred", "all"] | None = None,
    scheduler: Any = None,
) -> AnyArray:
    """How much weight the rows of each class have for which each label was predicted.

    Parameters
    ----------
    y_true, y_pred, sample_weight, scheduler : see ``accuracy_score``.
    labels : the labels of the rows and columns in order; None for all that occur, sorted.
    normalize : divide by the sum of each row ("true"), column ("pred"), or by all ("all").

    Returns
    -------
    (k, k) array; integers where there are neither weights nor a ``normalize``.

    Raises
    ------
    InvalidData
        See ``accuracy_score``. ValueError: none of ``labels`` is in y_true.

    Examples
    --------
    >>> confusion_matrix(["cat", "ant", "cat"], ["ant", "ant", "cat"])
    array([[1, 0],
           [1, 1]])
    """
    pairs = pairs_of(y_true, y_pred, sample_weight, scheduler)
    matrix: AnyArray = sklearn_metrics.confusion_matrix(
        pairs.true, pairs.predicted, labels=labels, sample_weight=pairs.weight, normalize=normalize
    )
    return matrix
