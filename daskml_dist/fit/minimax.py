"""A training for the worst weights of groups: from groups of rows, by a column or by where they live."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, final

import numpy as np

from daskml_dist.cluster import Hands
from daskml_dist.errors import InvalidData
from daskml_dist.fit.data import placed
from daskml_dist.fit.log import Log
from daskml_dist.fit.meeting import meet
from daskml_dist.fit.spine import talk
from daskml_dist.fit.surveying import survey
from daskml_dist.fit.training import Outcome, Training
from daskml_dist.kernels import Coding, GroupTotals, GroupTotalsAnswer, Question, View, tally
from daskml_dist.risks import Risk
from daskml_dist.solvers import (
    GroupProblem,
    Meeting,
    Member,
    Problem,
    at_once,
    automatic,
    automatic_for_groups,
    in_turn,
    named_for_groups,
)
from daskml_dist.splits import Tally
from daskml_dist.types import AnyArray, FloatArray, Table

By = Literal["partition", "worker"]
_BASELINE = 0.1  # times tol: the gap to which the groups' own minima are found


@final
@dataclass(frozen=True)
class Worst:
    """The outcome of a training, and (G,) what it says of the groups.

    Attributes
    ----------
    groups : their labels; of partitions the position of the chunk, of workers the address.
    losses : the mean loss of each. weights : the adversary's.
    minima : the least loss that each group could have alone, where regret was asked for, else None.
    """

    outcome: Outcome
    groups: AnyArray
    losses: FloatArray
    weights: FloatArray
    minima: FloatArray | None


def fit_minimax(
    training: Training,
    risk: Risk,
    X: Any,
    y: Any,
    sample_weight: Any = None,
    offset: Any = None,
    groups: Any = None,
    *,
    by: By = "partition",
    shifts: dict[Any, float] | None = None,
    regret: bool = False,
) -> Worst:
    """Train for the worst weights of groups.

    Parameters
    ----------
    risk : how the losses of groups become one number.
    groups : (n,) the group of each row; None where partitions or workers are the groups.
    by : which of them, where ``groups`` is None.
    shifts : what is added to the losses of groups, by label; 0 for those that are not named.
    regret : whether each loss counts by how far it is above the least that the group could have alone.
    """
    assert isinstance(training.solver, str)
    solver = named_for_groups(training.solver, training.loss, training.penalty(1.0), risk)
    with placed(training, X, y, sample_weight, offset, groups) as (hands, table, streamed):
        labels, grouped = _groups(hands, table, groups is not None, by)
        labels, grouped, totals = _with_weight(hands, labels, grouped)
        problem, classes = survey(training, hands, table, streamed, grouped)
        asked = _grouped_problem(problem, risk, labels, totals, shifts or {})
        spent, minima = 0, None
        if regret:
            met = _alone(training, hands, problem, asked)
            spent, minima = met.state.passes, _minima(met)
            asked = replace(asked, shifts=asked.shifts - minima)
        solver = solver or automatic_for_groups(asked)
        outcome = talk(training, hands, table, asked, classes, solver)
    state = outcome.solution.state
    found = replace(
        outcome, solution=replace(outcome.solution, state=replace(state, passes=state.passes + spent))
    )
    return Worst(found, labels, state.arrays["group_losses"], state.arrays["group_weights"], minima)


def _groups(hands: Hands, table: Table, given: bool, by: By) -> tuple[AnyArray, Coding]:
    """The labels of the groups, and how rows are coded by them; X is not read."""
    if given:
        found: Tally = hands.answer(Question(tally("groups")))
        assert found.values is not None
        return found.values, Coding(raw=True, groups=found.values, group_codes=np.arange(len(found.values)))
    rows: Tally = hands.answer(Question(tally("rows")))
    chunks = np.arange(len(rows.counts))
    if not table.lazy:
        return np.zeros(1, dtype=np.int64), Coding(raw=True, chunk_groups=np.zeros_like(chunks))
    if by == "partition":
        return chunks, Coding(raw=True, chunk_groups=chunks)
    homes = np.empty(len(chunks), dtype=object)
    for shard, owner in zip(hands.plan.shards, hands.plan.owners, strict=True):
        homes[list(shard)] = owner
    labels, codes = np.unique(homes.astype(str), return_inverse=True)
    return labels, Coding(raw=True, chunk_groups=codes)


def _with_weight(
    hands: Hands, labels: AnyArray, grouped: Coding
) -> tuple[AnyArray, Coding, GroupTotalsAnswer]:
    """The same without groups that have no weight, whose rows may count anywhere; and their sizes."""
    hands.code(grouped)
    totals: GroupTotalsAnswer = hands.answer(Question(GroupTotals(len(labels))))
    kept = totals.weights > 0.0
    codes = np.where(kept, np.cumsum(kept) - 1, 0)
    totals = GroupTotalsAnswer(totals.rows[kept], totals.weights[kept])
    if grouped.chunk_groups is not None:
        return labels[kept], Coding(chunk_groups=codes[grouped.chunk_groups]), totals
    return labels[kept], Coding(groups=labels, group_codes=codes), totals


def _grouped_problem(
    problem: Problem, risk: Risk, labels: AnyArray, totals: GroupTotalsAnswer, shifts: dict[Any, float]
) -> GroupProblem:
    """The problem with its groups; refuses shifts of groups that are not there."""
    names = labels.tolist()
    unknown = [label for label in shifts if label not in names]
    if unknown:
        raise InvalidData(
            f"group_offsets names groups that no row with weight belongs to: {unknown[:5]!r}. The groups are "
            f"{names[:10]!r}{'' if len(names) <= 10 else ' and others'}."
        )
    return GroupProblem(
        **vars(problem),
        risk=risk,
        groups=totals.rows,
        shares=totals.weights / totals.weights.sum(),
        shifts=np.array([float(shifts.get(label, 0.0)) for label in names]),
        names=tuple(map(str, names)),
    )


def _alone(training: Training, hands: Hands, problem: Problem, asked: GroupProblem) -> Meeting:
    """Each group by itself, all of them at once."""
    members = []
    for group, (rows, share) in enumerate(zip(asked.groups.tolist(), asked.shares.tolist(), strict=True)):
        own = replace(
            problem,
            rows=rows,
            weight_sum=share * problem.weight_sum,
            events=min(problem.events, rows),
            tol=max(_BASELINE * problem.tol, 1e-14),
        )
        members.append(Member(automatic(own, alone=False).solve(own), View(group=group)))
    by = automatic(problem, alone=False)
    return meet(in_turn(members, at_once(by, problem)), hands, Log(training, hands, problem, by.name))


def _minima(met: Meeting) -> FloatArray:
    """(G,) the least loss of each group, with its penalty."""
    reports = [one.solution.state.progress for one in met.judged]
    return np.array([report.objective for report in reports if report is not None])
