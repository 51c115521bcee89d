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
from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.kernels.hessian_vector import HessianVector
from daskml_dist.kernels.leverage_sample import LeverageSample, SweptSample
from daskml_dist.kernels.moments import Glimpse, GlimpseAnswer, Moments, MomentsAnswer
from daskml_dist.kernels.sample import Sample
from daskml_dist.kernels.survey import LabelSurvey, LabelSurveyAnswer, TargetSurvey, TargetSurveyAnswer
from daskml_dist.kernels.sweep import Point, Sweep, SweepAnswer
from daskml_dist.kernels.tally import FoldTally, GroupTally, LabelTally, RowTally, tally
from daskml_dist.kernels.tsqr import TSQR

__all__ = [
    "Accuracy",
    "Coding",
    "ExactSum",
    "FoldTally",
    "Glimpse",
    "GlimpseAnswer",
    "GroupTally",
    "HessianVector",
    "Kernel",
    "LabelSurvey",
    "LabelSurveyAnswer",
    "LabelTally",
    "LeverageSample",
    "Moments",
    "MomentsAnswer",
    "NOTHING",
    "Part",
    "Partial",
    "Point",
    "Question",
    "RowTally",
    "Sample",
    "Sweep",
    "SweepAnswer",
    "SweptSample",
    "TSQR",
    "TargetSurvey",
    "TargetSurveyAnswer",
    "Total",
    "answer",
    "combine",
    "finish",
    "partial_answer",
    "tally",
]
