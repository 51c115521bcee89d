"""Many small models at once: one for each cell of a grid, from the same sweep over the samples."""

from daskml_dist.cells.curved import Curved, newton
from daskml_dist.cells.factors import Factors, factors_of, join_factors, solve_factors
from daskml_dist.cells.moments import Incomplete, Moments, beside, join_moments, moments_of
from daskml_dist.cells.solving import Solved, solve_moments
from daskml_dist.cells.whitening import Whitening, plain, whitening_of

__all__ = [
    "Curved",
    "Factors",
    "Incomplete",
    "Moments",
    "Solved",
    "Whitening",
    "beside",
    "factors_of",
    "join_factors",
    "join_moments",
    "moments_of",
    "newton",
    "plain",
    "solve_factors",
    "solve_moments",
    "whitening_of",
]
