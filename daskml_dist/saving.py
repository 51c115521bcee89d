"""Models to disk and back, as arrays and JSON without code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from inspect import getattr_static, isdatadescriptor, signature
from os import PathLike, fspath
from typing import Any

import xarray as xr
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from daskml_dist.edge import Column
from daskml_dist.errors import CheckpointInvalid
from daskml_dist.solvers import Solver
from daskml_dist.storage import (
    ModelRecord,
    answer_of,
    class_path,
    described_labels,
    made_labels,
    read_model,
    resolve,
    write_model,
)

_TRANSIENT = {"graph_"}
_CALLBACKS = "_skl_callbacks"  # of scikit-learn: code, and none of the model
_OBJECT = "object of daskml_dist"
_LABELLED = "labelled array"


def save(
    model: BaseEstimator, url: str, *, columns: Sequence[Column] | None = None, overwrite: bool = False
) -> None:
    """Write a fitted model to a directory: arrays, JSON and their hashes, no pickle.

    Parameters
    ----------
    model : a fitted estimator of this library. A solver that was given as an object is kept by its name.
    url : a directory, or an fsspec URL of one.
    columns : how its features come from the columns of the data, for ``daskml_dist.edge``; None where they
        are the columns.
    overwrite : whether a model that is already there may be replaced.

    Raises
    ------
    FileExistsError
        There is a model already.
    NotFittedError
        The model is not fitted.
    """
    told = told_of(model)
    write_model(url, *told, answer=answer_of(model, columns), overwrite=overwrite)


def told_of(model: BaseEstimator) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Class, parameters and attributes of a fitted estimator, as ``storage.write_model`` takes them."""
    check_is_fitted(model)
    parameters = model.get_params(deep=False)
    if not isinstance(parameters.get("scheduler"), str | None):
        parameters["scheduler"] = None  # a Client belongs to this process
    if isinstance(parameters.get("checkpoint"), PathLike):
        parameters["checkpoint"] = fspath(parameters["checkpoint"])
    if isinstance(parameters.get("solver"), Solver):
        parameters["solver"] = parameters["solver"].name  # how it was found is no part of what was found
    attributes = {name: value for name, value in vars(model).items() if name not in {*parameters, _CALLBACKS}}
    parameters = {name: _described(value) for name, value in parameters.items()}
    passing = _TRANSIENT | {"_naming"}
    kept = {name: _described(value) for name, value in attributes.items() if name not in passing}
    return class_path(type(model)), parameters, kept


def load(url: str) -> Any:
    """Read a model that ``save`` wrote; nothing in the directory is executed.

    Raises
    ------
    CheckpointInvalid
        The directory is damaged, foreign, or was written by a newer version.
    """
    record = read_model(url)
    if record.class_path is None:
        raise CheckpointInvalid(
            f"{url} holds the answer of a model without its estimator, since it was compressed or imported. "
            "Load it with daskml_dist.edge.load, or load the version that it came from."
        )
    cls = resolve(record.class_path)
    if not issubclass(cls, BaseEstimator):
        raise CheckpointInvalid(f"{url} names {record.class_path}, which is no estimator.")
    _refuse_foreign(cls, record, url)
    model = cls(**{name: made(value) for name, value in record.parameters.items()})
    for name, value in record.attributes.items():
        setattr(model, name, made(value))
    for name in _TRANSIENT:
        setattr(model, name, None)
    return model


def _refuse_foreign(cls: type[BaseEstimator], record: ModelRecord, url: str) -> None:
    """Refuse parameters that the class does not have, and attributes that would stand for its methods."""
    unknown = sorted(record.parameters.keys() - signature(cls).parameters.keys())
    hiding = [name for name in record.attributes if not name.isidentifier() or _is_own(cls, name)]
    if unknown or hiding:
        raise CheckpointInvalid(
            f"{url} is not what this library writes: {cls.__name__} has no parameters {unknown!r}, and keeps "
            f"no attributes {hiding!r}."
        )


def _is_own(cls: type, name: str) -> bool:
    """Whether a name means something to Python or to the class, beyond a default value."""
    own = getattr_static(cls, name, None)
    return name.startswith("__") or callable(own) or isdatadescriptor(own) or isinstance(own, classmethod)


def _described(value: Any) -> Any:
    """A value of this library, such as a risk, as the name of its class and its fields; others as is.

    A labelled array becomes its values, dims and coordinates.
    """
    if isinstance(value, xr.DataArray):
        return {_LABELLED: described_labels(value)}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    given = {field.name: _described(getattr(value, field.name)) for field in fields(value) if field.init}
    return {_OBJECT: class_path(type(value)), "fields": given}


def made(value: Any) -> Any:
    """The value that ``save`` described; only labelled arrays and dataclasses of this library are made.

    Parameters
    ----------
    value : an attribute or parameter as ``storage.read_model`` gives it.
    """
    if isinstance(value, dict) and set(value) == {_LABELLED}:
        return made_labels(value[_LABELLED])
    if not isinstance(value, dict) or _OBJECT not in value:
        return value
    cls = resolve(value[_OBJECT])
    if not is_dataclass(cls):
        raise CheckpointInvalid(f"{value[_OBJECT]} is no class of values; it is not loaded.")
    return cls(**{name: made(given) for name, given in value["fields"].items()})
