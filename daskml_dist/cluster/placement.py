"""Where a user wants the work of a fit, and whether it may move."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, final, get_args

from daskml_dist.errors import UnsupportedParameter

By = Literal["auto", "in-place", "finish-time", "resources"]


@final
@dataclass(frozen=True)
class Placement:
    """Where the chunks of X are worked on: the ``scheduler`` of an estimator, with more to say.

    Any placement gives the same bits. ``docs/scheduling.md`` has the formulas.

    Attributes
    ----------
    scheduler : a ``distributed.Client``, the address of a scheduler, or None for the current client.
    by : the first plan. "in-place": data stay where they are, and what is nowhere yet goes in runs of
        equal rows to the threads. "finish-time": each chunk goes where it is done earliest, by the speeds
        of the workers that earlier fits with this client measured (equal ones, where there were none);
        data move for it. "resources": chunks are spread over the threads that have ``resources``, within
        their memory; data move for it. "auto": in place.
    resources : what each task needs of the resources of Dask, such as {"GPU": 1}; tasks carry it, so that
        Dask enforces it. None for no restriction.
    replan : whether chunks move between passes when a worker is slow, arrives or leaves, and it pays.
    backup : whether work that is late is started once more on idle threads; the first answer counts.

    Raises
    ------
    UnsupportedParameter
        Another value than these; ``by="resources"`` without resources.

    Examples
    --------
    >>> from daskml_dist import Placement
    >>> Placement(resources={"GPU": 1}).by
    'auto'
    """

    scheduler: Any = None
    by: By = "auto"
    resources: Mapping[str, float] | None = None
    replan: bool = True
    backup: bool = True

    def __post_init__(self) -> None:
        if self.by not in get_args(By):
            raise UnsupportedParameter(f"Placement(by={self.by!r}): expected one of {list(get_args(By))}.")
        if self.by == "resources" and not self.resources:
            raise UnsupportedParameter(
                "Placement(by='resources') was given without resources. Say what each task needs, such as "
                "resources={'GPU': 1}, or use by='auto'."
            )
        for name, amount in self.needs.items():
            number = isinstance(amount, int | float) and not isinstance(amount, bool)
            if not isinstance(name, str) or not number or not amount > 0.0:
                raise UnsupportedParameter(
                    f"Placement(resources={self.resources!r}): expected names of resources and how much of "
                    "each a task needs, a number above 0."
                )
        for name, given in (("replan", self.replan), ("backup", self.backup)):
            if not isinstance(given, bool):
                raise UnsupportedParameter(f"Placement({name}={given!r}): expected True or False.")

    @property
    def needs(self) -> Mapping[str, float]:
        """What each task needs; empty for nothing."""
        return self.resources or {}
