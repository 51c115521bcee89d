"""``daskml-dist show``: what a saved model is."""

from __future__ import annotations

from typing import Any

import fsspec
import numpy as np

from daskml_dist.cli.coefficients import largest
from daskml_dist.cli.encoding import FILE, Encoding
from daskml_dist.cli.report import Report, short
from daskml_dist.cli.values import listed
from daskml_dist.storage import read_model

DEFAULTS = (None, False, 0)


def show(url: str) -> None:
    """Print the class, parameters, classes, features, passes and gap of a model, and what it was made with.

    Raises
    ------
    FileNotFoundError, CheckpointInvalid
        There is no model, or a damaged one.
    """
    record = read_model(url)
    attributes, report = record.attributes, Report()
    report.line(f"{record.class_path.rpartition('.')[2]} in {url}")
    report.fact("class", record.class_path)
    set_ = ", ".join(
        f"{name}={value!r}" for name, value in record.parameters.items() if value not in DEFAULTS
    )
    report.fact("parameters", set_ or "all defaults")
    if "classes_" in attributes:
        report.fact("classes", listed(np.asarray(attributes["classes_"]).tolist()))
    names = attributes.get("feature_names_in_")
    features = f"{attributes.get('n_features_in_', 0):,}"
    report.fact("features", features if names is None else f"{features}: {listed(names)}")
    fs, root = fsspec.core.url_to_fs(url)
    if fs.exists(f"{root.rstrip('/')}/{FILE}"):
        encoding = Encoding.load(url)
        columns = ", ".join(column.name for column in encoding.columns[:8])
        more = f" and {len(encoding.columns) - 8:,} more" if len(encoding.columns) > 8 else ""
        report.fact("trained on", f"{encoding.target} from {columns}{more}")
    _fit_facts(report, attributes)
    report.fact("made", str(record.manifest.get("created_at")))
    versions: dict[str, Any] = record.manifest.get("versions", {})
    report.fact("with", ", ".join(f"{name} {number}" for name, number in versions.items()))
    lines = largest(attributes)
    if lines:
        report.line("\n  the largest coefficients, each by the unit of its feature")
    for name, text in lines:
        report.fact(short(name), text)


def _fit_facts(report: Report, attributes: dict[str, Any]) -> None:
    """What the fit cost and reached, as far as the model says."""
    if "n_passes_" in attributes:
        report.fact("passes", f"{attributes['n_passes_']}")
    if "gap_" in attributes:
        report.fact("gap", f"{attributes['gap_']:.1e} relative ({attributes.get('gap_kind_', 'unknown')})")
