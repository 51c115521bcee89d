"""The Hessian that a solver has at hand, for those who ask how sure coefficients are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np
from scipy.linalg import solve_triangular

from daskml_dist.types import AnyArray, FloatArray

MOST_PARAMETERS = 200
"""Up to here, those of 20 coefficients take a tenth to half of the ms that a pass may spend; 1,000: 2 ms."""


@final
@dataclass(frozen=True)
class Hessian:
    """H = D L L' D of F about a point, in centred coordinates, with ones on the diagonal of L L'.

    An intercept comes last, or is minimised out beforehand: both leave the same inverse to coefficients.

    Attributes
    ----------
    scale : (q,) the diagonal of D.
    factor : (q, q) lower triangular L.
    sampled : whether it is that of a sample of the rows.
    """

    scale: FloatArray
    factor: FloatArray
    sampled: bool

    @property
    def parameters(self) -> int:
        """q."""
        return self.scale.size

    def least_pivot(self, first: int) -> float:
        """The least share of a column's length that the columns before it leave, over the first columns."""
        return float(np.abs(np.diag(self.factor)[:first]).min(initial=np.inf))

    def inverse_diagonal(self, which: AnyArray) -> FloatArray:
        """The entries (j, j) of H^-1 for each j of ``which``: |L^-1 D^-1 e_j|^2."""
        units = np.zeros((self.parameters, which.size), order="F")
        units[which, np.arange(which.size)] = 1.0 / self.scale[which]
        rows = solve_triangular(self.factor, units, lower=True, overwrite_b=True, check_finite=False)
        return np.asarray(np.einsum("ij,ij->j", rows, rows))
