"""What a replica counts, in plain numbers; Prometheus' text is made of them when it is asked for.

One thread counts, so there is nothing to lock: a request costs well under a microsecond.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from daskml_dist.serve.drifting import Drift
from daskml_dist.serve.labels import Labels

_LABELS = ["model", "version"]
EDGES = tuple(0.0005 * 2.0**i for i in range(14))
"""Upper edges of the histogram of seconds: 0.5 ms to 4 s."""


@final
class Seconds:
    """A histogram of durations."""

    def __init__(self) -> None:
        self.counts = [0] * (len(EDGES) + 1)
        self.total = 0.0

    @classmethod
    def sum(cls, parts: Iterable[Seconds]) -> Seconds:
        """The histogram of all durations of some."""
        whole = cls()
        for part in parts:
            whole.counts = [mine + more for mine, more in zip(whole.counts, part.counts, strict=True)]
            whole.total += part.total
        return whole

    def add(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(EDGES, seconds)] += 1
        self.total += seconds

    def quantile(self, share: float) -> float | None:
        """An upper bound of the quantile, in seconds; None without durations.

        Examples
        --------
        >>> seconds = Seconds()
        >>> seconds.quantile(0.5) is None
        True
        >>> for _ in range(99):
        ...     seconds.add(0.0004)
        >>> seconds.add(0.9)
        >>> seconds.quantile(0.5), seconds.quantile(0.999)
        (0.0005, 1.024)
        """
        wanted, seen = share * sum(self.counts), 0
        for count, edge in zip(self.counts, (*EDGES, 2 * EDGES[-1]), strict=True):
            seen += count
            if seen and seen >= wanted:
                return edge
        return None

    def buckets(self) -> list[tuple[str, float]]:
        """Cumulative counts, as Prometheus wants them."""
        running, found = 0, []
        for count, edge in zip(self.counts, [*map(repr, EDGES), "+Inf"], strict=True):
            running += count
            found.append((edge, float(running)))
        return found


@final
class ReplicaFigures(Collector):
    """The counts of one replica.

    Parameters
    ----------
    model, version : the labels of all of them.
    columns : whose names may be labels; others are counted without a name.
    loaded_at : Unix time.
    labels : that were reported back. drift : the rows that came.
    """

    def __init__(
        self, model: str, version: str, columns: Sequence[str], loaded_at: float, labels: Labels, drift: Drift
    ) -> None:
        self._labels = [model, version]
        self._columns = frozenset(columns)
        self._loaded_at = loaded_at
        self.requests: Counter[int] = Counter()
        self.rejected: Counter[tuple[str, str]] = Counter()
        self.inflight = 0
        self.request_seconds = Seconds()
        self.predict_seconds = Seconds()
        self._labels_back, self._drift = labels, drift
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def answered(self, status: int, seconds: float) -> None:
        """Count an answer."""
        self.requests[status] += 1
        self.request_seconds.add(seconds)

    def reject(self, reason: str, column: str) -> None:
        """Count a refused request."""
        self.rejected[reason, column if column in self._columns else ""] += 1

    def text(self) -> bytes:
        """Prometheus' text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """The families of metrics."""
        for name, help_text, extra, counts in (
            (
                "daskml_requests",
                "Requests answered, by status.",
                ["code"],
                {(str(c),): n for c, n in self.requests.items()},
            ),
            ("daskml_input_rejected", "Requests refused.", ["reason", "column"], self.rejected),
        ):
            counter = CounterMetricFamily(name, help_text, labels=[*_LABELS, *extra])
            for key, count in counts.items():
                counter.add_metric([*self._labels, *key], count)
            yield counter
        yield from (
            self._single(CounterMetricFamily(*told, labels=_LABELS), value) for told, value in self._sums()
        )
        for name, help_text, value in (
            ("daskml_inflight", "Requests being answered.", self.inflight),
            ("daskml_replica_up", "Replicas that answer.", 1.0),
            ("daskml_model_loaded_timestamp_seconds", "When the model was loaded.", self._loaded_at),
        ):
            yield self._single(GaugeMetricFamily(name, help_text, labels=_LABELS), value)
        for name, help_text, seconds in (
            ("daskml_request_seconds", "Seconds from the request to its answer.", self.request_seconds),
            ("daskml_predict_seconds", "Seconds in the model.", self.predict_seconds),
        ):
            histogram = HistogramMetricFamily(name, help_text, labels=_LABELS)
            histogram.add_metric(self._labels, buckets=seconds.buckets(), sum_value=seconds.total)
            yield histogram

    def _sums(self) -> Iterator[tuple[tuple[str, str], float]]:
        """Name and help of what only grows, and how far it has."""
        rows, right, log_loss, error, squared = self._labels_back.totals().tolist()
        yield ("daskml_rows", "Rows answered."), self._drift.rows
        score = "Sum of the last score that drift is counted on; divide by rows."
        yield ("daskml_score_sum", score), self._drift.score_sum()
        yield ("daskml_feedback_rows", "Labels that were reported back."), rows
        yield ("daskml_feedback_right", "Of these, labels that were the most probable."), right
        yield ("daskml_feedback_log_loss_sum", "Sum of -log(probability of the label)."), log_loss
        yield ("daskml_feedback_error_sum", "Sum of prediction - label."), error
        yield ("daskml_feedback_squared_error_sum", "Sum of its square."), squared

    def _single(self, family: CounterMetricFamily | GaugeMetricFamily, value: float) -> Metric:
        family.add_metric(self._labels, value)
        return family
