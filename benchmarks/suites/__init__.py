"""The suites by name: each is a function from options to tables."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from benchmarks.options import Options
from benchmarks.table import Table

NAMES = (
    "pass_counts",
    "logistic_speed",
    "logistic_cv",
    "lasso_cv",
    "l1_logistic",
    "several_classes",
    "step_rules",
    "layouts",
    "sgd",
    "sgd_race",
    "minimax",
    "small_fit",
    "tasks_and_bytes",
    "roofline",
    "out_of_core",
    "real_data",
    "supervision",
    "balance",
    "cost_model",
    "labelled",
    "publishing",
    "anytime",
    "drift",
    "compression",
    "serving",
)

Suite = Callable[[Options], list[Table]]


def named(name: str) -> Suite:
    """The suite of that name; imported when it is asked for."""
    suite: Suite = import_module(f"benchmarks.suites.{name}").run
    return suite
