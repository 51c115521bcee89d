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
from daskml_dist.kernels.cholesky import lifted_cholesky
from daskml_dist.kernels.coding import Coding
from daskml_dist.kernels.curvature_sample import CurvatureSample
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
from daskml_dist.kernels.directions import Directions
from daskml_dist.kernels.exact_sum import ExactSum
from daskml_dist.kernels.fold_accuracy import FoldAccuracy
from daskml_dist.kernels.fold_factors import FoldFactors, FoldFactorsAnswer
from daskml_dist.kernels.fold_moments import FoldMoments, FoldMomentsAnswer
from daskml_dist.kernels.fold_survey import FoldSurvey
from daskml_dist.kernels.group_sample import GroupSample
from daskml_dist.kernels.group_totals import GroupTotals, GroupTotalsAnswer
from daskml_dist.kernels.held_out import HeldOut, Left, Score
from daskml_dist.kernels.hessian_vector import HessianVector
from daskml_dist.kernels.joint_sums import theta_order
from daskml_dist.kernels.judgement import Judgement, Verdict
from daskml_dist.kernels.kinks import KinkAnswer, KinkSweep
from daskml_dist.kernels.label_pairs import LabelPairs, LabelPairsAnswer
from daskml_dist.kernels.leave_one_out import LeaveOneOut, LeaveOneOutAnswer
from daskml_dist.kernels.leverage_sample import LeverageSample, SweptSample
from daskml_dist.kernels.likeness import Likeness
from daskml_dist.kernels.local_steps import Averaged, LocalSteps
from daskml_dist.kernels.mini_batch import Batch, MiniBatch, batch_of, seen
from daskml_dist.kernels.moments import Glimpse, GlimpseAnswer, Moments, MomentsAnswer
from daskml_dist.kernels.probabilities import Probabilities, ProbabilitiesAnswer
from daskml_dist.kernels.refusal import refuse_non_finite
from daskml_dist.kernels.rows import canonical, dense_rows, extended, pieces, squares
from daskml_dist.kernels.sample import Sample
from daskml_dist.kernels.score_sketch import Grouping, ScoreSketch, Window
from daskml_dist.kernels.sketch import Sketch
from daskml_dist.kernels.stepping import Stepping, averaged
from daskml_dist.kernels.survey import LabelSurvey, LabelSurveyAnswer, TargetSurvey, TargetSurveyAnswer
from daskml_dist.kernels.sweep import Point, Sweep, SweepAnswer
from daskml_dist.kernels.tally import FoldTally, GroupTally, LabelTally, RowTally, tally
from daskml_dist.kernels.target_mean import TargetMean, TargetMeanAnswer
from daskml_dist.kernels.target_sketch import TargetSketch
from daskml_dist.kernels.together import Together
from daskml_dist.kernels.tsqr import TSQR
from daskml_dist.kernels.view import View, rows_of
from daskml_dist.kernels.walk import Walk

__all__ = [
    "AbsoluteError",
    "Averaged",
    "Batch",
    "Coding",
    "CurvatureSample",
    "Deviation",
    "Deviations",
    "DeviationsAnswer",
    "Directions",
    "ExactSum",
    "FoldAccuracy",
    "FoldFactors",
    "FoldFactorsAnswer",
    "FoldMoments",
    "FoldMomentsAnswer",
    "FoldSurvey",
    "FoldTally",
    "Glimpse",
    "GlimpseAnswer",
    "GroupSample",
    "GroupTally",
    "GroupTotals",
    "GroupTotalsAnswer",
    "Grouping",
    "HeldOut",
    "HessianVector",
    "Judgement",
    "Kernel",
    "KinkAnswer",
    "KinkSweep",
    "LabelPairs",
    "LabelPairsAnswer",
    "LabelSurvey",
    "LabelSurveyAnswer",
    "LabelTally",
    "LeaveOneOut",
    "LeaveOneOutAnswer",
    "Left",
    "LeverageSample",
    "Likeness",
    "LocalSteps",
    "MiniBatch",
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
    "Score",
    "ScoreSketch",
    "Sketch",
    "SquaredError",
    "Stepping",
    "Sweep",
    "SweepAnswer",
    "SweptSample",
    "TSQR",
    "TargetMean",
    "TargetMeanAnswer",
    "TargetSketch",
    "TargetSurvey",
    "TargetSurveyAnswer",
    "Together",
    "Total",
    "TweedieDeviance",
    "Verdict",
    "View",
    "Walk",
    "Window",
    "answer",
    "averaged",
    "batch_of",
    "canonical",
    "combine",
    "dense_rows",
    "extended",
    "finish",
    "lifted_cholesky",
    "partial_answer",
    "pieces",
    "refuse_non_finite",
    "rows_of",
    "seen",
    "squares",
    "tally",
    "theta_order",
]
