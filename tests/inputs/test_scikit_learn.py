"""The smallest estimators on top of the room pass scikit-learn's own checks of inputs."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

from daskml_dist.inputs import apply, features_of, read


def _check_features(model, X):
    """What scikit-learn's validate_data checks of the columns, for any container."""
    check_is_fitted(model)
    n_features, names = features_of(X)
    model._check_feature_names(X, reset=False) if names is not None else None
    if n_features != model.n_features_in_:
        raise ValueError(
            f"X has {n_features} features, but {type(model).__name__} is expecting "
            f"{model.n_features_in_} features as input"
        )


class LeastSquares(RegressorMixin, BaseEstimator):
    def fit(self, X, y=None, sample_weight=None):
        table = read(X, y, sample_weight, estimator=self, sparse=False)
        if not np.isfinite(table.X).all():
            raise ValueError("Input X contains NaN or inf")
        self.n_features_in_ = table.n_features
        if table.feature_names is not None:
            self.feature_names_in_ = table.feature_names
        root = np.sqrt(np.ones(len(table.X)) if table.weight is None else table.weight)
        design = np.column_stack([np.ones(len(table.X)), table.X]).astype(float)
        self.coef_ = np.linalg.lstsq(design * root[:, None], table.y.astype(float) * root, rcond=1e-8)[0]
        return self

    def predict(self, X):
        _check_features(self, X)
        return apply(X, self._predict, n_features=self.n_features_in_, outputs=None, dtype=float)

    def _predict(self, block):
        return block.astype(float) @ self.coef_[1:] + self.coef_[0]


class NearestMean(ClassifierMixin, BaseEstimator):
    def fit(self, X, y=None):
        table = read(X, y, estimator=self, sparse=False)
        if not np.isfinite(table.X).all():
            raise ValueError("Input X contains NaN or inf")
        if table.y.dtype.kind == "f" and (table.y % 1).any():
            raise ValueError("Unknown label type: continuous")
        self.n_features_in_ = table.n_features
        if table.feature_names is not None:
            self.feature_names_in_ = table.feature_names
        self.classes_ = np.unique(table.y)
        self.means_ = np.array([table.X[table.y == label].mean(axis=0) for label in self.classes_])
        return self

    def predict(self, X):
        _check_features(self, X)
        dtype = self.classes_.dtype
        return apply(X, self._predict, n_features=self.n_features_in_, outputs=None, dtype=dtype)

    def _predict(self, block):
        distances = ((block[:, None, :].astype(float) - self.means_) ** 2).sum(axis=2)
        return self.classes_[distances.argmin(axis=1)]


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("model", [LeastSquares(), NearestMean()], ids=lambda model: type(model).__name__)
def test_check_estimator(model):
    results = check_estimator(model, on_fail=None, on_skip=None)
    failed = {result["check_name"]: str(result["exception"])[:300] for result in results
              if result["status"] == "failed"}  # fmt: skip
    assert failed == {}
