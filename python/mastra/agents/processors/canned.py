"""CannedModel: stands before a model and says what is known already."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from mastra.ports.model import ChatModel
from mastra.types.model import Finish, ModelDelta, ModelRequest, ResponseStart, TextDelta, TextEnd, TextStart
from mastra.types.usage import Usage


class CannedModel(ChatModel):
    """Answers with one text, at no cost, under the name of the model it stands for."""

    def __init__(self, model: ChatModel, text: str) -> None:
        self.provider = model.provider
        self.model_id = model.model_id
        self.profile = model.profile
        self._text = text

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:  # noqa: ARG002 - known already
        """The deltas of the text."""
        yield ResponseStart("cached", self.model_id)
        yield TextStart("txt-0")
        yield TextDelta("txt-0", self._text)
        yield TextEnd("txt-0")
        yield Finish("stop", Usage(), "cached")
