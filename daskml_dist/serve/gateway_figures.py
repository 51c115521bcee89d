"""What a gateway counts, and the sum of what its replicas count."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from daskml_dist.serve.figures import Seconds
from daskml_dist.serve.routing import Router

_SLOW = 0.25
"""Seconds below which no version is slow."""


@final
class GatewayFigures(Collector):
    """The counts of a gateway.

    Parameters
    ----------
    model : its name.
    router : whose replicas are counted.
    """

    def __init__(self, model: str, router: Router) -> None:
        self._model, self._router = model, router
        self.requests: Counter[tuple[str, int]] = Counter()
        self.rejected: Counter[str] = Counter()
        self.retries: Counter[str] = Counter()
        self.restarts: Counter[str] = Counter()
        self.inflight = 0
        self.by_version: defaultdict[str, Seconds] = defaultdict(Seconds)
        self.since = time.time()
        self.drift: list[dict[str, Any]] = []
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, version: str, status: int, seconds: float) -> None:
        """Count an answer; ``version`` is empty where no replica gave it."""
        self.requests[version, status] += 1
        self.by_version[version].add(seconds)

    @property
    def seconds(self) -> Seconds:
        """Of all answers."""
        return Seconds.sum(self.by_version.values())

    def errors(self, version: str) -> int:
        """Answers of a version that were the server's fault."""
        return sum(count for (v, status), count in self.requests.items() if v == version and status >= 500)

    def slower(self, version: str) -> str | None:
        """Why a version counts as slow: 99 % of its answers take 4 times as long as those of the others."""
        mine = self.by_version[version].quantile(0.99)
        others = [s.quantile(0.99) for v, s in self.by_version.items() if v not in ("", version)]
        usual = max((seconds for seconds in others if seconds is not None), default=None)
        if mine is None or usual is None or mine <= 4 * usual or mine <= _SLOW:
            return None
        return f"99 % of its answers take up to {mine:g} s, of the others {usual:g} s"

    def text(self, replicas: Sequence[bytes]) -> bytes:
        """Prometheus' text: the gateway's own metrics, and sums over the texts of replicas."""
        return generate_latest(self._registry) + _summed(replicas)

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        model = self._model
        requests = CounterMetricFamily(
            "daskml_gateway_requests", "Requests answered.", labels=["model", "version", "code"]
        )
        for (version, status), count in self.requests.items():
            requests.add_metric([model, version, str(status)], count)
        yield requests
        for name, help_text, label, counts in (
            ("daskml_gateway_rejected", "Requests refused by the gateway.", "reason", self.rejected),
            ("daskml_retries", "Requests sent to another replica.", "reason", self.retries),
            ("daskml_replica_restarts", "Replicas started again.", "version", self.restarts),
        ):
            counter = CounterMetricFamily(name, help_text, labels=["model", label])
            for key, count in counts.items():
                counter.add_metric([model, key], count)
            yield counter
        yield GaugeMetricFamily("daskml_gateway_inflight", "Requests being answered.", value=self.inflight)
        ready = GaugeMetricFamily(
            "daskml_replicas_ready", "Replicas that get requests.", labels=["model", "version"]
        )
        for version in {target.version for target in self._router.targets.values()}:
            ready.add_metric([model, version], self._router.ready(version))
        yield ready
        psi = GaugeMetricFamily(
            "daskml_drift_psi", "Population stability index.", labels=["model", "version", "column"]
        )
        for told in self.drift:
            psi.add_metric([model, told["version"], told["column"]], told["psi"])
        yield psi
        seconds = self.seconds
        histogram = HistogramMetricFamily("daskml_gateway_seconds", "Seconds of a request.", labels=["model"])
        histogram.add_metric([model], buckets=seconds.buckets(), sum_value=seconds.total)
        yield histogram


def _summed(texts: Sequence[bytes]) -> bytes:
    """Each sample of the texts once, its values added up."""
    totals: dict[str, dict[str, float]] = {}
    kinds: dict[str, str] = {}
    for text in texts:
        for family in text_string_to_metric_families(text.decode()):
            if family.name.endswith("_timestamp_seconds"):
                continue  # a time is no summand
            kinds[family.name] = family.type
            samples = totals.setdefault(family.name, {})
            for sample in family.samples:
                labels = ",".join(f'{name}="{_escaped(value)}"' for name, value in sample.labels.items())
                key = f"{sample.name}{{{labels}}}"
                samples[key] = samples.get(key, 0.0) + sample.value
    lines = []
    for name, samples in totals.items():
        lines.append(f"# TYPE {name}{'_total' if kinds[name] == 'counter' else ''} {kinds[name]}")
        lines += [f"{key} {value!r}" for key, value in samples.items()]
    return ("\n".join(lines) + "\n").encode() if lines else b""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
