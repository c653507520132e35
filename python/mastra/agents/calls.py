"""The tool calls of one step: which may run, side by side, and what each of them came to."""

from __future__ import annotations

import asyncio
import inspect
import logging
from typing import TYPE_CHECKING, Any

from mastra.agents.traced import shows_output, tool_span
from mastra.errors import BadArguments, MastraError, ToolError, ToolFailed, ToolMissing, near_miss
from mastra.runtime.signals import Suspend, ToolRetry
from mastra.tools.call import checked_output, run_tool
from mastra.tools.context import ToolContext
from mastra.tools.tool import Tool
from mastra.types.chunks import Chunk
from mastra.types.json import dumps
from mastra.types.model import ToolCall
from mastra.types.schema import to_json
from mastra.types.secrets import redact

if TYPE_CHECKING:
    from mastra.agents.run import Run, Step

log = logging.getLogger("mastra.agents")

# JSON Schema text of what a person answers to an approval.
APPROVAL_SCHEMA = dumps(
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "type": "object",
        "properties": {
            "approved": {"type": "boolean", "description": "True to run the tool call, false to decline it"},
            "reason": {"description": "Why; the model reads it when the call is declined", "type": "string"},
        },
        "required": ["approved"],
        "additionalProperties": False,
    }
)
# Finish reasons after which no call runs: the answer was cut off or refused, whatever its arguments look like.
_CUT = frozenset({"length", "content-filter", "error"})


class Outcome:
    """What one call came to. `status`: done, failed, denied, approval, suspended or client."""

    __slots__ = (
        "approval",
        "args",
        "call_id",
        "error",
        "issues",
        "model_output",
        "name",
        "result",
        "status",
        "suspend_payload",
        "task_id",
        "tool",
    )  # fmt: skip

    def __init__(self, call: ToolCall, tool: Tool | None, status: str) -> None:
        self.call_id = call.call_id
        self.name = call.name
        self.args: dict[str, Any] = call.arguments if call.arguments is not None else {}
        self.tool = tool
        self.status = status
        self.result: Any = None
        self.model_output: Any = None
        self.error: MastraError | None = None
        self.issues: list[dict[str, str]] = []
        self.suspend_payload: Any = None
        # Of a call that goes on in the background.
        self.task_id: str | None = None
        self.approval: dict[str, Any] | None = None

    @property
    def has_result(self) -> bool:
        """Whether the model will read a result of it in this run."""
        return self.status in ("done", "failed")

    @property
    def waits(self) -> bool:
        """Whether a person must answer first."""
        return self.status in ("approval", "suspended")

    def payload(self) -> dict[str, Any]:
        """The payload of its tool-result chunk."""
        out: dict[str, Any] = {"args": self.args, "toolCallId": self.call_id, "toolName": self.name}
        if self.status == "failed" and self.error is not None:
            return {**out, "result": self.error.message, "isError": True}
        out["result"] = self.result
        metadata = self.metadata()
        if metadata:
            out["providerMetadata"] = metadata
        return out

    def chunk(self, run: Run) -> Chunk | None:
        """What the listener is told."""
        head = {"toolCallId": self.call_id, "toolName": self.name, "args": self.args}
        if self.status == "done":
            return Chunk("tool-result", self.payload(), run.run_id, path=run.path)
        if self.status == "failed" and self.error is not None:
            error = {"message": self.error.message, "name": type(self.error).__name__, **self.error.to_dict()}
            return Chunk("tool-error", {**head, "error": error}, run.run_id, path=run.path)
        if self.status == "denied":
            return Chunk("tool-output-denied", {**head, "approval": self.approval}, run.run_id, path=run.path)
        if self.status == "approval":
            return Chunk("tool-call-approval", self.suspension(), run.run_id, path=run.path)
        if self.status == "suspended":
            return Chunk("tool-call-suspended", self.suspension(), run.run_id, path=run.path)
        return None

    def metadata(self) -> dict[str, Any]:
        """What is said about the result beside it: what the model reads instead, and what is wrong with it."""
        out: dict[str, Any] = {}
        if self.model_output is not self.result:
            kind = "text" if isinstance(self.model_output, str) else "json"
            out["modelOutput"] = {"type": kind, "value": self.model_output}
        if self.issues:
            out["outputIssues"] = self.issues
        if self.task_id is not None:
            out["backgroundTask"] = {"taskId": self.task_id}
        return {"mastra": out} if out else {}

    def suspension(self) -> dict[str, Any]:
        """What is announced and stored of a call that waits."""
        out: dict[str, Any] = {"toolCallId": self.call_id, "toolName": self.name}
        if self.status == "suspended":
            out["suspendPayload"] = self.suspend_payload
            out["args"] = self.args
            schema = None if self.tool is None else self.tool.resume_schema
            if schema is not None:
                out["resumeSchema"] = dumps(schema.json_schema)
        else:
            out["args"] = self.args
            out["resumeSchema"] = APPROVAL_SCHEMA
        return out

    def settle(self, invocation: dict[str, Any], part: dict[str, Any]) -> None:
        """Put the outcome into the stored tool invocation."""
        if self.status == "done":
            invocation["state"] = "result"
            invocation["result"] = self.result
            if self.model_output is not self.result or self.task_id is not None:
                part["providerMetadata"] = {**(part.get("providerMetadata") or {}), **self.metadata()}
        elif self.status == "failed" and self.error is not None:
            invocation["state"] = "result"
            invocation["result"] = self.error.message
            invocation["isError"] = True
        elif self.status == "denied":
            invocation["state"] = "output-denied"
        if self.approval is not None:
            invocation["approval"] = self.approval


