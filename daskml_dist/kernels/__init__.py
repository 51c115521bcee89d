"""Kernels: the questions that a solver asks of the data."""

from daskml_dist.kernels._base import (
    NOTHING,
    Kernel,
    Part,
    Partial,
    Question,
    Total,
    answer,
    combine,
    finish,
    partial_answer,
)
from daskml_dist.kernels.accuracy import Accuracy
from daskml_dist.kernels.coding import Coding
from daskml_dist.kernels.deviations import (
    AbsoluteError,
    Deviation,
    Deviations,
    DeviationsAnswer,
    PinballError,
    RelativeError,
    SquaredError,
    TweedieDeviance,
)
from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.kernels.hessian_vector import HessianVector
from daskml_dist.kernels.label_pairs import LabelPairs, LabelPairsAnswer
from daskml_dist.kernels.leverage_sample import LeverageSample, SweptSample
from daskml_dist.kernels.moments import Glimpse, GlimpseAnswer, Moments, MomentsAnswer
from daskml_dist.kernels.probabilities import Probabilities, ProbabilitiesAnswer
from daskml_dist.kernels.rows import canonical, extended, squares
from daskml_dist.kernels.sample import Sample
from daskml_dist.kernels.score_sketch import Grouping, ScoreSketch, Window
from daskml_dist.kernels.sketch import Sketch
from daskml_dist.kernels.survey import LabelSurvey, LabelSurveyAnswer, TargetSurvey, TargetSurveyAnswer
from daskml_dist.kernels.sweep import Point, Sweep, SweepAnswer
from daskml_dist.kernels.tally import FoldTally, GroupTally, LabelTally, RowTally, tally
from daskml_dist.kernels.target_mean import TargetMean, TargetMeanAnswer
from daskml_dist.kernels.target_sketch import TargetSketch
from daskml_dist.kernels.tsqr import TSQR

__all__ = [
    "AbsoluteError",
    "Accuracy",
    "Coding",
    "Deviation",
    "Deviations",
    "DeviationsAnswer",
    "ExactSum",
    "FoldTally",
    "Glimpse",
    "GlimpseAnswer",
    "GroupTally",
    "Grouping",
    "HessianVector",
    "Kernel",
    "LabelPairs",
    "LabelPairsAnswer",
    "LabelSurvey",
    "LabelSurveyAnswer",
    "LabelTally",
    "LeverageSample",
    "Moments",
    "MomentsAnswer",
    "NOTHING",
    "Part",
    "Partial",
    "PinballError",
    "Point",
    "Probabilities",
    "ProbabilitiesAnswer",
    "Question",
    "RelativeError",
    "RowTally",
    "Sample",
    "ScoreSketch",
    "Sketch",
    "SquaredError",
    "Sweep",
    "SweepAnswer",
    "SweptSample",
    "TSQR",
    "TargetMean",
    "TargetMeanAnswer",
    "TargetSketch",
    "TargetSurvey",
    "TargetSurveyAnswer",
    "Total",
    "TweedieDeviance",
    "Window",
    "answer",
    "canonical",
    "combine",
    "extended",
    "finish",
    "partial_answer",
    "squares",
    "tally",
]
