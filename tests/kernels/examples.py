"""One question of each kind, the chunks it is asked of, and what "the same to the bit" means."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from daskml_dist.kernels import (
    TSQR,
    CurvatureSample,
    Deviations,
    Directions,
    FoldAccuracy,
    FoldFactors,
    FoldMoments,
    FoldSurvey,
    FoldTally,
    Glimpse,
    GroupSample,
    GroupTally,
    GroupTotals,
    HeldOut,
    HessianVector,
    Judgement,
    Kernel,
    KinkSweep,
    LabelPairs,
    LabelSurvey,
    LabelTally,
    LeaveOneOut,
    Left,
    LeverageSample,
    Likeness,
    LocalSteps,
    MiniBatch,
    Moments,
    PinballError,
    Point,
    Probabilities,
    Question,
    RowTally,
    Sample,
    ScoreSketch,
    SquaredError,
    Stepping,
    Sweep,
    SweepAnswer,
    TargetMean,
    TargetSketch,
    TargetSurvey,
    Together,
    View,
    Walk,
    Window,
)
from daskml_dist.losses import EpsilonInsensitive, Hinge, Logistic, Poisson, Smoothed, Softmax, Squared
from daskml_dist.optimizers import SGD
from daskml_dist.penalties import L2
from daskml_dist.splits import Folds, KFold, StratifiedKFold, Tally
from daskml_dist.types import AnyArray, Chunk

ROWS = (37, 0, 1, 64, 50, 1, 0, 77, 30)
FEATURES = 4


def point(problems: int = 1, p: int = FEATURES, *, intercept: bool = True, seed: int = 5) -> Point:
    """A point away from any minimum, for K problems."""
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((problems, p)) / 3
    if not intercept:
        return Point(w, np.zeros(problems), np.zeros(p), False)
    return Point(w, rng.standard_normal(problems) / 3, rng.standard_normal(p), True)


def metric_factor(q: int) -> AnyArray:
    """(q, q) lower triangular, well conditioned."""
    root = np.random.default_rng(8).standard_normal((q, q))
    return np.linalg.cholesky(root @ root.T + q * np.eye(q))


def chunks(
    rows: tuple[int, ...] = ROWS, p: int = FEATURES, *, weighted: bool = True, seed: int = 3
) -> list[Chunk]:
    """Coded chunks of these sizes with a binary target, a weight that is sometimes zero, and an offset."""
    rng = np.random.default_rng(seed)
    made = []
    for i, n in enumerate(rows):
        X = rng.standard_normal((n, p)) * np.logspace(-2, 2, p) + 3.0
        y = (rng.random(n) < 0.4).astype(np.float64)
        weight = rng.integers(0, 4, n).astype(np.float64) / 3.0
        offset = rng.standard_normal(n) / 5
        if n == 1:
            weight[:] = 0.7
        made.append(Chunk(i, X, y, weight, offset) if weighted else Chunk(i, X, y))
    return made


def named(labels: int, groups: int, kind: Any = np.str_) -> list[Chunk]:
    """Chunks with so many labels and groups, which are not all in each chunk."""
    rng = np.random.default_rng(12)
    names = rng.permutation(1000).astype(kind)

    def drawn(chunk: Chunk, among: int) -> AnyArray:
        some = rng.permutation(among)[: 1 + among // 2]
        return names[rng.choice(some, chunk.y.shape[0])]

    return [replace(chunk, y=drawn(chunk, labels), groups=drawn(chunk, groups)) for chunk in chunks()]


def coded(groups: int) -> list[Chunk]:
    """Chunks of rows in groups 0 .. G - 1."""
    return [replace(chunk, groups=np.arange(chunk.y.shape[0]) % groups) for chunk in chunks()]


def rows_of_classes() -> Tally:
    """The classes of ``chunks`` in order of appearance, counted."""
    classes = np.array([1.0, 0.0])
    return Tally(np.array([(chunk.y[:, None] == classes).sum(axis=0) for chunk in chunks()]), classes)


def label_chunks() -> list[Chunk]:
    """Chunks of labels as predictions: X (n, 1) without fractions."""
    return [replace(c, X=np.round(c.X[:, :1] / 3.0)) for c in chunks() if c.X is not None]


def many_targets() -> list[Chunk]:
    """Chunks with as many targets as features."""
    return [replace(c, y=np.round(c.X[:, ::-1] * 2.0)) for c in chunks() if c.X is not None]


def two_targets() -> list[Chunk]:
    """Chunks with two targets."""
    return [replace(c, y=c.X[:, :2] * 2.0) for c in chunks() if c.X is not None]


def probability_chunks(weighted: bool = True) -> list[Chunk]:
    """Chunks of the probabilities of four classes, and the classes that happened."""
    rng = np.random.default_rng(4)
    made = [
        replace(c, y=rng.integers(0, 4, len(c.y)) * 1.0) for c in chunks(weighted=weighted) if c.y is not None
    ]
    return [replace(c, X=rng.dirichlet(np.ones(4), len(c.y))) for c in made if c.y is not None]


def class_chunks() -> list[Chunk]:
    """Chunks of four classes."""
    rng = np.random.default_rng(14)
    return [replace(c, y=rng.integers(0, 4, len(c.y)) * 1.0) for c in chunks() if c.y is not None]


def three_folds() -> Folds:
    """Of the rows of ``chunks``."""
    return KFold(3, seed=1).settle(Tally(np.array(ROWS)[:, None]))


def joint_point() -> Point:
    """Of four classes."""
    return replace(point(4), joint=True)


def together() -> Together:
    """Sweeps of some and of all rows, more than the few that are made one by one; a verdict; a sample."""
    views = [View(split, "trained on", (0.5, 2.0)) for split in (0, 1, 2)]
    views += [View(one=0), View(1, class_weight=(0.5, 2.0), one=0), View()]
    sweeps = [Sweep(Logistic(), point(seed=seed)) for seed in range(6)]
    curved = Sweep(Logistic(), point(), np.ones((1, FEATURES + 1)), (0.5,), hessian=True)
    others = [curved, Judgement(point()), Sample(Logistic(), 0.9, 0.3, 1, three_folds())]
    seen = [*views, View(1), View(2, "tested"), View(one=1)]
    questions = [Question(kernel) for kernel in (*sweeps, *others)]
    return Together((*questions, Question(curved, _slopes)), (*seen, View(2)), three_folds())


def _slopes(answer: SweepAnswer) -> AnyArray:
    """Something that is to be done with an answer."""
    return answer.gradient


@dataclass(frozen=True)
class Case:
    """A question and the chunks it is asked of."""

    make: Callable[[], Kernel[Any]]
    chunks: Callable[[], list[Chunk]] = chunks


WALK = Walk(3, epoch=1, part=1, parts=4)
BINARY_VIEWS = (View(), View(class_weight=(0.5, 2.0), one=0))


def stepping(problems: int) -> Stepping:
    """Steps in a metric."""
    inverse = np.linalg.inv(metric_factor(FEATURES + 1) @ metric_factor(FEATURES + 1).T)
    return Stepping(L2(0.1), FEATURES, np.stack([inverse] * problems))


def local_steps(slopes: AnyArray | None = None) -> LocalSteps:
    """Some steps of two problems."""
    given = Logistic(), point(2), BINARY_VIEWS, WALK, stepping(2), SGD(1.0).init(point(2).theta)
    return LocalSteps(*given, steps=5, least=3, total=0.5, leverage=2.0, slopes=slopes)


DIRECTION = np.random.default_rng(6).standard_normal((1, FEATURES + 1))
VECTORS = np.random.default_rng(7).standard_normal((3, FEATURES + 1))
SHIFT = np.full(FEATURES, 2.9)

BASES = np.stack([metric_factor(FEATURES), metric_factor(FEATURES).T]) / 10
FOLDS = [
    KFold(4, seed=1).settle(Tally(np.array(ROWS)[:, None])),
    KFold(3).settle(Tally(np.array(ROWS)[:, None])),
    StratifiedKFold(3).settle(rows_of_classes()),
]


def models(splits: int, each: int, targets: int) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Models of each split, with their intercepts and centres."""
    rng = np.random.default_rng(9)
    w = rng.standard_normal((splits, each, targets, FEATURES))
    return w, rng.standard_normal((splits, each, targets)), rng.standard_normal((splits, FEATURES))


