"""Models to disk and back, as arrays and JSON without code."""

from __future__ import annotations

from typing import Any

from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from daskml_dist.errors import CheckpointInvalid
from daskml_dist.solvers import Solver
from daskml_dist.storage import class_path, read_model, resolve, write_model

_TRANSIENT = {"graph_"}


def save(model: BaseEstimator, url: str, *, overwrite: bool = False) -> None:
    """Write a fitted model to a directory: arrays, JSON and their hashes, no pickle.

    Parameters
    ----------
    model : a fitted estimator of this library. A solver that was given as an object is kept by its name.
    url : a directory, or an fsspec URL of one.
    overwrite : whether a model that is already there may be replaced.

    Raises
    ------
    FileExistsError
        There is a model already.
    NotFittedError
        The model is not fitted.
    """
    check_is_fitted(model)
    parameters = model.get_params(deep=False)
    if not isinstance(parameters.get("scheduler"), str | None):
        parameters["scheduler"] = None  # a Client belongs to this process
    if isinstance(parameters.get("solver"), Solver):
        parameters["solver"] = parameters["solver"].name  # how it was found is no part of what was found
    attributes = {name: value for name, value in vars(model).items() if name not in parameters}
    kept = {name: value for name, value in attributes.items() if name not in _TRANSIENT}
    write_model(url, class_path(type(model)), parameters, kept, overwrite=overwrite)


def load(url: str) -> Any:
    """Read a model that ``save`` wrote; nothing in the directory is executed.

    Raises
    ------
    CheckpointInvalid
        The directory is damaged, foreign, or was written by a newer version.
    """
    record = read_model(url)
    cls = resolve(record.class_path)
    if not issubclass(cls, BaseEstimator):
        raise CheckpointInvalid(f"{url} names {record.class_path}, which is no estimator.")
    model = cls(**record.parameters)
    for name, value in record.attributes.items():
        setattr(model, name, value)
    for name in _TRANSIENT:
        setattr(model, name, None)
    return model
