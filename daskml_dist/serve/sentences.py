"""Contributions in words: what raised an answer, and what lowered it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from daskml_dist.types import FloatArray

_NAMED = 2  # features on each side


def sentence(names: Sequence[str], contributions: FloatArray) -> str:
    """A sentence about one margin.

    Parameters
    ----------
    names : of the features.
    contributions : (p,), on the scale of the margin.

    Examples
    --------
    >>> import numpy as np
    >>> sentence(["age", "bmi", "sex=f"], np.array([0.9, -0.31, 0.0]))
    'raised mainly by age (+0.9), lowered by bmi (-0.31), compared with the mean of the training data'
    """
    order = np.argsort(-np.abs(contributions), kind="stable")
    raised = [names[j] + f" ({contributions[j]:+.2g})" for j in order if contributions[j] > 0][:_NAMED]
    lowered = [names[j] + f" ({contributions[j]:+.2g})" for j in order if contributions[j] < 0][:_NAMED]
    if not raised and not lowered:
        return "as the mean of the training data"
    parts = []
    if raised:
        parts.append("raised mainly by " + " and ".join(raised))
    if lowered:
        parts.append("lowered " + ("mainly " if not raised else "") + "by " + " and ".join(lowered))
    return ", ".join(parts) + ", compared with the mean of the training data"
