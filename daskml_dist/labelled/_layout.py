"""What is asked of labelled data, and which dims and names a model was fitted to."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Literal, final

from daskml_dist.errors import UnsupportedParameter

Missing = Literal["raise", "drop"]


@final
@dataclass(frozen=True)
class Asked:
    """The parameters of ``fit`` that are about labelled data, as they were given.

    Attributes
    ----------
    sample_dims, feature_dims : names of dims, or one name, or None.
    missing : "raise" or "drop".
    fit_over : names of dims or of a coordinate, a DataArray of labels, or None.
    """

    sample_dims: Any = None
    feature_dims: Any = None
    missing: Any = "raise"
    fit_over: Any = None

    def __post_init__(self) -> None:
        if self.missing not in ("raise", "drop"):
            raise UnsupportedParameter(f"missing={self.missing!r} was given; expected 'raise' or 'drop'.")
        if self.missing == "drop" and not self.given:
            raise UnsupportedParameter(
                "missing='drop' was given without sample_dims. Say along which dims the samples lie, for "
                "instance sample_dims=('time',), and give X and y as xarray objects."
            )

    @property
    def given(self) -> bool:
        """Whether dims are to be looked at by name."""
        return any(asked is not None for asked in (self.sample_dims, self.feature_dims, self.fit_over))


@final
@dataclass(frozen=True)
class Layout:
    """The dims and names that a model was fitted to.

    Attributes
    ----------
    sample_dims : along which the samples of a model lie.
    cell_dims : along which there is a model for each label; empty where there is one model.
    group : the name of the labels that have a model each, or None.
    variables : the names of the features where X was a Dataset, else None.
    feature_dims : the dims of the features.
    missing : "raise" or "drop".
    target : the name of y. attrs : those of y.
    cell_chunks : of y along each of ``cell_dims``; empty where y was in memory.
    """

    sample_dims: tuple[str, ...]
    cell_dims: tuple[str, ...]
    group: str | None
    variables: tuple[str, ...] | None
    feature_dims: tuple[str, ...]
    missing: Missing
    target: str | None
    attrs: dict[str, Any] = field(default_factory=dict)
    cell_chunks: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def mapped(self) -> bool:
        """Whether there is more than one model."""
        return bool(self.cell_dims) or self.group is not None


def names_of(dims: Any, parameter: str) -> tuple[Any, ...]:
    """Names of dims as a tuple; one name is a tuple of one."""
    named = (dims,) if isinstance(dims, str) else tuple(dims) if isinstance(dims, tuple | list) else None
    if named is not None and not all(isinstance(name, Hashable) for name in named):
        raise UnsupportedParameter(
            f"{parameter} has {', '.join(type(name).__name__ for name in named)}; expected names. Labels of "
            "groups can be given alone, or as a coordinate of y beside dims: y.assign_coords(group=labels)."
        )
    if named is None or len(set(named)) < len(named):
        raise UnsupportedParameter(
            f"{parameter}={dims!r} was given; expected the name of a dim, or a tuple of different names."
        )
    return named
