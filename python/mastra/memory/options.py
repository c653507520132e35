"""What memory can be told: how much history, which recall, which working memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mastra.errors import BadDefinition
from mastra.types.filters import check
from mastra.types.records import Filter

Scope: TypeAlias = Literal["thread", "resource"]
MAX_LAST_MESSAGES = 5_000

DEFAULT_TEMPLATE = """\
# About the user
- Name:
- Place:
- Work:
- Interests:
- Goals:
- Events:
- Facts:
- Projects:
- Preferences:
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SemanticRecall:
    """Older messages that fit what the user says now, with their neighbours.

    `threshold` leaves out matches with a lower score; `filter` is about the vectors' metadata: `threadId`,
    `resourceId`, `role`, `createdAt`.
    """

    top_k: int = 4
    message_range: int | tuple[int, int] = 1
    scope: Scope = "resource"
    threshold: float | None = None
    filter: Filter | None = None

    def __post_init__(self) -> None:
        before, after = self.neighbours
        if self.top_k < 1 or before < 0 or after < 0 or self.scope not in {"thread", "resource"}:
            raise BadDefinition("Semantic recall needs top_k of at least 1, no negative range, and a known scope.")
        check(self.filter)

    @property
    def neighbours(self) -> tuple[int, int]:
        """How many messages before and after a match come with it."""
        if isinstance(self.message_range, int):
            return self.message_range, self.message_range
        return self.message_range

    def to_wire(self) -> dict[str, Any]:
        """The JSON of the HTTP protocol."""
        before, after = self.neighbours
        same = before == after
        return {
            "topK": self.top_k,
            "messageRange": before if same else {"before": before, "after": after},
            "scope": self.scope,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkingMemory:
    """A page that the model keeps about the user: Markdown after a `template`, or JSON that fits a `schema`."""

    template: str = DEFAULT_TEMPLATE
    schema: Any = None
    scope: Scope = "resource"
    read_only: bool = False
    # Longer pages are refused, so that a model cannot fill the context with its own notes.
    max_characters: int = 20_000

    def __post_init__(self) -> None:
        if self.scope not in {"thread", "resource"}:
            raise BadDefinition(f"{self.scope!r} is not a scope.", hint='Use "thread" or "resource".')

    def to_wire(self) -> dict[str, Any]:
        """The JSON of the HTTP protocol."""
        out: dict[str, Any] = {"enabled": True, "scope": self.scope}
        if self.schema is None:
            out["template"] = self.template
        else:
            from mastra.types.schema import Schema  # noqa: PLC0415 - brings pydantic, which most memories never need

            out["schema"] = Schema.of(self.schema).json_schema
        if self.read_only:
            out["readOnly"] = True
        return out


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryOptions:
    """The options of a `Memory`, complete."""

    last_messages: int = 10
    max_tokens: int | None = None
    semantic_recall: SemanticRecall | None = None
    working_memory: WorkingMemory | None = None
    generate_title: bool = False
    read_only: bool = False
    # Searching by words goes through an index of the storage, made with the first search.
    text_search: bool = False
    extra: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.last_messages <= MAX_LAST_MESSAGES:
            raise BadDefinition(f"last_messages is between 0 and {MAX_LAST_MESSAGES:,}.", hint="Use False for none.")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise BadDefinition("max_tokens is at least 1.")

    def to_wire(self) -> dict[str, Any]:
        """The JSON of the HTTP protocol."""
        out: dict[str, Any] = {
            "lastMessages": self.last_messages or False,
            "semanticRecall": self.semantic_recall.to_wire() if self.semantic_recall else False,
            "generateTitle": self.generate_title,
            "workingMemory": self.working_memory.to_wire() if self.working_memory else {"enabled": False},
        }
        if self.max_tokens is not None:
            out["messageHistory"] = {"maxTokens": self.max_tokens}
        return {**out, **self.extra}