# ---------------------------------------------------------------- the calls of a step


async def run_calls(run: Run, step: Step) -> list[Outcome]:
    """Run what may run; the outcomes in the order of the calls. Chunks are pushed in that order too."""
    calls = [call for call in step.calls if not call.provider_executed]
    if len(calls) == 1:
        outcome = await _first_look(run, step, calls[0]) or await _execute_noted(run, step, calls[0])
        _announce(run, step, outcome)
        return [outcome]
    outcomes: list[Outcome | None] = [await _first_look(run, step, call) for call in calls]
    open_calls = [index for index, outcome in enumerate(outcomes) if outcome is None]
    sequential = run.options.tool_call_concurrency == 1 or any(
        run.plan.tools[calls[index].name].sequential for index in open_calls
    )
    if sequential or len(open_calls) == 1:
        done = 0
        for index in open_calls:
            outcomes[index] = await _execute_noted(run, step, calls[index])
            done = _announce_ready(run, step, outcomes, done)
    elif open_calls:
        await _side_by_side(run, step, calls, outcomes, open_calls)
    return _all_of(run, step, outcomes)


def _all_of(run: Run, step: Step, outcomes: list[Outcome | None]) -> list[Outcome]:
    made = [outcome for outcome in outcomes if outcome is not None]
    for outcome in made:
        if outcome.call_id not in step.outcomes:
            _announce(run, step, outcome)
    return made


async def _side_by_side(
    run: Run, step: Step, calls: list[ToolCall], outcomes: list[Outcome | None], open_calls: list[int]
) -> None:
    slots = (
        asyncio.Semaphore(run.options.tool_call_concurrency)
        if len(open_calls) > run.options.tool_call_concurrency
        else None
    )

    async def one(index: int) -> None:
        if slots is None:
            outcomes[index] = await _execute_noted(run, step, calls[index])
        else:
            async with slots:
                outcomes[index] = await _execute_noted(run, step, calls[index])

    loop = asyncio.get_running_loop()
    tasks = [loop.create_task(one(index), name=f"tool {calls[index].name}") for index in open_calls]
    done = 0
    try:
        for task in tasks:
            await task
            done = _announce_ready(run, step, outcomes, done)
    except BaseException:
        await stop_tasks(run, tasks)
        raise


async def stop_tasks(run: Run, tasks: list[asyncio.Task[None]]) -> None:
    """Cancel tools in the order of their calls; one that does not listen is named in a log line."""
    if run.signal is not None:
        run.signal.set()
    for task in tasks:
        task.cancel()
    _, left = await asyncio.wait(tasks, timeout=2.0)
    for task in left:
        log.warning("%s of run %s ignores its cancellation", task.get_name(), run.run_id)


