"""Linear models, under scikit-learn's names and with its meaning."""

from daskml_dist.linear_model.elastic_net import ElasticNet, Lasso
from daskml_dist.linear_model.gamma import GammaRegressor
from daskml_dist.linear_model.generalized import GeneralizedLinearRegressor
from daskml_dist.linear_model.huber import HuberRegressor
from daskml_dist.linear_model.lasso_cv import ElasticNetCV, LassoCV
from daskml_dist.linear_model.least_squares import LinearRegression, Ridge
from daskml_dist.linear_model.linear_svc import LinearSVC
from daskml_dist.linear_model.linear_svr import LinearSVR
from daskml_dist.linear_model.logistic import LogisticRegression
from daskml_dist.linear_model.logistic_cv import LogisticRegressionCV
from daskml_dist.linear_model.minimax_classifier import MinimaxClassifier
from daskml_dist.linear_model.minimax_regressor import MinimaxRegressor
from daskml_dist.linear_model.poisson import PoissonRegressor
from daskml_dist.linear_model.quantile import QuantileRegressor
from daskml_dist.linear_model.ridge_classifier import RidgeClassifier
from daskml_dist.linear_model.ridge_classifier_cv import RidgeClassifierCV
from daskml_dist.linear_model.ridge_cv import RidgeCV
from daskml_dist.linear_model.sgd_classifier import SGDClassifier
from daskml_dist.linear_model.sgd_regressor import SGDRegressor
from daskml_dist.linear_model.tweedie import TweedieRegressor

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GammaRegressor",
    "GeneralizedLinearRegressor",
    "HuberRegressor",
    "Lasso",
    "LassoCV",
    "LinearRegression",
    "LinearSVC",
    "LinearSVR",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MinimaxClassifier",
    "MinimaxRegressor",
    "PoissonRegressor",
    "QuantileRegressor",
    "Ridge",
    "RidgeCV",
    "RidgeClassifier",
    "RidgeClassifierCV",
    "SGDClassifier",
    "SGDRegressor",
    "TweedieRegressor",
]
