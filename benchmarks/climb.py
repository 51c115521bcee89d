"""scikit-learn's iterative solvers, given more and more iterations until their gap is small enough."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.options import Options


def climb(
    model: Any, X: Any, y: Any, gap: Callable[[Any], float], options: Options, enough: float = 1e-6
) -> Iterator[tuple[int, float, float]]:
    """Iterations, seconds and gap of fits with 10 times the iterations each, until one is good enough.

    No fit is begun that would take longer than the limit, judged by the one before it.
    """
    for iterations in (10, 100, 1_000, 10_000):
        began = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.set_params(max_iter=iterations, tol=1e-14).fit(X, y)
        seconds, reached = time.perf_counter() - began, gap(model)
        yield iterations, seconds, reached
        if reached <= enough or 10 * seconds > options.limit:
            return
