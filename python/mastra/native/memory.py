"""Where memory goes and how near its limits are: the core's counters, the process, the machine, alarms."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

from mastra._core import memory_counts, memory_limits, process_memory, reset_memory_peaks
from mastra.errors import NativeInvalidArgument

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

__all__ = [
    "Level",
    "MemoryMonitor",
    "MemoryReport",
    "memory_counts",
    "memory_limits",
    "process_memory",
    "reset_memory_peaks",
]

Level: TypeAlias = Literal["ok", "elevated", "high", "critical"]
ORDER: tuple[Level, ...] = ("ok", "elevated", "high", "critical")
# A level is left only this far below its threshold, so that a use that hovers there rings once.
MARGIN = 0.03

log = logging.getLogger("mastra.native.memory")


@dataclass(frozen=True, slots=True)
class MemoryReport:
    """One reading. Numbers that this system does not give are None; sizes are bytes."""

    counts: Mapping[str, Mapping[str, int]]
    """By category of the core: live, peak, allocations."""
    process: Mapping[str, int | None]
    """resident, peak_resident, proportional, virtual_size."""
    limits: Mapping[str, int | None]
    """physical, available, control_group, control_group_use, address_space."""
    share: float
    """The use of the tightest limit, 0 to 1."""
    tightest: str
    """Which limit that is: budget, control_group, address_space or physical."""
    level: Level

    def prometheus(self, prefix: str = "mastra_memory") -> str:
        """The numbers in the text format that Prometheus scrapes."""
        lines = [f"# TYPE {prefix}_core_bytes gauge"]
        lines += [f'{prefix}_core_bytes{{category="{name}"}} {use["live"]}' for name, use in self.counts.items()]
        lines.append(f"# TYPE {prefix}_core_peak_bytes gauge")
        lines += [f'{prefix}_core_peak_bytes{{category="{name}"}} {use["peak"]}' for name, use in self.counts.items()]
        lines.append(f"# TYPE {prefix}_core_allocations_total counter")
        lines += [
            f'{prefix}_core_allocations_total{{category="{name}"}} {use["allocations"]}'
            for name, use in self.counts.items()
        ]
        for group, numbers in (("process", self.process), ("limit", self.limits)):
            for name, value in numbers.items():
                if value is not None:
                    lines += [f"# TYPE {prefix}_{group}_{name}_bytes gauge", f"{prefix}_{group}_{name}_bytes {value}"]
        lines += [f"# TYPE {prefix}_share gauge", f"{prefix}_share {self.share:.6f}"]
        lines += [f"# TYPE {prefix}_level gauge", f"{prefix}_level {ORDER.index(self.level)}"]
        return "\n".join(lines) + "\n"


class MemoryMonitor:
    """Reads memory at an interval and calls back when the pressure level changes.

    Callbacks run one after the other on the monitor's own thread: a slow one delays the next reading and nothing
    else, one that raises is logged and counted in `failed_callbacks`. `budget_bytes` is a limit of your own for the
    resident size, beside those of the control group, rlimit and machine.
    """

    def __init__(
        self,
        *,
        budget_bytes: int | None = None,
        interval_s: float = 1.0,
        elevated: float = 0.70,
        high: float = 0.85,
        critical: float = 0.95,
        root: str = "",
    ) -> None:
        if not 0 < elevated < high < critical <= 1:
            raise NativeInvalidArgument("the levels must rise: 0 < elevated < high < critical <= 1")
        if interval_s <= 0 or (budget_bytes is not None and budget_bytes < 1):
            raise NativeInvalidArgument("interval_s must be above 0 and budget_bytes at least 1")
        self._budget = budget_bytes
        self._interval = interval_s
        self._thresholds = (elevated, high, critical)
        self._root = root
        self._level: Level = "ok"
        self._callbacks: list[Callable[[MemoryReport], object]] = []
        self._reading = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failed_callbacks = 0

    def read(self, *, with_proportional: bool = False) -> MemoryReport:
        """Reads now, without calling back. `with_proportional` asks for PSS, which costs milliseconds."""
        process = process_memory(with_proportional=with_proportional, root=self._root)
        limits = memory_limits(root=self._root)
        share, tightest = self._share(process, limits)
        return MemoryReport(memory_counts(), process, limits, share, tightest, self._level_of(share))

    def check(self) -> MemoryReport:
        """Reads now and, when the level is another than at the last check, calls back in this thread."""
        with self._reading:
            report = self.read()
            changed = report.level != self._level
            self._level = report.level
            callbacks = tuple(self._callbacks) if changed else ()
        for callback in callbacks:
            try:
                callback(report)
            except Exception:
                self.failed_callbacks += 1
                log.exception("A memory-pressure callback failed.")
        return report

    def on_change(self, callback: Callable[[MemoryReport], object]) -> Callable[[], None]:
        """Calls `callback` when the level changes, up or down; returns what takes it off again."""
        self._callbacks.append(callback)

        def remove() -> None:
            if callback in self._callbacks:
                self._callbacks.remove(callback)

        return remove

    def start(self) -> None:
        """Begins to read at the interval. Idempotent."""
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="mastra-memory-monitor", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Ends the readings. Idempotent; may be called from a callback."""
        self._stop.set()
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.check()
            except OSError:
                log.exception("The memory of this process cannot be read.")
            self._stop.wait(self._interval)

    def _share(self, process: Mapping[str, int | None], limits: Mapping[str, int | None]) -> tuple[float, str]:
        physical, available = limits["physical"], limits["available"]
        pairs = {
            "budget": (process["resident"], self._budget),
            "control_group": (limits["control_group_use"], limits["control_group"]),
            "address_space": (process["virtual_size"], limits["address_space"]),
            "physical": (None if physical is None or available is None else physical - available, physical),
        }
        shares = {name: use / limit for name, (use, limit) in pairs.items() if use is not None and limit}
        tightest = max(shares, key=lambda name: shares[name], default="")
        return shares.get(tightest, 0.0), tightest

    def _level_of(self, share: float) -> Level:
        reached = sum(share >= threshold for threshold in self._thresholds)
        before = ORDER.index(self._level)
        while reached < before and share >= self._thresholds[before - 1] - MARGIN:
            reached = before
        return ORDER[reached]