def _announce_ready(run: Run, step: Step, outcomes: list[Outcome | None], done: int) -> int:
    while done < len(outcomes):
        outcome = outcomes[done]
        if outcome is None:
            break
        _announce(run, step, outcome)
        done += 1
    return done


def _announce(run: Run, step: Step, outcome: Outcome) -> None:
    if outcome.call_id in step.outcomes:
        return
    step.outcomes[outcome.call_id] = outcome
    for part in step.parts:
        invocation = part.get("toolInvocation")
        if invocation is not None and invocation["toolCallId"] == outcome.call_id:
            outcome.settle(invocation, part)
            break
    # What waits is announced after it is stored.
    if run.push is not None and not outcome.waits:
        chunk = outcome.chunk(run)
        if chunk is not None:
            run.push(chunk)


async def _first_look(run: Run, step: Step, call: ToolCall) -> Outcome | None:
    """The outcome of a call that must not run, or not yet; None for one that may."""
    tool = run.plan.tools.get(call.name)
    if tool is None:
        hint = near_miss(call.name, run.plan.tools) or f"Known: {', '.join(run.plan.tools) or 'none'}."
        return _refused(call, None, ToolMissing(f"There is no tool {call.name[:80]!r}. {hint}", run_id=run.run_id))
    specs = run.plan.specs
    if len(specs) != len(run.plan.tools) and all(spec.name != call.name for spec in specs):
        # A tool that is there and was not offered: what a step may not do is no matter of the model's good will.
        return _refused(
            call, tool, ToolMissing(f"The tool {call.name!r} is not available in this step.", run_id=run.run_id)
        )
    if step.finish_reason in _CUT:
        return _refused(
            call,
            tool,
            BadArguments(f"The answer was cut off ({step.finish_reason}); nothing was run.", run_id=run.run_id),
        )
    if call.arguments is None:
        return _refused(call, tool, BadArguments("The arguments are not a JSON object.", run_id=run.run_id))
    if any(other.call_id == call.call_id and other is not call for other in step.calls):
        return _refused(call, tool, BadArguments("Two calls have the same id; neither was run.", run_id=run.run_id))
    if tool.execute is None:
        return Outcome(call, tool, "client")
    if await needs_approval(run, tool, call.arguments):
        issues = _argument_issues(tool, call)
        return Outcome(call, tool, "approval") if issues is None else _refused(call, tool, issues)
    return None


def _argument_issues(tool: Tool, call: ToolCall) -> MastraError | None:
    # Nobody should be asked about a call that could not run anyway.
    try:
        tool.validate(call.arguments)
    except MastraError as error:
        return BadArguments(error.message, details=error.details)
    return None


def _refused(call: ToolCall, tool: Tool | None, error: MastraError) -> Outcome:
    outcome = Outcome(call, tool, "failed")
    outcome.error = error
    return outcome


async def needs_approval(run: Run, tool: Tool, args: dict[str, Any]) -> bool:
    """Whether a person must say yes first: by the tool, by the run, or by both."""
    for rule in (tool.require_approval, run.options.require_tool_approval):
        if rule is True:
            return True
        if callable(rule):
            said = rule(args, context_of(run, ToolCall("", tool.name, args)))
            if inspect.isawaitable(said):
                said = await said
            if said:
                return True
    return False


def context_of(run: Run, call: ToolCall, resume_data: Any = None) -> ToolContext:
    """The context of one call of this run."""
    return ToolContext(
        run_id=run.run_id,
        tool_call_id=call.call_id,
        tool_name=call.name,
        agent_id=run.agent.id,
        thread_id=run.thread_id,
        resource_id=run.resource_id,
        request_context=run.request_context,
        services=run.services,
        deps=run.options.deps,
        emit=run.emit,
        resume_data=resume_data,
        signal=run.signal,
        messages_of=run.conversation,
        path=run.path,
        run=run,
    )


