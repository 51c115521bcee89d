"""A registered model that answers for collections, lazily where they are lazy."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, final

import dask.dataframe as dd
import numpy as np
import pandas as pd

from daskml_dist import edge, inputs
from daskml_dist.batch import answers
from daskml_dist.batch.located import Located, locate
from daskml_dist.batch.scoring import Report, score
from daskml_dist.registry import Registry, Version
from daskml_dist.types import AnyArray, FloatArray

What = Literal["predicted", "probabilities"]


@final
class Scorer:
    """Answers for NumPy, pandas, dask, xarray and files; what is lazy stays lazy, and keeps its chunks.

    Tasks carry where the model lies, not the model: each process reads it once.

    Parameters
    ----------
    model, registry : see ``locate``.

    Examples
    --------
    >>> import tempfile
    >>> import dask.array as da
    >>> from sklearn.datasets import load_iris
    >>> from daskml_dist.linear_model import LogisticRegression
    >>> from daskml_dist.registry import Registry
    >>> X, y = load_iris(return_X_y=True)
    >>> store = Registry(tempfile.mkdtemp())
    >>> version = store.register(LogisticRegression(verbose=0).fit(X, y), "iris", data=X, target=y)
    >>> Scorer("iris", store).predict(da.from_array(X, chunks=(50, 4)))
    dask.array<apply_rows, shape=(150,), dtype=int64, chunksize=(50,), chunktype=numpy.ndarray>
    """

    def __init__(
        self, model: str | os.PathLike[str] | Version, registry: str | Registry | None = None
    ) -> None:
        self.located = locate(model, registry)

    @property
    def model(self) -> edge.Model:
        """The model as a function of NumPy arrays."""
        return self.located.load()

    def predict(self, X: Any) -> Any:
        """Labels or expectations, in the kind of X.

        Parameters
        ----------
        X : (n, p) features, or a dataframe with the columns of the model in any order.
        """
        model = self.model
        outputs = answers.named(model) if answers.several(model) else None
        return self._answered(X, "predicted", outputs, model.outputs["prediction"])

    def predict_proba(self, X: Any) -> Any:
        """(n, classes) probabilities, in the kind of X; ``edge.InvalidInput`` where the model has none."""
        model = self.model
        if model.classes is None or "probability" not in model.outputs:
            raise edge.InvalidInput(f"a {model.task} with the link {model.link!r} has none; use predict.")
        return self._answered(X, "probabilities", model.classes.tolist(), np.dtype(np.float64))

    def score(self, source: str, destination: str, **options: Any) -> Report:
        """Write the answers for a file; see ``batch.score``, which takes these options."""
        return score(source, destination, self.located.spec, registry=self.located.registry, **options)

    def _answered(self, X: Any, what: What, outputs: list[Any] | None, dtype: Any) -> Any:
        model = self.model
        if isinstance(X, pd.DataFrame):
            return _of_frame(X, self.located, what, outputs, dtype)
        if isinstance(X, dd.DataFrame):
            meta = _of_frame(X._meta, self.located, what, outputs, dtype)
            return X.map_partitions(_of_frame, self.located, what, outputs, dtype, meta=meta)
        function = _OfRows(self.located, what)
        return inputs.apply(
            X, function, n_features=len(model.features), outputs=outputs, dtype=dtype, name="prediction"
        )


@final
@dataclass(frozen=True)
class _OfRows:
    """A block of features to a block of answers."""

    located: Located
    what: What

    def __call__(self, X: FloatArray) -> AnyArray:
        model = self.located.load()
        return _answers(model, self.what, model.margin(X))


def _of_frame(
    frame: pd.DataFrame, located: Located, what: What, outputs: list[Any] | None, dtype: Any
) -> Any:
    model = located.load()
    found = _answers(model, what, model.margins(answers.features(model, frame))).astype(dtype)
    if outputs is None:
        return pd.Series(found, index=frame.index, name="prediction")
    return pd.DataFrame(found, index=frame.index, columns=outputs)


def _answers(model: edge.Model, what: What, margins: FloatArray) -> AnyArray:
    return model.predicted(margins) if what == "predicted" else model.probabilities(margins)
