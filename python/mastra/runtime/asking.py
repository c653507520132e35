"""Asking a model for one value of a shape: natively, as a tool, or in words, by what the model can do."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from mastra.errors import OutputInvalid
from mastra.types.json import dumps, loads
from mastra.types.model import Finish, ModelRequest, OutputSpec, TextDelta
from mastra.types.prompt import SystemMessage, TextPart, UserMessage
from mastra.types.usage import Usage

if TYPE_CHECKING:
    from mastra.ports.model import ChatModel
    from mastra.types.model import ModelProfile
    from mastra.types.schema import Schema


class Answer(NamedTuple):
    """The value, checked, and what it cost."""

    value: Any
    usage: Usage
    cost: float


def output_mode(
    profile: ModelProfile, *, has_tools: bool = False, may_call: bool = True
) -> Literal["native", "tool", "prompted"]:
    """How a model is asked for a shape. `may_call`: whether the shape may stand among the tools."""
    if profile.native_output and (profile.output_with_tools or not has_tools):
        return "native"
    return "tool" if profile.tools and not profile.native_output and may_call else "prompted"


async def ask_for(
    model: ChatModel, schema: Schema, system: str, user: str, *, name: str = "response", deadline: float | None = None
) -> Answer:
    """One value that fits `schema`; `OutputInvalid` when the model says something else."""
    mode = output_mode(model.profile)
    if mode == "prompted":
        shape = f"Answer with one JSON value that fits this JSON Schema, nothing else:\n{dumps(schema.json_schema)}"
        system = f"{system}\n\n{shape}".strip()
    request = ModelRequest(
        messages=(SystemMessage(system), UserMessage((TextPart(user),))),
        output=OutputSpec(schema.json_schema, name=name, mode=mode),
        deadline=deadline,
    )
    said: list[str] = []
    usage = Usage()
    async with aclosing(model.stream(request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TextDelta):
                said.append(delta.text)
            elif isinstance(delta, Finish):
                usage = delta.usage
    text = "".join(said)
    try:
        # Some models put words or a fence around what they were asked for.
        value = schema.validate(loads(text[text.find("{") : text.rfind("}") + 1]))
    except ValueError as error:
        raise OutputInvalid(
            f"{model.model_id} did not answer in the shape that was asked for.",
            details={"text": text[:2000], "usage": usage.to_wire()},
        ) from error
    return Answer(value, usage, model.profile.cost_of(usage))
