"""How many tokens a model call or a whole run used."""

from __future__ import annotations

from typing import Any, NamedTuple


class Usage(NamedTuple):
    """Token counts; `None` where the provider does not say. `a + b` sums two of them."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int | None = None
    cached_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    raw: dict[str, Any] | None = None

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def plus(self, other: Usage) -> Usage:
        """The sum; an unknown count stays unknown only when both are."""
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            _sum(self.reasoning_tokens, other.reasoning_tokens),
            _sum(self.cached_input_tokens, other.cached_input_tokens),
            _sum(self.cache_creation_input_tokens, other.cache_creation_input_tokens),
            other.raw if self.raw is None else self.raw,
        )

    def to_wire(self) -> dict[str, Any]:
        """The usage object of the HTTP protocol; unknown counts are left out."""
        out: dict[str, Any] = {
            "inputTokens": self.input_tokens,
            "outputTokens": self.output_tokens,
            "totalTokens": self.total_tokens,
        }
        if self.reasoning_tokens is not None:
            out["reasoningTokens"] = self.reasoning_tokens
        if self.cached_input_tokens is not None:
            out["cachedInputTokens"] = self.cached_input_tokens
        if self.cache_creation_input_tokens is not None:
            out["cacheCreationInputTokens"] = self.cache_creation_input_tokens
        if self.raw is not None:
            out["raw"] = self.raw
        return out


def _sum(a: int | None, b: int | None) -> int | None:
    if a is None:
        return b
    return a if b is None else a + b
