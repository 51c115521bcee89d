"""``update``: champion, challenger, held-out rows, and the decision; the whole flow on one screen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from inspect import signature
from typing import Any, Literal, final

from scipy.stats import norm
from sklearn.base import clone

from daskml_dist import edge
from daskml_dist.errors import InvalidData, UnsupportedParameter
from daskml_dist.explanation.sweeping import held
from daskml_dist.kernels import LabelSurvey
from daskml_dist.losses import Squared
from daskml_dist.model_selection import train_test_split
from daskml_dist.registry import Registry, Version
from daskml_dist.update.pairs import OFFSETS, Compared, compared, natural_score

How = Literal["auto", "partial_fit", "warm_start", "refit"]


@final
@dataclass(frozen=True)
class Outcome:
    """What became of an update.

    Attributes
    ----------
    champion : that was asked, such as "claims/2".
    version : the challenger, which is registered in any case.
    promoted : whether the alias means it now. why : in words, as in the history of the alias.
    compared : the losses on the held-out rows.
    how : what the challenger learned by.
    """

    champion: str
    version: Version
    promoted: bool
    why: str
    compared: Compared
    how: str


def update(
    model: str,
    X: Any,
    y: Any,
    *,
    sample_weight: Any = None,
    offset: Any = None,
    registry: str | Registry | None = None,
    how: How = "auto",
    test_size: float = 0.2,
    random_state: int = 0,
    confidence: float = 0.95,
    min_gain: float = 0.0,
    by: str | None = None,
    scheduler: Any = None,
    lineage: Mapping[str, Any] | None = None,
) -> Outcome:
    r"""Let a registered model learn from new data, and promote it only if it is better on held-out rows.

    The rows are parted at random. The challenger learns from one part; on the other, the mean loss of both is
    compared row by row, and the challenger becomes the champion if

    .. math::

        \bar d > g \quad\text{and}\quad \bar d > z_c \, \mathrm{se}(\bar d)

    where :math:`d_i` is the champion's loss less the challenger's on row i, g is ``min_gain`` and :math:`z_c`
    the quantile of the normal distribution at ``confidence``. So a challenger that is just as good is
    promoted with a probability of 1 - ``confidence`` at most.

    Parameters
    ----------
    model : "claims" or "claims@champion": a model and the alias whose version learns and is compared.
    X, y, sample_weight : new rows (n, p) with the features of the model, targets, weights; any container.
    offset : (n,) what is added to the margin, such as the logarithm of an exposure; regressions with a
        logarithmic link or none can be compared with one.
    registry : a registry or its URL; None for the default one.
    how : "partial_fit" goes on from the champion's coefficients and forgets slowly; "warm_start" finds the
        optimum of the new rows, starting from them; "refit" starts from nothing. "auto" takes the first of
        these that the estimator has.
    test_size : share of the rows to compare on. random_state : decides which.
    confidence, min_gain : see above.
    by : who; None for the user of this process.
    scheduler : where to compare, as of an estimator.
    lineage : what else there is to say of where the data come from.

    Returns
    -------
    Outcome

    Raises
    ------
    NotRegistered, CheckpointInvalid
        There is no such model or alias, or it holds no estimator.
    InvalidData
        The rows have other classes or features than the model, or no offset where it was trained with an
        exposure; nothing is registered then.
    UnsupportedParameter
        The model cannot learn by ``how``, or with an offset.
    """
    if not 0.5 <= confidence < 1.0:
        raise UnsupportedParameter(f"confidence={confidence!r} was given; expected 0.5 or more, below 1.")
    store = registry if isinstance(registry, Registry) else Registry(registry)
    name, _, alias = model.partition("@")
    alias = alias or "champion"
    old = store.version(f"{name}@{alias}")
    champion, answer = store.estimator(old.spec), old.load()
    _check_offset(champion, answer, old, offset)
    given = {"X": X, "y": y, "sample_weight": sample_weight, "offset": offset}
    train, test = _parted(given, test_size, random_state)
    _refuse_other_classes(champion, train, scheduler)
    learned, used = learn(store.estimator(old.spec), train, how)
    found = compared(champion, learned, test, natural_score(answer), scheduler, answer.link)
    version = _registered(store, learned, name, train, answer, found, old, used, by, lineage)
    better = found.gain > min_gain and found.gain > float(norm.ppf(confidence)) * found.error
    why = _words(found, better, old)
    if better:
        store.promote(name, version.number, alias=alias, by=by, why=why)
    return Outcome(old.spec, version, better, why, found, used)


def _parted(given: Mapping[str, Any], test_size: float, seed: int) -> list[dict[str, Any]]:
    """Rows to learn from and rows to compare on, by the names of their parts."""
    there = {name: part for name, part in given.items() if part is not None}
    parts = train_test_split(*there.values(), test_size=test_size, random_state=seed)
    return [dict(zip(there, parts[side::2], strict=True)) for side in (0, 1)]


def learn(estimator: Any, train: Mapping[str, Any], how: How) -> tuple[Any, str]:
    """The estimator after it has seen the rows, and by what it learned.

    Parameters
    ----------
    estimator : a fitted one of its own, which is changed.
    train : X, y, and perhaps sample_weight and offset, by these names.
    """
    ways = _ways(estimator, "offset" in train)
    used = ways[0] if how == "auto" else how
    if used not in ways:
        raise UnsupportedParameter(
            f"how={how!r} was given, and {type(estimator).__name__} can learn by {', '.join(ways)}"
        )
    estimator.set_params(**({"verbose": 0} if "verbose" in estimator.get_params() else {}))
    if used == "partial_fit":
        return estimator.partial_fit(**train), used
    if used == "refit":
        return clone(estimator).fit(**train), used
    before = estimator.warm_start
    estimator.set_params(warm_start=True)
    return estimator.fit(**train).set_params(warm_start=before), used


def _ways(estimator: Any, offset: bool) -> list[str]:
    """What it can learn by, with an offset or without; the cheapest first."""
    step = getattr(estimator, "partial_fit", None)
    there = {
        "partial_fit": callable(step) and (not offset or "offset" in signature(step).parameters),
        "warm_start": "warm_start" in estimator.get_params(),
        "refit": True,
    }
    return [way for way, can in there.items() if can]


def _check_offset(champion: Any, answer: edge.Model, old: Version, offset: Any) -> None:
    """Refuse an offset that cannot be used, and none where there must be one; before anything is learned."""
    exposure = (old.lineage.get("encoding") or {}).get("exposure")
    if offset is None and exposure:
        raise InvalidData(
            f"{old.spec} was trained with the exposure {exposure!r}, and rows without one cannot be "
            "compared; give offset=np.log(exposure)"
        )
    if offset is None:
        return
    if answer.task != "regression" or answer.link not in OFFSETS:
        raise UnsupportedParameter(
            f"offset was given, and {old.spec} is a {answer.task} with the link {answer.link!r}; models "
            f"can be compared with an offset where they are regressions with the link {' or '.join(OFFSETS)}"
        )
    if "offset" not in signature(champion.fit).parameters:
        raise UnsupportedParameter(
            f"offset was given, and {type(champion).__name__} cannot learn with one; leave it out"
        )


def _refuse_other_classes(champion: Any, train: Mapping[str, Any], scheduler: Any) -> None:
    """Look at y before anything is learned."""
    old = getattr(champion, "classes_", None)
    if old is None:
        return
    with held(train["X"], train["y"], None, scheduler) as rows:
        new = rows.ask(LabelSurvey(Squared())).classes.tolist()
    less, more = ([c for c in one if c not in other] for one, other in ((list(old), new), (new, list(old))))
    told = [f"lack the classes {', '.join(map(str, less[:5]))}"] * bool(less)
    told += [f"have {', '.join(map(str, more[:5]))}, which the model does not know"] * bool(more)
    if told:
        raise InvalidData(f"the new rows {' and '.join(told)}: that is another model; fit and register it")


def _registered(
    store: Registry,
    learned: Any,
    name: str,
    train: Mapping[str, Any],
    answer: edge.Model,
    found: Compared,
    old: Version,
    how: str,
    by: str | None,
    lineage: Mapping[str, Any] | None,
) -> Version:
    loss = found.score.removeprefix("neg_")
    metrics = {
        f"{loss} (held out)": found.challenger if loss != "accuracy" else 1.0 - found.challenger,
        f"{loss} of {old.spec} (held out)": found.champion if loss != "accuracy" else 1.0 - found.champion,
        "held-out rows": found.rows,
    }
    kept = {name: old.lineage[name] for name in ("encoding",) if name in old.lineage}
    return store.register(
        learned,
        name,
        data=train["X"],
        target=train["y"],
        columns=answer.columns,
        metrics=metrics,
        parent=old.spec,
        by=by,
        lineage={**kept, **(lineage or {}), "learned by": how},
    )


def _words(found: Compared, better: bool, old: Version) -> str:
    loss = found.score.removeprefix("neg_").replace("_", " ").replace("accuracy", "share of errors")
    told = (
        f"{loss} {found.challenger:.6g} against {found.champion:.6g} of {old.spec} "
        f"on {found.rows:,} held-out rows (difference {-found.gain:.2g}, standard error {found.error:.2g})"
    )
    return told if better else f"not better: {told}"
