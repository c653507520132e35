"""What observational memory can be told: when to take notes, when to use them, and what to keep apart."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from mastra.errors import BadDefinition
from mastra.memory.options import Scope
from mastra.runtime.models import ModelSpec

_NAME = re.compile(r"[^\W_][\w -]{0,59}")
MAX_EXTRACTED = 20
HOOKS = ("on_observation_start", "on_observation_end", "on_reflection_start", "on_reflection_end")


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationalMemory:
    """Observe after `message_tokens` of new messages, reflect when the notes pass `observation_tokens`.

    With `buffer_tokens` notes are taken ahead of time, a piece for so many tokens (or that share of `message_tokens`),
    and used when `message_tokens` are reached: as many pieces as take away the share `buffer_activation` of them, or
    all pieces when nobody spoke for `activate_after_idle`. Beyond `block_after` tokens (or that multiple of
    `message_tokens`) the next turn waits until its history is observed.
    """

    model: ModelSpec
    scope: Scope = "thread"
    message_tokens: int = 30_000
    observation_tokens: int = 40_000
    # The newest messages are left to be seen as they were said.
    keep_last: int = 4
    buffer_tokens: int | float | None = None
    buffer_activation: float = 0.8
    block_after: int | float | None = None
    activate_after_idle: timedelta | None = None
    # Names of facts that are kept up to date beside the notes, such as "current task".
    extract: Sequence[str] = ()
    # Long pauses in the conversation are told to the model.
    temporal_markers: bool = False
    # What the notes do not need of `observation_tokens` is left to the messages.
    share_token_budget: bool = False
    # The tool `recall`, by which the model looks up what was said: in its thread, or in all of the resource.
    retrieval: Scope | None = None
    # The observer gives the thread its title, and a new one when the conversation turns to something else.
    thread_title: bool = False
    # The observer keeps the page of working memory, and the model gets no tool for it.
    manage_working_memory: bool = False
    # HOOKS by name: functions, plain or async, that are called with the facts as one mapping.
    hooks: Mapping[str, Callable[[dict[str, Any]], Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.message_tokens < 1 or self.observation_tokens < 1 or self.keep_last < 0:
            raise BadDefinition("Observational memory needs token limits of at least 1.")
        if self.scope not in {"thread", "resource"}:
            raise BadDefinition(f"{self.scope!r} is not a scope.", hint='Use "thread" or "resource".')
        if self.retrieval not in {None, "thread", "resource"}:
            raise BadDefinition(f"{self.retrieval!r} is not a scope.", hint='Use "thread", "resource" or None.')
        piece = self.piece_tokens
        if piece is not None and not 1 <= piece <= self.message_tokens:
            raise BadDefinition("buffer_tokens is between 1 and message_tokens, or a share of them below 1.")
        if not 0 < self.buffer_activation <= 1:
            raise BadDefinition("buffer_activation is a share: more than 0, at most 1.")
        block = self.block_tokens
        if block is not None and block < self.message_tokens:
            raise BadDefinition("block_after is at least message_tokens, or a multiple of them from 1.0 on.")
        if self.activate_after_idle is not None and (piece is None or self.activate_after_idle <= timedelta(0)):
            raise BadDefinition("activate_after_idle is a time, and needs buffer_tokens: there is nothing else to use.")
        unknown = [name for name, hook in self.hooks.items() if name not in HOOKS or not callable(hook)]
        if unknown:
            raise BadDefinition(f"{unknown[0]!r} is no hook of observations.", hint=f"Use {', '.join(HOOKS)}.")
        if self.thread_title and self.scope != "thread":
            raise BadDefinition("thread_title needs notes of one thread.", hint='Use scope="thread".')
        names = list(self.extract)
        if isinstance(self.extract, str) or len(names) > MAX_EXTRACTED or len(set(names)) < len(names):
            raise BadDefinition(f"extract is a list of at most {MAX_EXTRACTED} different names.")
        if not all(type(name) is str and _NAME.fullmatch(name) for name in names):
            raise BadDefinition("A name in extract is of at most 60 letters, digits, spaces, - and _.")

    @property
    def piece_tokens(self) -> int | None:
        """How many tokens make a piece of notes ahead of time."""
        share = isinstance(self.buffer_tokens, float) and self.buffer_tokens < 1
        amount = None if self.buffer_tokens is None else self.buffer_tokens * (self.message_tokens if share else 1)
        return None if amount is None else int(amount)

    @property
    def block_tokens(self) -> int | None:
        """From how many unobserved tokens on a turn waits."""
        factor = self.message_tokens if isinstance(self.block_after, float) else 1
        return None if self.block_after is None else int(self.block_after * factor)

    def message_limit(self, observed: int) -> int:
        """How many tokens of messages may stand unobserved beside so many tokens of notes."""
        spare = max(0, self.observation_tokens - observed) if self.share_token_budget else 0
        return self.message_tokens + spare
