"""How often scikit-learn evaluates: its evaluations are wrapped, and what each returned is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from unittest import mock


@dataclass
class Evaluations:
    """values : the objective at each evaluation of the gradient, in order (without the terms of y alone).

    reads : evaluations of any kind (loss, gradient, Hessian, Hessian times vector) until each of them.
    """

    values: list[float] = field(default_factory=list)
    reads: list[int] = field(default_factory=list)
    total: int = 0

    def until(self, near: Callable[[float], bool]) -> int | None:
        """Evaluations of any kind until a value was near enough, or None."""
        return next((n for n, value in zip(self.reads, self.values, strict=True) if near(value)), None)


@contextmanager
def evaluations() -> Iterator[Evaluations]:
    """Count the evaluations of scikit-learn's linear losses within."""
    from sklearn.linear_model._linear_loss import LinearModelLoss as Losses

    seen = Evaluations()
    loss_gradient, hessian, product = (
        Losses.loss_gradient,
        Losses.gradient_hessian,
        Losses.gradient_hessian_product,
    )

    def counted_gradient(self: Any, *args: Any, **kwargs: Any) -> Any:
        value, gradient = loss_gradient(self, *args, **kwargs)
        seen.total += 1
        seen.values.append(float(value))
        seen.reads.append(seen.total)
        return value, gradient

    def counted_hessian(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.total += 1
        return hessian(self, *args, **kwargs)

    def counted_product(self: Any, *args: Any, **kwargs: Any) -> Any:
        gradient, times = product(self, *args, **kwargs)
        seen.total += 1

        def counted_times(*vector: Any) -> Any:
            seen.total += 1
            return times(*vector)

        return gradient, counted_times

    with (
        mock.patch.object(Losses, "loss_gradient", counted_gradient),
        mock.patch.object(Losses, "gradient_hessian", counted_hessian),
        mock.patch.object(Losses, "gradient_hessian_product", counted_product),
    ):
        yield seen
