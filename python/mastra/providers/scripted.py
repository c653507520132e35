"""A model that answers from a script: for tests, for the demo and for documentation, without a key or a network."""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

from mastra.errors import (
    AuthFailed,
    BadDefinition,
    BadModelRequest,
    ContentRefused,
    ContextTooLong,
    InvalidInput,
    ModelError,
    ModelMissing,
    ModelTimeout,
    ModelUnavailable,
    RateLimited,
    ResponseMalformed,
    StreamBroken,
    near_miss,
)
from mastra.ports.model import ChatModel
from mastra.types import json as strict_json
from mastra.types.chunks import FinishReason
from mastra.types.model import (
    Finish,
    GeneratedFile,
    ModelDelta,
    ModelProfile,
    ModelRequest,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    ResponseStart,
    Source,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCall,
    ToolInputDelta,
    ToolInputEnd,
    ToolInputStart,
)
from mastra.types.prompt import AssistantMessage, PromptMessage, SystemMessage, TextPart, UserMessage
from mastra.types.usage import Usage

# What `fail NAME` in a text script raises.
FAILURES: dict[str, type[ModelError]] = {
    "auth": AuthFailed,
    "bad-request": BadModelRequest,
    "broken": StreamBroken,
    "malformed": ResponseMalformed,
    "missing": ModelMissing,
    "rate-limited": RateLimited,
    "refused": ContentRefused,
    "timeout": ModelTimeout,
    "too-long": ContextTooLong,
    "unavailable": ModelUnavailable,
}


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call in a script. `raw` replaces the JSON of the arguments, to script a model that writes nonsense."""

    name: str
    arguments: dict[str, Any] | None = None
    call_id: str | None = None
    raw: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One line of a script: everything that a model can send back.

    `fail` with `fail_after` breaks the answer after that many deltas; `delay_s` waits before the first delta and
    `delta_delay_s` before every later one.
    """

    text: str = ""
    reasoning: str = ""
    signature: str | None = None
    calls: tuple[Call, ...] = ()
    sources: tuple[Source, ...] = ()
    files: tuple[GeneratedFile, ...] = ()
    finish: FinishReason | None = None
    usage: Usage | None = None
    pieces: tuple[str, ...] = ()
    delay_s: float = 0.0
    delta_delay_s: float = 0.0
    fail: Exception | Callable[[], Exception] | None = None
    fail_after: int = 0
    provider_metadata: dict[str, Any] | None = None


Line: TypeAlias = "str | Call | Answer | Exception | Sequence[Call] | Callable[[ModelRequest], Any]"
_WORDS = re.compile(r"\s*\S+\s*$|\s*\S+\s+|\s+")
_ESCAPE = re.compile(r"\\([n\\|])")
_CALL = re.compile(r"call\s+([\w.-]+)\s*(.*)", re.DOTALL)
_FAIL = re.compile(r"fail\s+([a-z-]+)\s*(.*)", re.DOTALL)
_WAIT = re.compile(r"wait\s+([0-9.]+)\s+(.*)", re.DOTALL)
_SEPARATOR = re.compile(r"\n|\s\|\s")


