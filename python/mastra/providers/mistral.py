"""Mistral's chat: Chat Completions with other names, short call ids, and content that comes in parts."""

from __future__ import annotations

import hashlib
import re
from typing import Any, Unpack

from mastra.providers.openai_chat import Dialect, OpenAIChat, as_url
from mastra.providers.wire import WireOptions, left_out
from mastra.types.model import ModelRequest
from mastra.types.prompt import FilePart

DIALECT = Dialect(
    tool_choice_required="any",
    stream_usage=False,
    rename={"seed": "random_seed"},
    drop=("service_tier",),
)
_SHORT_ID = re.compile(r"[A-Za-z0-9]{9}")


class Mistral(OpenAIChat):
    """A model behind Mistral's API."""

    vendor = "mistral"
    home = "https://api.mistral.ai/v1"
    key_env = ("MISTRAL_API_KEY",)

    def __init__(self, model_id: str, **options: Unpack[WireOptions]) -> None:
        super().__init__(model_id, dialect=DIALECT, **options)

    def settings(self, body: dict[str, Any], request: ModelRequest, warnings: list[str]) -> None:
        """The knobs of the call; thinking is switched on by a mode, not by an effort."""
        super().settings(body, request, warnings)
        if body.pop("reasoning_effort", None) is not None:
            if self.profile.reasoning:
                body["prompt_mode"] = "reasoning"
            else:
                warnings.append(left_out(self.model_id, "reasoning_effort"))

    def file(self, part: FilePart) -> dict[str, Any]:
        """A picture or a document."""
        if part.media_type == "application/pdf":
            return {"type": "document_url", "document_url": as_url(part)}
        return super().file(part)

    def call_id(self, call_id: str) -> str:
        """Nine letters and digits, which is all that Mistral accepts; the same for the same id."""
        return call_id if _SHORT_ID.fullmatch(call_id) else hashlib.sha256(call_id.encode()).hexdigest()[:9]