async def _execute_noted(run: Run, step: Step, call: ToolCall) -> Outcome:
    tool = run.plan.tools.get(call.name)
    if tool is not None and tool.background is not None and run.options.background:
        outcome = await _hand_over(run, tool, call)
    else:
        outcome = await _execute(run, step, call)
    if run.journal is not None:
        await run.journal.settled(run, step, outcome)
    return outcome


async def _hand_over(run: Run, tool: Tool, call: ToolCall) -> Outcome:
    """Begin a call that goes on after the answer; the model reads that it has begun."""
    from mastra.agents.tasks import Tasks, placeholder  # noqa: PLC0415 - only background tools need it

    issues = _argument_issues(tool, call)
    if issues is not None:
        return _refused(call, tool, issues)
    outcome = Outcome(call, tool, "done")
    try:
        outcome.task_id = await Tasks.of(run.services).start(run, tool, call)
    except MastraError as error:
        return _refused(call, tool, error)
    outcome.result = outcome.model_output = placeholder(tool, outcome.task_id)
    return outcome


async def _execute(run: Run, step: Step, call: ToolCall, resume_data: Any = None) -> Outcome:  # noqa: ARG001 - the same for all
    tool = run.plan.tools.get(call.name)
    if tool is None:  # a handoff before it in the same step took it away
        return _refused(call, None, ToolMissing(f"There is no tool {call.name[:80]!r} any more.", run_id=run.run_id))
    outcome = Outcome(call, tool, "done")
    context = context_of(run, call, resume_data)
    tracer = run.services.tracer
    try:
        if tracer is None:
            result = await _with_hooks(run, tool, call, context)
        else:
            with tool_span(run, tracer, call) as span:
                result = await _with_hooks(run, tool, call, context)
                if shows_output(run):
                    span.set_output(to_json(result))
        _heed_cancellation(run, tool)
        outcome.result, outcome.issues = checked_output(tool, result)
        outcome.model_output = outcome.result if tool.to_model_output is None else to_json(tool.to_model_output(result))
    except Suspend as suspended:
        outcome.status = "suspended"
        outcome.suspend_payload = suspended.payload
    except ToolRetry as retry:
        outcome.status = "failed"
        outcome.error = ToolError(retry.message, run_id=run.run_id, retryable=True)
    except MastraError as error:
        outcome.status = "failed"
        outcome.error = error
    except Exception as error:  # noqa: BLE001 - a hook or to_model_output of the user: the model is told, the run goes on
        outcome.status = "failed"
        outcome.error = ToolFailed(redact(str(error)) or type(error).__name__, run_id=run.run_id)
    return outcome


def _heed_cancellation(run: Run, tool: Tool) -> None:
    """A tool may swallow the cancellation of its run; then what it returns comes too late."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        log.warning("tool %s of run %s ignored its cancellation", tool.name, run.run_id)
        raise asyncio.CancelledError


async def _with_hooks(run: Run, tool: Tool, call: ToolCall, context: ToolContext) -> Any:
    hooks = run.options.hooks
    if not hooks:
        return await run_tool(tool, call.arguments, context)
    before, after = hooks.get("before_tool_call"), hooks.get("after_tool_call")
    if before is not None:
        said = before(tool, call.arguments, context)
        said = await said if inspect.isawaitable(said) else said
        if said is not None:
            return said
    result = await run_tool(tool, call.arguments, context)
    if after is not None:
        changed = after(tool, result, context)
        changed = await changed if inspect.isawaitable(changed) else changed
        if changed is not None:
            return changed
    return result


async def resume_call(run: Run, step: Step, call: ToolCall, resume_data: Any) -> Outcome:
    """Run a call that waited; pushes its chunk unless it waits again."""
    outcome = await _execute(run, step, call, resume_data)
    step.outcomes.pop(call.call_id, None)
    _announce(run, step, outcome)
    return outcome


def settle_call(run: Run, step: Step, outcome: Outcome) -> None:
    """Record an outcome that needed no run: a declined call."""
    step.outcomes.pop(outcome.call_id, None)
    _announce(run, step, outcome)
