"""A fit of Spark MLlib, in the environment that it needs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from pyspark.ml.classification import LogisticRegression
from pyspark.ml.feature import VectorAssembler
from pyspark.sql import SparkSession

from benchmarks.workers.measure import Reply, Request, descendants, measured, serve


def session(request: Request) -> Any:
    """Spark in one process, on two cores."""
    return (
        SparkSession.builder.master(f"local[{request['cores']}]")
        .appName("benchmarks")
        .config("spark.driver.memory", "6g")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.local.dir", request["folder"])
        .getOrCreate()
    )


def estimator(request: Request) -> Any:
    """scikit-learn's objective: raw features are penalised, on the mean of the losses."""
    return LogisticRegression(
        maxIter=100_000, tol=request["tol"], regParam=request["alpha"], standardization=False
    )


def fit(request: Request) -> Reply:
    """On vectors in the memory of the JVM."""
    spark = session(request)
    spark.sparkContext.setLogLevel("ERROR")
    frame = spark.read.parquet(str(Path(request["folder"]) / "data.parquet"))
    names = [name for name in frame.columns if name != "label"]
    rows = VectorAssembler(inputCols=names, outputCol="features").transform(frame).select("features", "label")
    rows = rows.cache()
    rows.count()
    warm = rows.limit(2000).cache()
    warm.count()
    estimator({**request, "tol": 1e-2}).fit(warm)
    with measured(request, lambda: descendants(os.getpid())) as found:
        model = estimator(request).fit(rows)
    reply = {
        **found,
        "coef": model.coefficients.toArray().tolist(),
        "intercept": float(model.intercept),
        "passes": int(model.summary.totalIterations),
        "unit": "iterations",
    }
    spark.stop()
    return reply


if __name__ == "__main__":
    serve(fit)
