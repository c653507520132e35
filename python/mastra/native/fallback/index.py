"""The vector index in numpy: every search looks at every row, and vectors stay as they were given."""

from __future__ import annotations

import threading
from typing import Any, NoReturn, Self

import numpy as np
import numpy.typing as npt

from mastra.errors import (
    DimensionMismatch,
    NativeAlreadyExists,
    NativeInvalidArgument,
    NativeLimit,
    NativeNotFound,
    NativeUnsupported,
)
from mastra.native.fallback.arrays import LARGEST_ID, Floats, Ids, as_array, as_floats, as_ids, positive
from mastra.native.fallback.distance import active_kernel, best_rows, check_metric

STORAGES = ("default", "compact", "f16", "f32")
MOST_DIMENSIONS = 65_536
# Squared lengths above this overflow single precision in a distance.
LONGEST = float(np.finfo(np.float32).max) / 16.0


class VectorIndex:
    """Nearest neighbours among vectors of one width, exact and in memory only.

    It takes the arguments of the compiled index: `storage`, `seed`, `ef`, `recall` and `threads` are judged, and
    change nothing here. Files need the compiled core.
    """

    def __init__(
        self, dim: int, *, metric: str = "cosine", storage: str = "default", seed: int = 1, allow_zero: bool = False
    ) -> None:
        del seed
        if not 1 <= dim <= MOST_DIMENSIONS:
            raise NativeInvalidArgument(f"dim must lie between 1 and {MOST_DIMENSIONS}.")
        check_metric(metric)
        if storage not in STORAGES:
            raise NativeInvalidArgument(f"The storage '{storage}' is none of {', '.join(STORAGES)}.")
        self.dim, self.metric, self.storage = dim, metric, storage
        self._allow_zero = allow_zero
        self._lock = threading.RLock()
        self._next = 0
        self._clear()

    def _clear(self) -> None:
        self._rows: Floats = np.zeros((0, self.dim), dtype=np.float32)
        self._ids: Ids = np.zeros(0, dtype=np.uint64)
        self._used: npt.NDArray[np.bool_] = np.zeros(0, dtype=bool)
        self._slot: dict[int, int] = {}
        self._free: list[int] = []
        self._slots = 0  # of the arrays, which have room for more

    @classmethod
    def open(cls, path: Any, *, mmap: bool = True, read_only: bool = False, sync: bool = True) -> Self:
        """Refused: the file is the compiled core's own."""
        del mmap, read_only, sync
        _refuse_files(path)

    def save(self, path: Any) -> None:
        """Refused: the file is the compiled core's own."""
        _refuse_files(path)

    def __len__(self) -> int:
        return len(self._slot)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, int) and key in self._slot

    def add(self, vectors: Any, ids: Any = None, *, upsert: bool = False, threads: int = 1) -> Ids:
        """Add one vector or rows of them; gives their ids. A refused batch changes nothing."""
        positive(threads, "threads")
        floats = as_floats(vectors, "vectors")
        rows = np.atleast_2d(floats)
        given = None if ids is None else as_ids(ids, "ids")
        if given is not None and len(given) != len(rows):
            raise NativeInvalidArgument(f"There are {len(rows)} vectors and {len(given)} ids.")
        if not len(rows) or (floats.ndim == 1 and not floats.size):
            return np.zeros(0, dtype=np.uint64)
        self._check_rows(rows)
        with self._lock:
            if given is None:
                if self._next + len(rows) > LARGEST_ID:
                    raise NativeLimit(f"There are no ids after {self._next - 1}; give your own.")
                given = np.arange(self._next, self._next + len(rows), dtype=np.uint64)
            keys = given.tolist()
            self._check_ids(keys, upsert=upsert)
            self.remove(given, missing_ok=True)
            slots = self._take(len(rows))
            self._rows[slots], self._ids[slots], self._used[slots] = rows, given, True
            self._slot.update(zip(keys, slots, strict=True))
            self._next = max(self._next, max(keys) + 1)
        return given

    def _check_rows(self, rows: Floats) -> None:
        if rows.shape[1] != self.dim:
            raise DimensionMismatch(f"The vectors have {rows.shape[1]} dimensions, the index has {self.dim}.")
        squares = _squares(rows)
        if bool((wrong := ~(squares <= LONGEST)).any()):
            raise NativeInvalidArgument(
                f"Row {int(np.argmax(wrong))} holds NaN, infinity or numbers too large to compare."
            )
        if self.metric == "cosine" and not self._allow_zero and bool((zero := squares <= 0).any()):
            raise NativeInvalidArgument(
                f"Row {int(np.argmax(zero))} is the zero vector, which has no cosine; allow_zero=True accepts it."
            )

    def _check_ids(self, keys: list[int], *, upsert: bool) -> None:
        seen: set[int] = set()
        for key in keys:
            if key in seen:
                raise NativeInvalidArgument(f"The id {key} comes twice in one call.")
            seen.add(key)
        for key in keys:
            if not upsert and key in self._slot:
                raise NativeAlreadyExists(f"The id {key} is there already; upsert=True replaces it.")

    def _take(self, count: int) -> list[int]:
        slots = [self._free.pop() for _ in range(min(count, len(self._free)))]
        fresh = count - len(slots)
        room = len(self._ids)
        if self._slots + fresh > room:
            more = max(self._slots + fresh, room * 3 // 2) - room
            self._rows = np.concatenate((self._rows, np.zeros((more, self.dim), dtype=np.float32)))
            self._ids = np.concatenate((self._ids, np.zeros(more, dtype=np.uint64)))
            self._used = np.concatenate((self._used, np.zeros(more, dtype=bool)))
        slots += range(self._slots, self._slots + fresh)
        self._slots += fresh
        return slots

    def remove(self, ids: Any, *, missing_ok: bool = False) -> int:
        """Remove ids; gives how many were there. An unknown id raises unless missing_ok, and nothing is removed."""
        keys = as_ids(ids, "ids").tolist()
        with self._lock:
            if not missing_ok:
                for key in keys:
                    if key not in self._slot:
                        raise NativeNotFound(f"There is no id {key}; nothing was removed.")
            gone = [self._slot.pop(key) for key in keys if key in self._slot]
            self._used[gone] = False
            self._free += gone
            if gone and not self._slot:
                self._clear()
        return len(gone)

    def get(self, ids: Any) -> Floats:
        """The vectors of ids, exactly as they were given."""
        keys = as_ids(ids, "ids").tolist()
        with self._lock:
            for key in keys:
                if key not in self._slot:
                    raise NativeNotFound(f"There is no id {key}.")
            rows = self._rows[[self._slot[key] for key in keys]]
        row: Floats = rows[0] if isinstance(ids, int) else rows
        return row

    def search(
        self,
        queries: Any,
        k: int = 10,
        ef: int | None = None,
        threads: int = 1,
        where: Any = None,
        *,
        recall: float | None = None,
    ) -> tuple[Ids, Floats]:
        """The k nearest of each query, best first: (ids, scores). A 1-d query gives 1-d answers."""
        k = positive(k, "k")
        positive(threads, "threads")
        if ef is not None:
            positive(ef, "ef")
        if recall is not None and not 0.0 < recall <= 1.0:
            raise NativeInvalidArgument("recall must lie above 0 and not above 1.")
        if ef is not None and recall is not None:
            raise NativeInvalidArgument("Give ef or recall, not both.")
        floats = as_floats(queries, "queries")
        asked = np.atleast_2d(floats)
        with self._lock:
            slots = np.flatnonzero(self._chosen(where))
            self._check_queries(asked)
            every = len(slots) == self._slots
            rows = self._rows[: self._slots] if every else self._rows[slots]
            places, scores = best_rows(rows, asked, k, self.metric)
            ids = self._ids[slots[places]]
        return (ids[0], scores[0]) if floats.ndim == 1 else (ids, scores)

    def _check_queries(self, asked: Floats) -> None:
        if asked.shape[1] != self.dim:
            raise DimensionMismatch(f"The query has {asked.shape[1]} dimensions, the index has {self.dim}.")
        if bool((wrong := ~(_squares(asked) <= LONGEST)).any()):
            raise NativeInvalidArgument(
                f"Query {int(np.argmax(wrong))} holds NaN, infinity or numbers too large to compare."
            )

    def _chosen(self, where: Any) -> npt.NDArray[np.bool_]:
        used = self._used[: self._slots]
        if where is None:
            return used
        given = as_array(where, "where")
        if given.ndim != 1:
            raise NativeInvalidArgument("where must have one axis.")
        if given.dtype in {np.dtype(np.uint8), np.dtype(bool)}:
            packed = given.dtype == np.uint8
            if len(given) != ((self._slots + 7) // 8 if packed else self._slots):
                raise NativeInvalidArgument(
                    f"where covers {len(given)} {'bytes' if packed else 'slots'}, the index has {self._slots} slots."
                )
            bits = np.unpackbits(given, bitorder="little")[: self._slots] if packed else given
            return np.asarray(used & bits.astype(bool))
        mask = np.zeros(self._slots, dtype=bool)
        mask[[self._slot[key] for key in as_ids(where, "where").tolist() if key in self._slot]] = True
        return mask

    def ids(self) -> Ids:
        """The ids there are."""
        with self._lock:
            return self._ids[: self._slots][self._used[: self._slots]]

    def slots(self) -> tuple[Ids, npt.NDArray[np.bool_]]:
        """(ids by slot, bool by slot: in use): the order that masks follow."""
        with self._lock:
            return self._ids[: self._slots].copy(), self._used[: self._slots].copy()

    def optimize(self, *, threads: int = 1) -> None:
        """Close the gaps of removed rows (slots are numbered again, in order) and give memory back."""
        positive(threads, "threads")
        with self._lock:
            kept = np.flatnonzero(self._used[: self._slots])
            rows, ids = self._rows[kept], self._ids[kept]
            self._clear()
            self._rows, self._ids, self._used = rows, ids, np.ones(len(ids), dtype=bool)
            self._slot = {key: slot for slot, key in enumerate(ids.tolist())}
            self._slots = len(ids)

    def stats(self) -> dict[str, Any]:
        """Rows, bytes by category, and how the index searches."""
        with self._lock:
            bytes_of = {
                "codes": 0,
                "residuals": 0,
                "vectors": self._rows.nbytes,
                "links": 0,
                "ids": self._ids.nbytes,
                "other": self._used.nbytes,
            }
            total = sum(bytes_of.values())
            return {
                "rows": len(self),
                "slots": self._slots,
                "removed": self._slots - len(self),
                "dim": self.dim,
                "metric": self.metric,
                "storage": self.storage,
                "bytes": bytes_of,
                "total_bytes": total,
                "bytes_per_vector": total / len(self) if len(self) else 0.0,
                "searched_by": "scan",
                "default_ef": 0,
                "calibrated_recall": 1.0,
                "refined_walk": False,
                "refits": 0,
                "kernel": active_kernel(),
            }


def _squares(rows: Floats) -> npt.NDArray[np.float64]:
    return np.asarray(np.einsum("ij,ij->i", rows, rows, dtype=np.float64))


def _refuse_files(path: Any) -> NoReturn:
    raise NativeUnsupported(
        f"The index file '{path}' can only be written and read by the compiled core.",
        hint="Install mastra from a wheel for this platform, or keep vectors in a database.",
    )