class ScriptedModel(ChatModel):
    """Answers call after call with the lines of its script.

    A line is a text, a `Call` (or several), an `Answer`, an exception to raise, or a function of the request that
    returns one of these. A call without a line left is an error, and so is a line that was never used: leave a
    `with` block, or call `check()`. With `per_run=True` the script starts again for every user message and its last
    line repeats, so that one model serves any number of runs.
    """

    provider = "scripted"
    # Nothing is far away: a failure in the script is meant, and not to be tried again.
    local = True

    def __init__(
        self,
        lines: Sequence[Line] | Line = (),
        *,
        per_run: bool = False,
        model_id: str = "script",
        provider: str = "scripted",
        profile: ModelProfile | None = None,
    ) -> None:
        one = isinstance(lines, str | Call | Answer | Exception) or callable(lines)
        self.lines: tuple[Any, ...] = (lines,) if one else tuple(lines)  # type: ignore[arg-type]  # narrowed above
        self.per_run = per_run
        self.model_id = model_id
        self.provider = provider
        self.profile = profile or ModelProfile(
            context_tokens=1_000_000, images=True, audio=True, files=True, reasoning=True
        )
        self.requests: list[ModelRequest] = []
        self.used = 0
        if per_run and not self.lines:
            raise BadDefinition("A scripted model that repeats needs at least one line.")

    @classmethod
    def from_text(cls, script: str) -> ScriptedModel:
        """The model of `"scripted/<script>"`: lines divided by a new line or ` | `, started again for every run.

        `call NAME {json}` calls a tool (several with ` & `), `fail KIND` raises, `wait SECONDS LINE` delays, `echo`
        repeats the user, and anything else is said.
        """
        parts = [part.strip() for part in _SEPARATOR.split(script) if part.strip()]
        return cls([read_line(part) for part in parts] or [echo], per_run=True, model_id=script or "echo")

    def stream(self, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        """The deltas of the next line."""
        return self._play(self._next_line(request), request)

    def _next_line(self, request: ModelRequest) -> Any:
        if self.per_run:
            return self.lines[min(_step_of(request.messages), len(self.lines) - 1)]
        self.requests.append(request)
        position = self.used
        if position >= len(self.lines):
            raise BadModelRequest(
                f"The script has {len(self.lines)} line(s) and this is call {position + 1}.",
                adapter=self.provider,
                hint="Add a line to the script, or find out why the model is called once more.",
            )
        self.used = position + 1
        return self.lines[position]

    async def _play(self, line: Any, request: ModelRequest) -> AsyncGenerator[ModelDelta, None]:
        if callable(line) and not isinstance(line, Exception):
            line = line(request)
            if hasattr(line, "__await__"):
                line = await line
        if isinstance(line, Exception):
            raise line
        answer = as_answer(line)
        if answer.delay_s:
            await asyncio.sleep(answer.delay_s)
        for count, delta in enumerate(self._deltas(answer, request)):
            if answer.fail is not None and count >= answer.fail_after:
                raise _made(answer.fail)
            if count and answer.delta_delay_s:
                await asyncio.sleep(answer.delta_delay_s)
            yield delta
        if answer.fail is not None:
            raise _made(answer.fail)

    def _deltas(self, answer: Answer, request: ModelRequest) -> list[ModelDelta]:
        out: list[ModelDelta] = [ResponseStart(f"resp_{os.urandom(6).hex()}", self.model_id)]
        if answer.reasoning:
            out.append(ReasoningStart("reasoning-0"))
            out.extend(ReasoningDelta("reasoning-0", piece) for piece in split_words(answer.reasoning))
            out.append(ReasoningEnd("reasoning-0", answer.signature))
        out.extend(answer.sources)
        pieces = answer.pieces or tuple(split_words(answer.text))
        if pieces:
            out.append(TextStart("txt-0"))
            out.extend(TextDelta("txt-0", piece) for piece in pieces)
            out.append(TextEnd("txt-0"))
        out.extend(answer.files)
        for call in answer.calls:
            out.extend(_call_deltas(call))
        reason = answer.finish or ("tool-calls" if answer.calls else "stop")
        usage = answer.usage or Usage(count_prompt(request.messages), max(1, sum(map(_size, out)) // 4))
        out.append(Finish(reason, usage, reason, answer.provider_metadata))
        return out

    def check(self) -> None:
        """Raise when a line of the script was never used."""
        if not self.per_run and self.used < len(self.lines):
            raise BadModelRequest(
                f"{len(self.lines) - self.used} of {len(self.lines)} script line(s) were never used.",
                adapter=self.provider,
                hint=f"The first of them: {self.lines[self.used]!r}.",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.check()

    def __repr__(self) -> str:
        return f"ScriptedModel({self.model_id!r}, lines={len(self.lines)}, used={self.used})"


def echo(request: ModelRequest) -> str:
    """A script line that repeats what the user said last."""
    for message in reversed(request.messages):
        if isinstance(message, UserMessage):
            return "".join(part.text for part in message.parts if isinstance(part, TextPart)) or "(nothing)"
    return "(nothing)"


def as_answer(line: Any) -> Answer:
    """The answer that a script line stands for."""
    if isinstance(line, Answer):
        return line
    if isinstance(line, str):
        return Answer(text=line)
    if isinstance(line, Call):
        return Answer(calls=(line,))
    if isinstance(line, list | tuple) and line and all(isinstance(item, Call) for item in line):
        return Answer(calls=tuple(line))
    raise BadDefinition(
        f"A {type(line).__name__} is no line of a script.",
        hint="Use a text, a Call, a list of Calls, an Answer, an exception, or a function that returns one of these.",
    )


def read_line(text: str) -> Any:
    """The line that a text of the little script language stands for."""
    if text == "echo":
        return echo
    if waiting := _WAIT.fullmatch(text):
        line = read_line(waiting[2])
        return line if line is echo else replace(as_answer(line), delay_s=float(waiting[1]))
    if failing := _FAIL.fullmatch(text):
        kind = failing[1]
        if kind not in FAILURES:
            hint = near_miss(kind, FAILURES) or f"Known: {', '.join(sorted(FAILURES))}."
            raise InvalidInput(f"A script cannot fail with {kind!r}.", hint=hint)
        message = failing[2] or f"The script says: fail {kind}."
        # Made anew each time: a raised exception keeps its traceback.
        return Answer(fail=lambda: FAILURES[kind](message, adapter="scripted"))
    if _CALL.fullmatch(text):
        return [_read_call(part) for part in re.split(r"\s&\s(?=call\s)", text)]
    # A new line begins another answer; in an answer it is written so.
    return _ESCAPE.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def _read_call(text: str) -> Call:
    match = _CALL.fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"{text!r} is not a tool call.", hint="Write: call NAME {json}.")
    try:
        arguments = strict_json.loads(match[2]) if match[2].strip() else {}
    except ValueError as error:
        raise InvalidInput(f"The arguments of {match[1]!r} are not JSON.", hint="Write: call NAME {json}.") from error
    if not isinstance(arguments, dict):
        raise InvalidInput(f"The arguments of {match[1]!r} are not a JSON object.")
    return Call(match[1], arguments)


def _made(failure: Exception | Callable[[], Exception]) -> Exception:
    return failure if isinstance(failure, Exception) else failure()


def _call_deltas(call: Call) -> list[ModelDelta]:
    call_id = call.call_id or f"call_{os.urandom(6).hex()}"
    raw = strict_json.dumps(call.arguments or {}) if call.raw is None else call.raw
    arguments = call.arguments or {}
    if call.raw is not None:
        try:
            value = json.loads(call.raw)
        except ValueError:
            value = None
        arguments = value if isinstance(value, dict) else None  # type: ignore[assignment]  # None marks nonsense
    half = len(raw) // 2
    return [
        ToolInputStart(call_id, call.name),
        *(ToolInputDelta(call_id, piece) for piece in (raw[:half], raw[half:]) if piece),
        ToolInputEnd(call_id),
        ToolCall(call_id, call.name, arguments, raw),
    ]


def split_words(text: str) -> list[str]:
    """The text in pieces of one word each, with the space around it; joined they are the text."""
    return _WORDS.findall(text)


def _step_of(messages: Sequence[PromptMessage]) -> int:
    """How many answers the model has given since the user spoke last."""
    step = 0
    for message in reversed(messages):
        if message.role == "user":
            break
        if message.role == "assistant":
            step += 1
    return step


def _size(delta: ModelDelta) -> int:
    return len(delta.text) if isinstance(delta, TextDelta | ReasoningDelta | ToolInputDelta) else 0


def count_prompt(messages: Sequence[PromptMessage]) -> int:
    """A stand-in for a token count: a quarter of the characters of the prompt, at least 1."""
    total = 0
    for message in messages:
        if isinstance(message, SystemMessage):
            total += len(message.text)
        elif isinstance(message, UserMessage | AssistantMessage):
            total += sum(len(part.text) for part in message.parts if isinstance(part, TextPart))
        else:
            total += sum(len(str(part.output)) for part in message.parts)
    return max(1, total // 4)
