"""Least squares from a triangular factor, with a rank that is decided on scaled columns."""

from __future__ import annotations

import numpy as np

from daskml_dist.types import FloatArray

_CORRECTABLE = 1e-2  # reciprocal condition: below, a correction would square what the factor keeps
_EPS = np.finfo(np.float64).eps


def solve_factor(R: FloatArray, targets: FloatArray, ridge: FloatArray) -> tuple[FloatArray, FloatArray]:
    """argmin over w of |R w - c|^2 + sum_j ridge_j w_j^2, of least norm where it is not unique.

    Parameters
    ----------
    R : (m, p) the factor of the features. targets : (m, t), c. ridge : (p,).

    Returns
    -------
    (p, t) coefficients, and (t,) the minimum.
    """
    p = R.shape[1]
    A = np.concatenate([R, np.diag(np.sqrt(ridge))]) if ridge.any() else R
    c = np.concatenate([targets, np.zeros((len(A) - len(targets), targets.shape[1]))])
    norms = np.linalg.norm(A, axis=0)
    used = norms > 0.0
    scale = np.where(used, norms, 1.0)
    left, singular, right = np.linalg.svd(A / scale, full_matrices=False)
    kept = singular > max(len(A), p) * 8 * _EPS * (singular[0] if len(singular) else 0.0)
    inner = (left[:, kept].T @ c) / singular[kept, None]
    w = (right[kept].T @ inner) / scale[:, None]
    if not kept.all() or kept.sum() < p:
        w = _least_norm(w, right[kept], scale, used)
    elif singular[-1] > _CORRECTABLE * singular[0]:
        # a coefficient far smaller than the targets keeps its digits only in the normal equations
        slope = (A.T @ (c - A @ w)) / scale[:, None]
        w = w + (right.T @ ((right @ slope) / np.square(singular)[:, None])) / scale[:, None]
    residual = c - A @ w
    return w, np.square(residual).sum(axis=0)


def _least_norm(w: FloatArray, row_space: FloatArray, scale: FloatArray, used: FloatArray) -> FloatArray:
    """Of all solutions, which differ by null vectors of the data, the one of least norm in their units."""
    # the solutions are w + D^-1 n with n orthogonal to the row space of A D^-1; equivalently the row
    # space in the units of w is spanned by the rows times D, onto which w is projected
    basis, _ = np.linalg.qr((row_space * scale).T)
    w = basis @ (basis.T @ w)
    w[~used.astype(bool)] = 0.0
    return np.asarray(w)
