"""The model of a replica: an edge model, verified before the first request, and what never changes about
it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

import numpy as np

from daskml_dist import drift, edge
from daskml_dist.explanation import sentence
from daskml_dist.serve import tensors
from daskml_dist.serve.refusals import Refused
from daskml_dist.types import AnyArray, FloatArray

PREDICTION, PROBABILITY = "prediction", "probability"
MOST_ENCODED = 16_000_000
"""Features of a request at most: a few texts become thousands of them."""
MOST_CONTRIBUTIONS = 1_000_000
"""Contributions in an answer at most."""
_KINDS = {"number": "FP64", "category": "BYTES"}


@final
class Served:
    """A model version that answers.

    Parameters
    ----------
    directory : of the version; hashes and golden rows are checked.

    Raises
    ------
    edge.InvalidModel
        It is damaged, foreign, or does not predict what it predicted when it was registered.
    FileNotFoundError
        There is no model.
    """

    def __init__(self, directory: Path) -> None:
        self.model = edge.load(directory)
        self.name = self.model.name or directory.name
        self.version = str(self.model.version or 1)
        self.features = list(self.model.features)
        self.column_names = frozenset(column.name for column in self.model.columns)
        self.reference = drift.Reference.from_arrays(self.model.reference)
        self.outputs = self._described()
        classes = self.model.classes if PROBABILITY in self.outputs else None
        self.labels: list[Any] | None = None if classes is None else classes.tolist()

    def encode(self, columns: dict[str, Any]) -> FloatArray:
        """(n, p) features of raw columns.

        Raises
        ------
        Refused
            422, the message names the column; 413 where the features take too much memory.
        """
        rows = max(len(values) for values in columns.values())
        if rows * len(self.features) > MOST_ENCODED:
            raise Refused(
                413, f"at most {MOST_ENCODED // len(self.features)} rows in a request to this model", "rows"
            )
        try:
            return self.model.encode(columns)
        except edge.InvalidInput as error:
            raise Refused(422, str(error), "column", error.column or "") from None

    def margin(self, X: FloatArray) -> FloatArray:
        """(n, k) margins of finite (n, p) features."""
        return self.model.margins(X)

    def answers(self, margin: FloatArray) -> dict[str, AnyArray]:
        """All outputs, from (n, k) margins."""
        answers = {PREDICTION: self.model.predicted(margin)}
        if PROBABILITY in self.outputs:
            answers[PROBABILITY] = self.model.probabilities(margin)
        return answers

    def contributions(self, X: FloatArray) -> FloatArray:
        """(n, k, p): what each feature adds to a margin, compared with its mean.

        Raises
        ------
        Refused
            413 where there are too many, 422 where the model was registered without the means of its
            features.
        """
        if len(X) * self.model.coef.size > MOST_CONTRIBUTIONS:
            raise Refused(
                413,
                f"at most {max(1, MOST_CONTRIBUTIONS // self.model.coef.size)} rows with contributions",
                "rows",
            )
        try:
            return self.model.contributions(X)
        except edge.InvalidModel as error:
            raise Refused(422, str(error), "explain") from None

    def explanations(self, X: FloatArray, contributions: FloatArray) -> list[str]:
        """A sentence for each of (n, p) features with (n, k, p) contributions."""
        return [sentence(self.model, x, parts) for x, parts in zip(X, contributions, strict=True)]

    def metadata(self) -> dict[str, Any]:
        """What ``GET /v2/models/NAME`` says: raw columns, and as a parameter the encoded features."""
        columns = self.model.columns
        return {
            "name": self.name,
            "versions": [self.version],
            "platform": "daskml_dist",
            "inputs": [{"name": c.name, "datatype": _KINDS[c.kind], "shape": [-1]} for c in columns],
            "outputs": [
                {"name": name, "datatype": datatype, "shape": shape}
                for name, (datatype, shape) in self.outputs.items()
            ],
            "parameters": {
                "x": {"datatype": "FP64", "shape": [-1, len(self.features)]},
                "features": self.features,
            },
        }

    def _described(self) -> dict[str, tuple[str, list[int]]]:
        """Datatype and shape of each output, learned from a row of zeros."""
        margin = self.model.margins(np.zeros((1, len(self.features))))
        answers = {PREDICTION: self.model.predicted(margin)}
        if PROBABILITY in self.model.outputs:
            answers[PROBABILITY] = self.model.probabilities(margin)
        return {name: (tensors.datatype_of(array), [-1, *array.shape[1:]]) for name, array in answers.items()}
