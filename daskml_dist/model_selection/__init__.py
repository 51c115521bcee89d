"""scikit-learn's ways to split data, on chunked and labelled data as well."""

from daskml_dist.model_selection._rows import Rows
from daskml_dist.model_selection._splitters import GroupKFold, KFold, StratifiedKFold, TimeSeriesSplit
from daskml_dist.model_selection._train_test_split import train_test_split

__all__ = ["GroupKFold", "KFold", "Rows", "StratifiedKFold", "TimeSeriesSplit", "train_test_split"]
