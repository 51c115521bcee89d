"""Linear models, under scikit-learn's names and with its meaning."""

from daskml_dist.linear_model.least_squares import LinearRegression, Ridge
from daskml_dist.linear_model.logistic import LogisticRegression
from daskml_dist.linear_model.poisson import PoissonRegressor

__all__ = ["LinearRegression", "LogisticRegression", "PoissonRegressor", "Ridge"]
