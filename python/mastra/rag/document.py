"""A document: a text of a known kind, with an id and metadata, ready to be cut into chunks."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Self, TypeAlias, get_args

from mastra.errors import InvalidInput, NotFound, near_miss
from mastra.rag.chunk import Chunk, ChunkOptions, cut
from mastra.types.ids import check_id

Kind: TypeAlias = Literal["text", "markdown", "html", "json", "latex"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_BY_SUFFIX: dict[str, Kind] = {
    ".md": "markdown", ".markdown": "markdown", ".htm": "html", ".html": "html", ".json": "json", ".tex": "latex",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Document:
    """A text with what is known about it. Without an id it gets one from its content: the same text, the same id."""

    text: str
    kind: Kind = "text"
    id: str = ""
    metadata: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.text, str):
            raise InvalidInput(f"A document's text is a str, not a {type(self.text).__name__}.")
        if self.kind not in KINDS:
            hint = near_miss(str(self.kind), KINDS) or f"Known: {', '.join(KINDS)}."
            raise InvalidInput(f"There is no kind of document called {self.kind!r}.", hint=hint)
        if self.id:
            check_id(self.id, "document id")
        else:
            digest = hashlib.sha256(self.text.encode("utf-8", "surrogatepass")).hexdigest()
            object.__setattr__(self, "id", f"doc-{digest[:24]}")

    @classmethod
    def from_file(cls, path: str | Path, *, id: str = "", metadata: dict[str, Any] | None = None) -> Self:
        """A UTF-8 file; its kind comes from its name's ending, its path is kept as `source`."""
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{str(path)!r} is not UTF-8 text.", hint="Convert it to text first.") from error
        except OSError as error:
            raise NotFound(f"{str(path)!r} cannot be read: {error.strerror}.") from error
        return cls(text, _BY_SUFFIX.get(path.suffix.lower(), "text"), id, {"source": str(path), **(metadata or {})})

    def chunk(self, options: ChunkOptions | None = None, **changes: Any) -> list[Chunk]:
        """The document in chunks, by the strategy that suits its kind; `changes` are fields of `ChunkOptions`."""
        chosen = ChunkOptions.of(options, **changes)
        strategy = chosen.strategy
        if strategy == "auto":
            strategy = "recursive" if self.kind == "text" else self.kind
        chunks = cut(self.text, strategy, chosen)
        return [Chunk(item.text, item.start, {**self.metadata, **item.metadata}) for item in chunks]
