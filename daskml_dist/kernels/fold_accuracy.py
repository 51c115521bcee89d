"""How often the models of each split are right on the rows that it tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import numpy as np

from daskml_dist.kernels._base import Kernel, Part, Total
from daskml_dist.kernels.blocks import row_blocks
from daskml_dist.kernels.tally import labels_of
from daskml_dist.splits import Folds
from daskml_dist.types import Chunk, FloatArray


@final
@dataclass(frozen=True)
class FoldAccuracy(Kernel[FloatArray]):
    """(A, S) weighted shares of the rows tested by split s that its model a classifies rightly.

    Targets are signs (see ``Coding``): a row belongs to class 1 where its one target is positive, or to the
    class of its largest target. Models say the same of their margins.

    Attributes
    ----------
    folds : the fold of each row.
    w, b : (S, A, t, p) and (S, A, t), A models of t targets for each split.
    centres : (S, p) where intercepts are given.
    """

    folds: Folds
    w: FloatArray
    b: FloatArray
    centres: FloatArray

    def chunk(self, chunk: Chunk) -> Part:
        assert chunk.X is not None and chunk.y is not None
        labels = labels_of(chunk.y)
        tested = self.folds.test_fold(chunk.id, chunk.X.shape[0], labels, chunk.groups)
        truth = labels > 0.0 if chunk.y.ndim == 1 else labels
        splits, models, targets, p = self.w.shape
        right, weights = np.zeros((models, splits)), np.zeros(splits)
        for where, x in row_blocks(chunk.X):
            finite = 0.0 * x.sum()  # what is not finite is refused
            for split in np.unique(tested[where][tested[where] >= 0]).tolist():
                mine = tested[where] == split
                d = x[mine] - self.centres[split]
                z = (d @ self.w[split].reshape(-1, p).T).reshape(-1, models, targets) + self.b[split]
                found = z[:, :, 0] > 0.0 if targets == 1 else z.argmax(axis=2)  # (B, A)
                weight = np.ones(len(d)) if chunk.weight is None else chunk.weight[where][mine]
                right[:, split] += weight @ (found == truth[where][mine][:, None]) + finite
                weights[split] += weight.sum()
        return Part({"right": right, "weights": weights})

    def finish(self, total: Total) -> FloatArray:
        return np.asarray(total.sums["right"] / total.sums["weights"])
