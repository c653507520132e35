"""Counters and histograms of the server in the text format that Prometheus reads; exemplars carry trace ids."""

from __future__ import annotations

import time
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Self

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class Histogram:
    """How long things took, in buckets, with the last trace seen in each."""

    __slots__ = ("counts", "exemplars", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(BUCKETS) + 1)
        self.total = 0.0
        self.exemplars: dict[int, tuple[str, float, float]] = {}

    def observe(self, seconds: float, trace_id: str = "") -> None:
        """Add one observation."""
        at = bisect_left(BUCKETS, seconds)
        self.counts[at] += 1
        self.total += seconds
        if trace_id:
            self.exemplars[at] = (trace_id, seconds, time.time())

    def add(self, counts: Iterable[int], total: float, exemplars: Iterable[tuple[int, str, float, float]]) -> None:
        """Add what another worker observed; of two exemplars the newer one stays."""
        self.counts = [one + other for one, other in zip(self.counts, counts, strict=True)]
        self.total += total
        for at, trace_id, seconds, when in exemplars:
            if at not in self.exemplars or self.exemplars[at][2] < when:
                self.exemplars[at] = (trace_id, seconds, when)


class Metrics:
    """What the server counts."""

    def __init__(self) -> None:
        self.requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self.durations: dict[str, Histogram] = defaultdict(Histogram)
        self.in_flight = 0
        self.streams = 0
        self.refused: dict[str, int] = defaultdict(int)

    def request(self, method: str, path: str, status: int, seconds: float, trace_id: str = "") -> None:
        """One answered request; `path` is the route's, so that ids do not become labels."""
        self.requests[method, path, status] += 1
        self.durations[path].observe(seconds, trace_id)

    def snapshot(self) -> dict[str, Any]:
        """Everything as data, for another worker."""
        return {
            "requests": [[*labels, count] for labels, count in self.requests.items()],
            "durations": [
                [path, one.counts, one.total, [[at, *told] for at, told in one.exemplars.items()]]
                for path, one in self.durations.items()
            ],
            "inFlight": self.in_flight,
            "streams": self.streams,
            "refused": dict(self.refused),
        }

    @classmethod
    def together(cls, snapshots: Iterable[dict[str, Any]]) -> Self:
        """The sum over several workers."""
        made = cls()
        for one in snapshots:
            for method, path, status, count in one["requests"]:
                made.requests[method, path, status] += count
            for path, counts, total, exemplars in one["durations"]:
                made.durations[path].add(counts, total, exemplars)
            made.in_flight += one["inFlight"]
            made.streams += one["streams"]
            for reason, count in one["refused"].items():
                made.refused[reason] += count
        return made

    def text(self, extra: dict[str, float] | None = None, *, exemplars: bool = False) -> str:
        """Everything, one line a value. Exemplars are an OpenMetrics feature and only written when asked for."""
        lines = [
            "# HELP mastra_http_requests_total Requests by route and status.",
            "# TYPE mastra_http_requests_total counter",
        ]
        for (method, path, status), count in sorted(self.requests.items()):
            lines.append(f'mastra_http_requests_total{{method="{method}",route="{path}",status="{status}"}} {count}')
        lines += [
            "# HELP mastra_http_request_duration_seconds Time until the answer was written.",
            "# TYPE mastra_http_request_duration_seconds histogram",
        ]
        for path, histogram in sorted(self.durations.items()):
            lines += _histogram_lines(path, histogram, exemplars=exemplars)
        for name, value in (("in_flight", self.in_flight), ("open_streams", self.streams), *(extra or {}).items()):
            lines += [f"# TYPE mastra_{name} gauge", f"mastra_{name} {value:g}"]
        lines.append("# TYPE mastra_http_refused counter")
        lines += [f'mastra_http_refused_total{{reason="{reason}"}} {n}' for reason, n in sorted(self.refused.items())]
        if exemplars:
            lines.append("# EOF")
        return "\n".join(lines) + "\n"


def _histogram_lines(path: str, histogram: Histogram, *, exemplars: bool) -> list[str]:
    lines, running = [], 0
    for at, count in enumerate(histogram.counts):
        running += count
        bound = f"{BUCKETS[at]:g}" if at < len(BUCKETS) else "+Inf"
        line = f'mastra_http_request_duration_seconds_bucket{{route="{path}",le="{bound}"}} {running}'
        if exemplars and at in histogram.exemplars:
            trace_id, seconds, when = histogram.exemplars[at]
            line += f' # {{trace_id="{trace_id}"}} {seconds:.6f} {when:.3f}'
        lines.append(line)
    lines.append(f'mastra_http_request_duration_seconds_sum{{route="{path}"}} {histogram.total:.6f}')
    lines.append(f'mastra_http_request_duration_seconds_count{{route="{path}"}} {running}')
    return lines
