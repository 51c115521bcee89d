"""Labelled data: dims by name, one model over several of them or one for each cell, results with labels."""

from daskml_dist.labelled._layout import Asked, Layout, Missing
from daskml_dist.labelled._maps import Field, Maps, Strength, classes_of, curved, field_of, least_squares
from daskml_dist.labelled._margins import elementwise, margins
from daskml_dist.labelled._matching import Matched, matched
from daskml_dist.labelled._naming import Naming, margin_unit, naming_of
from daskml_dist.labelled._restoring import (
    in_place_of_y,
    is_labelled,
    missing_value,
    restored,
    with_missing,
)
from daskml_dist.labelled._rows import Rows, rows_of, with_counts
from daskml_dist.labelled._scores import accuracies, explained

__all__ = [
    "Asked",
    "Field",
    "Layout",
    "Maps",
    "Matched",
    "Missing",
    "Naming",
    "Rows",
    "Strength",
    "accuracies",
    "classes_of",
    "curved",
    "elementwise",
    "explained",
    "field_of",
    "in_place_of_y",
    "is_labelled",
    "least_squares",
    "margin_unit",
    "margins",
    "matched",
    "missing_value",
    "naming_of",
    "restored",
    "rows_of",
    "with_counts",
    "with_missing",
]
