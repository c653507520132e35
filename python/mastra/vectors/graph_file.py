"""The graph of a stored index in a file beside the database: opened instead of built again, never believed over rows.

A list says which row has which number in the graph, and which write of the row that was. A row that storage holds
from another write is put into the graph anew, so a file that is older, newer or of another database does no harm.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from mastra.errors import MastraError
from mastra.native import VectorIndex
from mastra.types.ids import new_id
from mastra.types.json import dumps, loads

log = logging.getLogger("mastra.vectors")
VERSION = 1


@dataclass(frozen=True, slots=True)
class Graph:
    """What was loaded: the index, the number and the write of each row by its id, and the next free number."""

    index: VectorIndex
    rows: dict[str, tuple[int, str]]
    following: int


class GraphFile:
    """The files of one index: `<uid>.json` is the list and names the graph it belongs to."""

    def __init__(self, folder: Path, uid: str) -> None:
        self._folder = folder
        self._uid = uid
        self._list = folder / f"{uid}.json"

    def load(self) -> Graph | None:
        """The graph, or None when there is none that can be used; what cannot is removed."""
        try:
            return self._read()
        except FileNotFoundError:
            return None
        except (MastraError, OSError, ValueError, LookupError, TypeError) as error:
            log.info("the graph of the index %s is built anew: %s", self._uid, type(error).__name__)
            self.remove()
            return None

    def _read(self) -> Graph:
        kept = loads(self._list.read_text(encoding="utf-8"))
        body = kept["body"]
        if kept["version"] != VERSION or kept["sum"] != _sum(body):
            raise ValueError(self._uid)
        facts = loads(body)
        rows = {row_id: (number, write) for row_id, number, write in facts["rows"]}
        index = self._open(Path(facts["file"]).name)
        if not {number for number, _ in rows.values()} <= set(index.ids().tolist()):
            raise ValueError(self._uid)
        return Graph(index, rows, facts["following"])

    def _open(self, name: str) -> VectorIndex:
        """Open the graph under a name of our own that is gone at once: nobody else writes to it."""
        own = self._folder / f"{self._uid}.{new_id()}.own"
        os.link(self._folder / name, own)
        try:
            return VectorIndex.open(own, mmap=False, sync=False)
        finally:
            for path in (own, own.with_name(f"{own.name}.log")):
                path.unlink(missing_ok=True)

    def save(self, index: VectorIndex, rows: dict[str, tuple[int, str]], following: int) -> None:
        """Write graph and list; a crash between the two leaves the ones before."""
        name = f"{self._uid}.{new_id()}.mv"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            index.save(self._folder / name)
            facts = [[row_id, number, write] for row_id, (number, write) in rows.items()]
            body = dumps({"file": name, "rows": facts, "following": following})
            part = self._folder / f"{self._uid}.{new_id()}.part"
            part.write_text(dumps({"version": VERSION, "sum": _sum(body), "body": body}), encoding="utf-8")
            part.replace(self._list)
        except (MastraError, OSError) as error:
            # Only speed is lost: without the file the graph is built from the rows.
            log.warning("the graph of the index %s was not saved: %s", self._uid, type(error).__name__)
            self._remove_all_but(None)
            return
        self._remove_all_but(name)

    def remove(self) -> None:
        """Remove the files."""
        self._list.unlink(missing_ok=True)
        self._remove_all_but(None)

    def _remove_all_but(self, name: str | None) -> None:
        for path in self._folder.glob(f"{self._uid}.*.mv*"):
            if path.name != name:
                path.unlink(missing_ok=True)


def _sum(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()