#: the kinds of question, by the class of the kernel
CASES: dict[str, list[Case]] = {
    "CurvatureSample": [Case(lambda: CurvatureSample(Softmax(4), joint_point(), 0.3, 7), class_chunks)],
    "FoldSurvey": [Case(lambda: FoldSurvey(three_folds(), 2))],
    "FoldAccuracy": [
        Case(partial(FoldAccuracy, FOLDS[0], *models(4, 3, 1))),
        Case(partial(FoldAccuracy, FOLDS[1], *models(3, 1, 2)), two_targets),
    ],
    "FoldFactors": [Case(partial(FoldFactors, folds, SHIFT, np.array([0.4]))) for folds in FOLDS],
    "FoldMoments": [Case(partial(FoldMoments, folds, SHIFT, np.array([0.4]))) for folds in FOLDS],
    "FoldTally": [
        Case(lambda: FoldTally(KFold(4, seed=1).settle(Tally(np.array(ROWS)[:, None])))),
        Case(lambda: FoldTally(StratifiedKFold(3).settle(rows_of_classes()))),
    ],
    "Deviations": [
        Case(lambda: Deviations(SquaredError(), np.full(FEATURES, 0.3)), many_targets),
        Case(lambda: Deviations(PinballError(0.3)), many_targets),
    ],
    "Glimpse": [Case(lambda: Glimpse(16))],
    "GroupSample": [Case(lambda: GroupSample(np.array([0.1, 0.5, 1.0]), 7), lambda: coded(3))],
    "GroupTally": [
        Case(GroupTally, lambda: named(2, 40)),
        Case(GroupTally, lambda: named(2, 7, object)),
        Case(GroupTally, lambda: named(2, 300, np.float64)),
    ],
    "GroupTotals": [Case(lambda: GroupTotals(3), lambda: coded(3))],
    "HessianVector": [
        Case(lambda: HessianVector(Logistic(), point(), VECTORS)),
        Case(lambda: HessianVector(Softmax(4), joint_point(), np.eye(4 * FEATURES + 4)[:3]), class_chunks),
    ],
    "HeldOut": [
        Case(lambda: HeldOut(point(), replace(WALK, held=0.3), labels=True)),
        Case(lambda: HeldOut(point(4), replace(WALK, held=0.5, shuffle=False), labels=True), class_chunks),
        Case(lambda: HeldOut(point(), replace(WALK, held=0.3), labels=False)),
    ],
    "Judgement": [
        Case(lambda: Judgement(point())),
        Case(lambda: Judgement(point(4)), lambda: class_chunks()),
    ],
    "KinkSweep": [
        Case(lambda: KinkSweep(Sweep(Smoothed(Hinge(), 0.5), point()), 20)),
        Case(
            lambda: KinkSweep(
                Sweep(
                    Smoothed(EpsilonInsensitive(0.2), 2.0),
                    point(intercept=False),
                    DIRECTION[:, :-1] / 50,
                    (1.0,),
                    hessian=True,
                ),
            ),
            lambda: chunks(weighted=False),
        ),
    ],
    "LabelPairs": [Case(LabelPairs, label_chunks)],
    "LabelSurvey": [Case(lambda: LabelSurvey(Logistic()))],
    "LabelTally": [
        Case(LabelTally),
        Case(LabelTally, lambda: named(5, 3)),
        Case(LabelTally, lambda: named(40, 3, object)),
    ],
    "LeaveOneOut": [
        Case(lambda: LeaveOneOut(point(), BASES[:1], np.array([[1e-3, 1e-4, 1e-5, 1e-6]]), 0.001)),
        Case(
            lambda: LeaveOneOut(point(4, intercept=False), BASES, np.full((2, FEATURES), 1e-5), 0.0, True),
            two_targets,
        ),
    ],
    "Left": [Case(lambda: Left(BINARY_VIEWS, replace(WALK, held=0.3)))],
    "Likeness": [Case(lambda: Likeness(Logistic(), point(2), BINARY_VIEWS, stepping(2), Walk(5), 16))],
    "LocalSteps": [
        Case(local_steps),
        Case(lambda: local_steps(np.full((2, FEATURES + 1), 0.1)), lambda: chunks(weighted=False)),
    ],
    "LeverageSample": [
        Case(lambda: LeverageSample(Sweep(Logistic(), point()), metric_factor(FEATURES + 1), 0.5, 4)),
        Case(
            lambda: LeverageSample(
                Sweep(Poisson(), point(intercept=False), DIRECTION[:, :-1] / 50, (1.0,), hessian=True),
                metric_factor(FEATURES),
                1.0,
                4,
            )
        ),
    ],
    "Directions": [
        Case(lambda: Directions(Logistic(), point(2), BINARY_VIEWS, WALK, stepping(2), np.array([2.0, 0.5]))),
    ],
    "MiniBatch": [
        Case(lambda: MiniBatch(Logistic(), point(2), BINARY_VIEWS, WALK)),
        Case(lambda: MiniBatch(Squared(), point(intercept=False), (View(),), replace(WALK, held=0.4))),
        Case(lambda: MiniBatch(Logistic(), point(), (View(group=0), View(group=2)), WALK), lambda: coded(3)),
        Case(lambda: MiniBatch(Hinge(), point(4), tuple(View(one=k) for k in range(4)), WALK), class_chunks),
    ],
    "Moments": [Case(lambda: Moments(SHIFT, np.array([0.4])))],
    "RowTally": [Case(RowTally)],
    "Probabilities": [
        Case(lambda: Probabilities("logarithmic", (0, 1, 2, 3)), probability_chunks),
        Case(lambda: Probabilities("quadratic", (3, 1, 2, 0)), lambda: probability_chunks(weighted=False)),
    ],
    "Sample": [
        Case(lambda: Sample(Logistic(), 0.9, 0.3, 1, three_folds())),
        Case(lambda: Sample(Poisson(), 1.0, 1.0, 2)),
    ],
    "ScoreSketch": [
        Case(lambda: ScoreSketch(2)),
        Case(lambda: ScoreSketch(4, "own class", most=20), probability_chunks),
        Case(lambda: ScoreSketch(4, "own class, pooled", most=9), lambda: probability_chunks(weighted=False)),
        Case(lambda: ScoreSketch(2, most=50, window=Window(2, 1 << 62))),
    ],
    "Sweep": [
        Case(lambda: Sweep(Softmax(4), joint_point()), class_chunks),
        Case(
            lambda: Sweep(
                Softmax(4), joint_point(), np.ones((1, 4 * FEATURES + 4)), (0.5, 1.0), hessian=True
            ),
            class_chunks,
        ),
        Case(lambda: Sweep(Logistic(), point())),
        Case(lambda: Sweep(Logistic(), point(), compiled=True)),
        Case(lambda: Sweep(Poisson(), point(intercept=False), compiled=True)),
        Case(lambda: Sweep(Logistic(), point(intercept=False), hessian=True)),
        Case(
            lambda: Sweep(
                Poisson(),
                point(),
                direction=DIRECTION / 50,
                steps=(-0.75, 1.0),
                hessian=True,
                factor=metric_factor(FEATURES + 1),
            )
        ),
        Case(lambda: Sweep(Squared(), point(3), hessian=True), lambda: chunks(weighted=False)),
        Case(lambda: Sweep(Logistic(), point(), hessian=True, columns=np.array([0, 2]), rising=True)),
        Case(
            lambda: Sweep(
                Poisson(), point(intercept=False), hessian=True, diagonal=True, columns=np.array([1, 3])
            ),
            lambda: chunks(weighted=False),
        ),
    ],
    "Together": [Case(together)],
    "TSQR": [Case(lambda: TSQR(SHIFT, np.array([0.4])))],
    "TargetMean": [Case(TargetMean, many_targets)],
    "TargetSketch": [Case(lambda: TargetSketch(most=12), many_targets), Case(TargetSketch)],
    "TargetSurvey": [Case(lambda: TargetSurvey(Poisson()))],
}
EVERY_CASE = [(f"{name}-{i}", case) for name, cases in CASES.items() for i, case in enumerate(cases)]


def bits(value: Any) -> Any:
    """What an answer is made of, with the layout of arrays in memory, comparable by ``==``."""
    if isinstance(value, np.ndarray):
        if value.dtype == object:
            return ("objects", value.tolist())
        return (value.dtype.str, value.shape, value.flags.c_contiguous, value.tobytes())
    if dataclasses.is_dataclass(value):
        return tuple((f.name, bits(getattr(value, f.name))) for f in dataclasses.fields(value))
    if isinstance(value, float):
        return value.hex()
    if isinstance(value, tuple):
        return tuple(bits(one) for one in value)
    return value
