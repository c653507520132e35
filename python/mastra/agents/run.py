"""Run: the state of one run, and Step: what one call of the model brought. Definitions never change; these do."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mastra.types.ids import new_id
from mastra.types.message_input import settle
from mastra.types.messages import Message, Part
from mastra.types.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from mastra.agents.agent import Agent
    from mastra.agents.journal import Journal
    from mastra.agents.options import RunOptions
    from mastra.agents.plan import Plan
    from mastra.agents.signals import Place
    from mastra.agents.structured import Structured
    from mastra.agents.tasks import Box
    from mastra.errors import MastraError
    from mastra.memory.turns import Turn
    from mastra.ports.model import ChatModel
    from mastra.runtime.limits import Budget
    from mastra.runtime.request_context import RequestContext
    from mastra.runtime.services import Services
    from mastra.runtime.stream import Emit
    from mastra.tools.context import AbortSignal
    from mastra.types.chunks import Chunk, FinishReason
    from mastra.types.model import ResponseStart, ToolCall
    from mastra.types.prompt import PromptMessage

NO_USAGE = Usage()


class Step:
    """One call of the model: what it said and called, and what the tools answered."""

    __slots__ = ("calls", "content", "files", "finish_reason", "metadata", "model", "number", "outcomes", "parts",
                 "raw_reason", "reasoning", "response", "response_body", "response_messages", "sources", "started_ms",
                 "stored", "text", "usage", "warnings")  # fmt: skip

    def __init__(self, number: int, model: ChatModel) -> None:
        self.number = number
        self.model = model
        self.started_ms = int(time.time() * 1000)
        self.text = ""
        self.reasoning = ""
        # Parts of the assistant's message that this step added, tool invocations included.
        self.parts: list[Part] = []
        self.calls: list[ToolCall] = []
        self.outcomes: dict[str, Any] = {}
        self.sources: list[dict[str, Any]] = []
        self.files: list[dict[str, Any]] = []
        self.finish_reason: FinishReason = "unknown"
        self.raw_reason: str | None = None
        self.usage = NO_USAGE
        self.warnings: tuple[str, ...] = ()
        self.response: ResponseStart | None = None
        self.response_body: Any = None
        self.metadata: dict[str, Any] | None = None
        # Whether its parts stand in the answer already: so it is for a step that waited for a person.
        self.stored = False
        # What the wire shows of this step as it was when the model had spoken; made only for listeners.
        self.content: list[dict[str, Any]] | None = None
        self.response_messages: list[dict[str, Any]] | None = None

    @property
    def tool_calls(self) -> list[dict[str, Any]]:
        """The calls: toolCallId, toolName, args."""
        return [
            {"toolCallId": call.call_id, "toolName": call.name, "args": call.arguments or {}} for call in self.calls
        ]

    @property
    def tool_results(self) -> list[dict[str, Any]]:
        """The results: toolCallId, toolName, args, result, and isError for failures."""
        return [outcome.payload() for outcome in self.outcomes.values() if outcome.has_result]


class Run:
    """One run of an agent, from its first message to its end or its suspension."""

    __slots__ = ("agent", "background", "budget", "carried", "context", "cost", "created_ms", "emit", "error",
                 "finish_reason", "input", "journal", "message_id", "metadata", "object", "object_set", "options",
                 "parts", "path", "pending", "place", "plan", "processor_retries", "prompt", "push", "recalled",
                 "remembered_system", "request_context", "resource_id", "responses", "resume", "resumed", "run_id",
                 "services", "signal", "span", "state", "steps", "structured", "thread_id", "tool_choice",
                 "trace_id", "tripwire", "turn", "usage", "used_fallback")  # fmt: skip

    def __init__(
        self,
        agent: Agent,
        options: RunOptions,
        *,
        run_id: str,
        message_id: str,
        input: list[Message],
        request_context: RequestContext,
        services: Services,
        budget: Budget,
        emit: Emit | None = None,
        path: tuple[str, ...] = (),
    ) -> None:
        self.agent = agent
        self.options = options
        self.run_id = run_id
        self.message_id = message_id
        self.input = input
        self.request_context = request_context
        self.services = services
        self.budget = budget
        self.emit = emit
        self.push: Callable[[Chunk], bool] | None = None if emit is None else emit.push
        self.path = path
        self.plan: Plan = None  # type: ignore[assignment]  # set before anything else happens
        self.thread_id: str | None = None
        self.resource_id = options.resource
        self.created_ms = int(time.time() * 1000)
        # Messages of the thread before this run, and what memory adds to the system prompt.
        self.recalled: list[Message] = []
        self.remembered_system: tuple[str, ...] = ()
        # The right to speak on the thread, where the memory has a policy for two requests at once.
        self.turn: Turn | None = None
        # Finished messages of this run (before a resume, or before something was said into it), then the parts of the
        # one that grows.
        self.responses: list[Message] = []
        self.parts: list[Part] = []
        self.metadata: dict[str, Any] = {}
        self.prompt: list[PromptMessage] = []
        self.steps: list[Step] = []
        self.usage = NO_USAGE
        self.cost = 0.0
        self.finish_reason: FinishReason = "unknown"
        self.error: MastraError | None = None
        self.tripwire: dict[str, Any] | None = None
        # Calls that wait for a person, by call id.
        self.pending: dict[str, dict[str, Any]] = {}
        self.structured: Structured | None = None
        self.object: Any = None
        self.object_set = False
        self.used_fallback = False
        self.processor_retries = 0
        # What processors keep for the length of the run.
        self.state: dict[str, dict[str, Any]] = {}
        self.signal: AbortSignal | None = None
        self.trace_id = ""
        self.span: Any = None
        # Messages for the model that belong to no thread.
        self.context: list[Message] = []
        self.tool_choice: str = options.tool_choice
        # Of a run that goes on after a suspension: the steps before, and what answers the waiting calls.
        self.carried = 0
        self.resumed = False
        self.resume: Callable[[], Awaitable[bool]] | None = None
        # Its background tasks; None until there is one.
        self.background: Box | None = None
        # Writes its calls down; only a durable run and one that went on after an answer have one.
        self.journal: Journal | None = None
        # Where it hears what is said while it works; only a run with a thread has one.
        self.place: Place | None = None

    def response(self) -> Message:
        """The assistant's message as far as it has grown."""
        extra: dict[str, Any] = {}
        text = last_text(self.parts)
        if text:
            extra["content"] = text
        metadata = self.metadata
        if self.object_set:
            metadata = {**metadata, "structuredOutput": self.object}
        if metadata:
            extra["metadata"] = metadata
        return Message(
            id=self.message_id,
            role="assistant",
            parts=tuple(self.parts),
            created_at=datetime.fromtimestamp(self.created_ms / 1000, UTC),
            thread_id=self.thread_id,
            resource_id=self.resource_id,
            extra=extra,
        )

    def close_answer(self) -> None:
        """End the message that grows: what comes is said behind what somebody says now."""
        if self.parts and self.parts[-1]["type"] == "step-start":
            self.parts.pop()
        if not self.parts:
            return
        self.responses.append(self.response())
        self.parts, self.metadata = [], dict(self.metadata)
        self.message_id = new_id()
        self.created_ms = int(time.time() * 1000)

    def keep_data(self, type: str, payload: dict[str, Any]) -> None:
        """Keep a data chunk that a tool wrote as a part of the answer."""
        if self.steps:
            self.steps[-1].parts.append({"type": type, **payload, "createdAt": int(time.time() * 1000)})

    def keep_pinned(self, recall: Any) -> None:
        """Remember which of the recalled messages are pinned, for who cuts the prompt."""
        pinned = getattr(recall, "pinned", None)
        if pinned:
            self.state["pinned"] = {"messages": [one for one in self.recalled if one.id in pinned]}

    def adopt_results(self) -> None:
        """Put results that came with the input to the calls in the recalled messages that they answer."""
        if not self.recalled:
            return
        kept: list[Message] = []
        for message in self.input:
            if message.role == "assistant" and all(part.get("type") == "tool-invocation" for part in message.parts):
                left = [part for part in message.parts if not settle(self.recalled, part)]
                if not left:
                    continue
            kept.append(message)
        self.input = kept

    def answers(self) -> list[Message]:
        """The assistant's messages of this run, and what was said into it between them."""
        return [*self.responses, self.response()] if self.parts else list(self.responses)

    def messages(self) -> list[Message]:
        """What this run adds to the thread: the user's messages and the answers."""
        return [*self.input, *self.answers()]

    def conversation(self) -> list[Message]:
        """Everything the model has seen: recalled, given and answered."""
        return [*self.recalled, *self.messages()]


def last_text(parts: list[Part]) -> str:
    """The text of the last step in `parts`."""
    for part in reversed(parts):
        if part["type"] == "text":
            text: str = part["text"]
            return text
    return ""
