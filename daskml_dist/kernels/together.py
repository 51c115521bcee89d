"""Questions of several problems, answered while the rows pass by once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

from daskml_dist.kernels._base import Kernel, Part, Question, Total
from daskml_dist.kernels.hessian_vector import HessianVector
from daskml_dist.kernels.mini_batch import MiniBatch, batched
from daskml_dist.kernels.stacked_products import multiplied
from daskml_dist.kernels.stacked_sweep import swept
from daskml_dist.kernels.sweep import Sweep
from daskml_dist.kernels.view import View, views_of
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk


@final
@dataclass(frozen=True)
class Together(Kernel[tuple[Any, ...]]):
    """Each question is about the rows that it sees in its own view; the answers come in the same order.

    Attributes
    ----------
    questions : what is asked.
    views : what each of them sees.
    folds : of the splits that the views speak of, or None.
    """

    questions: tuple[Question[Any], ...]
    views: tuple[View, ...]
    folds: Folds | None = None

    @property
    def kernels(self) -> list[Kernel[Any]]:
        """Those of the questions."""
        return [question.kernel for question in self.questions]

    def chunk(self, chunk: Chunk) -> Part:
        seen = views_of(self.views, chunk, self.folds)
        chunks = [seen[view] for view in self.views]
        asked = list(enumerate(zip(self.kernels, chunks, strict=True)))
        sweeps = {k: (kernel, rows) for k, (kernel, rows) in asked if isinstance(kernel, Sweep)}
        products = {k: (kernel, rows) for k, (kernel, rows) in asked if isinstance(kernel, HessianVector)}
        batches = {k: (kernel, rows) for k, (kernel, rows) in asked if isinstance(kernel, MiniBatch)}
        parts = dict(zip(sweeps, swept(list(sweeps.values())), strict=True))
        parts |= zip(batches, batched(list(batches.values())), strict=True)
        parts |= zip(products, multiplied(list(products.values())), strict=True)
        parts |= {k: kernel.chunk(rows) for k, (kernel, rows) in asked if k not in parts}
        return Part(
            {f"{k} {name}": value for k, part in parts.items() for name, value in part.sums.items()},
            {f"{k} {name}": value for k, part in parts.items() for name, value in part.maxima.items()},
            {(k, key): value for k, part in parts.items() for key, value in part.gathered.items()},
        )

    def fold(self, gathered: dict[Any, Any]) -> dict[Any, Any]:
        folded: dict[Any, Any] = {}
        for k, kernel in enumerate(self.kernels):
            own = {key: value for (owner, key), value in gathered.items() if owner == k}
            folded |= {(k, key): value for key, value in kernel.fold(own).items()} if own else {}
        return folded

    def finish(self, total: Total) -> tuple[Any, ...]:
        def own(named: Any, k: int) -> dict[str, Any]:
            start = f"{k} "
            return {
                name.removeprefix(start): value for name, value in named.items() if name.startswith(start)
            }

        answers = []
        for k, question in enumerate(self.questions):
            gathered = {key: value for (owner, key), value in total.gathered.items() if owner == k}
            mine = Total(total.rows, total.n_chunks, own(total.sums, k), own(total.maxima, k), gathered)
            told = question.kernel.finish(mine)
            answers.append(told if question.then is None else question.then(told))
        return tuple(answers)
