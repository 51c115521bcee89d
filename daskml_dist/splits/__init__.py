"""Splits: rules for which rows are tested and which are trained on."""

from daskml_dist.splits._base import Asks, Folds, Split, Tally
from daskml_dist.splits._settled import numbered
from daskml_dist.splits.group_k_fold import GroupKFold
from daskml_dist.splits.holdout import Holdout
from daskml_dist.splits.k_fold import KFold
from daskml_dist.splits.listed import Listed
from daskml_dist.splits.stratified_holdout import StratifiedHoldout
from daskml_dist.splits.stratified_k_fold import StratifiedKFold
from daskml_dist.splits.time_series_split import TimeSeriesSplit

__all__ = [
    "Asks",
    "Folds",
    "GroupKFold",
    "Holdout",
    "KFold",
    "Listed",
    "Split",
    "StratifiedHoldout",
    "StratifiedKFold",
    "Tally",
    "TimeSeriesSplit",
    "numbered",
]
