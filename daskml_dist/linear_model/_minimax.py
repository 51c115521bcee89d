"""What the minimax estimators share: groups, risks, and what is told of them."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from daskml_dist import fit as spine
from daskml_dist.errors import UnsupportedCombination, UnsupportedParameter
from daskml_dist.fit import Outcome, Training
from daskml_dist.labelled import Asked, Missing
from daskml_dist.linear_model._base import (
    LinearModel,
    refuse_common,
    refuse_other_types,
    refuse_outside,
    ridge,
)
from daskml_dist.linear_model._labelled import one_model
from daskml_dist.penalties import Penalty
from daskml_dist.risks import Mean, Risk, WorstGroup
from daskml_dist.storage import Checkpoint
from daskml_dist.types import AnyArray, FloatArray

RISKS: dict[str, Risk] = {risk.name: risk for risk in (WorstGroup(), Mean())}
BINDS = 1e-6  # the weight from which on a group is said to bind


class MinimaxModel(LinearModel):
    """A linear model of the worst weights of groups."""

    risk: str | Risk
    regret: bool
    group_offsets: dict[Any, float] | None
    by: str
    alpha: float
    solver: str
    scheduler: Any
    checkpoint: Checkpoint | str | None

    groups_: AnyArray
    group_losses_: FloatArray
    group_weights_: FloatArray

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        groups: Any = None,
        offset: Any = None,
        *,
        sample_dims: Any = None,
        feature_dims: Any = None,
        missing: Missing = "raise",
        fit_over: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : (n, p) numpy, list, pandas, dask array or dataframe, or xarray.
        y : (n,) target.
        sample_weight : (n,) weights within the groups, one number, or None.
        groups : (n,) the group of each row: numbers, strings or bools; None where the partitions of X, or
            the workers that hold them, are the groups (``by``). Groups without weight are left out.
        offset : (n,) what is added to the margin, or None.

        Raises
        ------
        InvalidData
            The data cannot be used.
        UnsupportedParameter, UnsupportedCombination
            A parameter is out of range, or the solver does not know the risk or has no room for so many
            groups and features.
        """
        self._refuse()
        asked = one_model(self, Asked(sample_dims, feature_dims, missing, fit_over))
        self._train(self._training(), X, y, sample_weight, offset, groups, asked)
        return self

    @property
    def binding_groups_(self) -> AnyArray:
        """The labels of the groups with weight, the heaviest first."""
        order = np.argsort(-self.group_weights_, kind="stable")
        return np.asarray(self.groups_[order[self.group_weights_[order] > BINDS]])

    def _run(
        self, training: Training, X: Any, y: Any, sample_weight: Any, offset: Any, groups: Any
    ) -> Outcome:
        found = spine.fit_minimax(
            training,
            self._risk(),
            X,
            y,
            sample_weight,
            offset,
            groups,
            by="worker" if self.by == "worker" else "partition",
            shifts=self.group_offsets,
            regret=bool(self.regret),
        )
        self.groups_, self.group_losses_, self.group_weights_ = found.groups, found.losses, found.weights
        self.__dict__.pop("group_minima_", None)  # of an earlier fit
        if found.minima is not None:
            self.group_minima_ = found.minima
        return found.outcome

    def _refuse(self) -> None:
        refuse_common(self)
        refuse_outside(self, "alpha", 0.0)
        refuse_other_types(self, {"regret": bool | np.bool_}, "True or False")
        refuse_other_types(self, {"solver": str}, "the name of a solver")
        refuse_other_types(self, {"group_offsets": dict}, "a dict of group and number, or None")
        if not np.isfinite([float(offset) for offset in (self.group_offsets or {}).values()]).all():
            raise UnsupportedParameter(f"group_offsets={self.group_offsets!r}: expected finite numbers.")
        self._risk()
        if self.by not in ("partition", "worker"):
            raise UnsupportedParameter(
                f"{type(self).__name__}(by={self.by!r}): expected 'partition' or 'worker'."
            )
        if self.regret and self.checkpoint is not None:
            raise UnsupportedCombination(
                "regret=True first finds the least loss of each group, of which no checkpoint is kept. Use "
                "checkpoint=None, or pass the losses as group_offsets."
            )

    def _risk(self) -> Risk:
        if isinstance(self.risk, Risk):
            return self.risk
        if self.risk not in RISKS:
            raise UnsupportedParameter(
                f"{type(self).__name__}(risk={self.risk!r}): expected 'worst-group', 'mean', or one of "
                "daskml_dist.risks: CVaR(tail), ChiSquare(radius)."
            )
        return RISKS[self.risk]

    def _penalty(self, weight_sum: float) -> Penalty:
        return ridge(self.alpha)

    def _training(self) -> Training:
        raise NotImplementedError
