"""A version as a run of MLflow: parameters, metrics, tags and files, through its public client."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from daskml_dist.registry.version import Version

_LONGEST = 500
"""Letters of a parameter that every store of MLflow takes."""


def log_to_mlflow(
    version: Version, *, client: Any = None, run_id: str | None = None, experiment_id: str = "0"
) -> str:
    """Write a version into a run of MLflow.

    Parameters
    ----------
    version : of the registry.
    client : a ``mlflow.MlflowClient``; None for one of the tracking server that MLflow is set up for.
    run_id : of the run; None for a new one in the experiment, which is closed at the end.
    experiment_id : of a new run.

    Returns
    -------
    The identity of the run. Its artifacts are the files of the version, in the folder "model".

    Raises
    ------
    ImportError
        MLflow is not installed.
    """
    client = _client() if client is None else client
    run = client.create_run(experiment_id).info.run_id if run_id is None else run_id
    for name, value in (version.lineage.get("parameters") or {}).items():
        client.log_param(run, name, str(value)[:_LONGEST])
    for name, number in _flat(version.metrics).items():
        client.log_metric(run, name, number)
    data = version.lineage.get("data") or {}
    tags = {
        "version": version.spec,
        "sha256": version.manifest["sha256"],
        "parent": version.lineage.get("parent"),
    }
    tags |= {"fingerprint": data.get("fingerprint"), "by": version.lineage.get("by")}
    for name, value in tags.items():
        if value is not None:
            client.set_tag(run, f"daskml_dist.{name}", value)
    client.log_artifacts(run, version.local(), "model")
    if run_id is None:
        client.set_terminated(run)
    return str(run)


def _flat(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Numbers by name; those of a slice are "name/slice"."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        inner = (
            {f"{name}/{key}": item for key, item in value.items()}
            if isinstance(value, Mapping)
            else {name: value}
        )
        flat |= {key: item for key, item in inner.items() if item is not None}
    return flat


def _client() -> Any:
    try:
        return import_module("mlflow").MlflowClient()
    except ImportError as error:
        raise ImportError('Logging to MLflow needs it: pip install "daskml_dist[mlflow]"') from error
