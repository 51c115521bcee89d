"""Cholesky factors of matrices that may be singular."""

from __future__ import annotations

import numpy as np
from scipy.linalg import LinAlgError, cholesky

from daskml_dist.types import FloatArray

_SHIFTS = (0.0, *(10.0**-k for k in range(13, -1, -1)))
_SEEN = 1e-7  # of a pivot, squared: where float64 sees the direction at all


def lifted_cholesky(matrix: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The diagonal of D, (q,), and lower triangular L, (q, q), with D L L' D = M.

    D is such that D^-1 M D^-1 has ones on its diagonal. M is (q, q) and positive semi-definite; null
    directions get a small ridge.
    """
    q = matrix.shape[0]
    diagonal = np.diag(matrix)
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    scaled = matrix / np.outer(scale, scale)
    for shift in _SHIFTS:
        try:
            factor = cholesky(scaled + shift * np.eye(q), lower=True, check_finite=False)
        except LinAlgError:
            continue
        if np.diag(factor).min() > _SEEN:
            return scale, np.asarray(factor)
    return scale, np.eye(q)
