"""Network: a router picks an agent, workflow or tool for each round until a judge calls the task complete.

New code is better served by sub-agents (`agents=`), which need no router; this speaks the older protocol.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from mastra.agents.delegation import agent_tool, workflow_tool
from mastra.errors import InvalidInput, LimitReached, OutputInvalid, ToolFailed
from mastra.runtime.asking import ask_for
from mastra.runtime.limits import Budget
from mastra.runtime.signals import Suspend
from mastra.tools.call import run_tool
from mastra.tools.context import ToolContext
from mastra.tools.tool import as_tools
from mastra.types.chunks import Chunk
from mastra.types.ids import new_id
from mastra.types.json import dumps, loads
from mastra.types.message_input import read_messages
from mastra.types.schema import Schema, to_json
from mastra.types.usage import Usage

if TYPE_CHECKING:
    from mastra.agents.agent import Agent
    from mastra.agents.plan import Plan
    from mastra.runtime.request_context import RequestContext
    from mastra.runtime.stream import Emit

_ROUTE = Schema.of({"primitiveId": str, "primitiveType": str, "prompt": str, "selectionReason": str}, lax=True)
_JUDGE = Schema.of({"isComplete": bool, "completionReason": str, "finalResult": str}, lax=True)
_KINDS = ("agent", "workflow", "tool", "none")


@dataclass(slots=True)
class NetworkResult:
    """What a network came to."""

    text: str = ""
    complete: bool = False
    reason: str = ""
    iterations: int = 0
    usage: Usage = field(default_factory=Usage)


class Network:
    """One run of a network."""

    def __init__(self, agent: Agent, messages: Any, run_id: str, options: Mapping[str, Any], emit: Emit) -> None:
        self.agent = agent
        self.messages = read_messages(messages)
        if not self.messages:
            raise InvalidInput("There are no messages.")
        self.task = self.messages[-1].text
        self.run_id = run_id
        self.emit = emit
        self.thread = options.get("thread")
        self.resource = options.get("resource")
        self.max_iterations = int(options.get("max_steps") or 10)
        limits = options.get("limits") or agent.limits
        self.budget = Budget(limits, run_id=run_id, clock=agent.services.clock)
        self.result = NetworkResult()
        self.done: list[str] = []

    async def run(self, request_context: RequestContext) -> NetworkResult:
        """Route, execute and judge until complete or out of rounds."""
        agent = self.agent
        plan = await agent.plan(request_context)
        known = self._primitives()
        for iteration in range(self.max_iterations):
            self.result.iterations = iteration + 1
            choice = await self._route(plan, known, iteration)
            if choice["primitiveType"] == "none":
                self.result.text, self.result.complete = choice["prompt"] or self.result.text, True
                await self._finish(choice, iteration, choice["selectionReason"])
                return self.result
            outcome = await self._execute(choice, known, iteration, request_context)
            self.done.append(f"{choice['primitiveId']} was asked {choice['prompt']!r} and answered: {outcome}")
            if await self._judge(plan, choice, outcome, iteration):
                return self.result
        raise LimitReached(
            f"The network did not complete the task in {self.max_iterations} rounds.",
            run_id=self.run_id,
            details={"limit": "max_steps"},
        )

    def _primitives(self) -> dict[tuple[str, str], Any]:
        agent = self.agent
        out: dict[tuple[str, str], Any] = {}
        for kind, things in (("agent", agent.agents), ("workflow", agent.workflows)):
            named = things.items() if isinstance(things, Mapping) else ((one.id, one) for one in things or ())
            out.update({(kind, name): one for name, one in named})
        out.update({("tool", name): one for name, one in as_tools(agent.tools).items()})
        return out

    def _push(self, type: str, payload: dict[str, Any]) -> None:
        self.emit.push(Chunk(type, payload, self.run_id, "NETWORK"))

    # ------------------------------------------------------------ rounds

    async def _route(self, plan: Plan, known: Mapping[tuple[str, str], Any], iteration: int) -> dict[str, Any]:
        routing_id = new_id()
        place = {"threadResourceId": self.resource, "threadId": self.thread}
        asked = {"task": self.task, "primitiveId": "", "primitiveType": "none", "iteration": iteration, **place}
        asked.update(isOneOff=False, verboseIntrospection=True)
        start = {"networkId": self.agent.id, "agentId": "routing-agent", "runId": routing_id, "inputData": asked}
        self._push("routing-agent-start", start)
        listed = "\n".join(f"- {kind} {name}: {getattr(one, 'description', '')}" for (kind, name), one in known.items())
        system = "\n\n".join([message.text for message in plan.system])
        text = (
            f"{system}\n\nYou route a task to one helper at a time. Helpers:\n{listed}\n\n"
            'Choose the next one, or primitiveType "none" with the final answer as prompt. '
            "For a workflow or tool the prompt is its input as JSON."
        )
        history = "\n".join(self.done) or "nothing yet"
        answer, usage = await self._ask(plan, text, f"Task: {self.task}\nDone so far:\n{history}", _ROUTE)
        if answer["primitiveType"] not in _KINDS:
            raise OutputInvalid(f"The router chose a {answer['primitiveType'][:40]!r}.", run_id=self.run_id)
        if answer["primitiveType"] != "none" and (answer["primitiveType"], answer["primitiveId"]) not in known:
            raise OutputInvalid(
                f"The router chose {answer['primitiveId'][:80]!r}, which is not there.", run_id=self.run_id
            )
        choice: dict[str, Any] = {
            "task": self.task,
            "result": "",
            **answer,
            "isComplete": answer["primitiveType"] == "none",
        }
        owner: dict[str, Any] = {"thread_id": self.thread, "resource_id": self.resource}
        said = [replace(message, **owner).to_wire() for message in self.messages]
        choice.update(iteration=iteration, runId=routing_id, conversationContext=said)
        self._push("routing-agent-end", {**choice, "usage": usage.to_wire()})
        return choice

    async def _execute(
        self, choice: Mapping[str, Any], known: Mapping[tuple[str, str], Any], iteration: int, context: RequestContext
    ) -> str:
        kind, name = choice["primitiveType"], choice["primitiveId"]
        inner = new_id()
        key = {"agent": "agentId", "workflow": "workflowId", "tool": "toolName"}[kind]
        self._push(f"{kind}-execution-start", {key: name, "args": dict(choice), "runId": inner})
        used = Usage()
        if kind == "agent":
            text, used = await self._run_agent(known[kind, name], choice["prompt"], inner, context)
        else:
            tool = known[kind, name] if kind == "tool" else workflow_tool(known[kind, name], name)
            try:
                arguments = loads(choice["prompt"] or "{}")
            except ValueError as error:
                raise OutputInvalid("The router's input is not JSON.", run_id=self.run_id) from error
            given = ToolContext(
                run_id=inner, tool_call_id=inner, tool_name=name, request_context=context, services=self.agent.services
            )
            if kind == "workflow" and not isinstance(arguments, dict):
                arguments = {"input": arguments}
            try:
                made = to_json(await run_tool(tool, arguments, given))
            except Suspend as waits:
                raise ToolFailed(
                    f"The {kind} {name} waits for somebody, which a network cannot.",
                    run_id=self.run_id,
                    hint="Give it to an agent as a tool: its run waits and goes on.",
                ) from waits
            text = made if isinstance(made, str) else dumps(made)
        end = {
            "task": self.task,
            key: name,
            "result": text,
            "isComplete": False,
            "iteration": iteration,
            "runId": inner,
        }
        self._push(f"{kind}-execution-end", {**end, "usage": used.to_wire()})
        return text

    async def _run_agent(self, agent: Any, prompt: str, run_id: str, context: RequestContext) -> tuple[str, Usage]:
        agent_tool(agent)  # refuses agents without a description
        options: dict[str, Any] = {"run_id": run_id, "request_context": context}
        if self.thread is not None:
            options.update(thread=f"{self.thread}-{agent.id}"[:128], resource=self.resource)
        run = await agent.begin(prompt, options, emit=_Events(self), budget=self.budget)
        result = await agent.carry(run)
        if result.error is not None:
            raise result.error
        self.result.usage = self.result.usage.plus(result.usage)
        return result.text, result.usage

    async def _judge(self, plan: Plan, choice: Mapping[str, Any], outcome: str, iteration: int) -> bool:
        self._push("network-validation-start", {"runId": self.run_id, "iteration": iteration, "checksCount": 1})
        started = time.monotonic()
        system = "Decide whether the task is complete. When it is, finalResult is the whole answer for the user."
        said = f"Task: {self.task}\nDone:\n" + "\n".join(self.done)
        verdict, _ = await self._ask(plan, system, said, _JUDGE)
        passed, reason = verdict["isComplete"], verdict["completionReason"]
        final = verdict["finalResult"] or outcome
        if passed:
            self._push("routing-agent-text-start", {"runId": new_id()})
            for piece in re.findall(r"\s*\S+\s*|\s+$", final) or [""]:
                self._push("routing-agent-text-delta", {"text": piece})
        took = int((time.monotonic() - started) * 1000)
        last = iteration + 1 >= self.max_iterations
        check = {"score": int(passed), "passed": passed, "reason": reason, "finalResult": final, "duration": took}
        check.update(scorerId="default-completion", scorerName="Default LLM Completion")
        end = {"runId": self.run_id, "iteration": iteration, "passed": passed, "results": [check], "duration": took}
        end.update(timedOut=False, reason=reason, maxIterationReached=last and not passed, suppressFeedback=False)
        self._push("network-validation-end", end)
        self.result.text = final if passed else outcome
        self.result.complete, self.result.reason = passed, reason
        if passed:
            await self._finish(choice, iteration, reason)
        return bool(passed)

    async def _finish(self, choice: Mapping[str, Any], iteration: int, reason: str) -> None:
        payload = {
            "task": self.task,
            "isComplete": True,
            "completionReason": reason,
            "result": self.result.text,
            "primitiveId": choice["primitiveId"],
            "primitiveType": choice["primitiveType"],
            "iteration": iteration,
            "isOneOff": False,
            "threadId": self.thread,
            "threadResourceId": self.resource,
            "validationPassed": True,
            "usage": self.result.usage.to_wire(),
        }
        self._push("network-execution-event-finish", payload)
        await self.emit.room()

    async def _ask(self, plan: Plan, system: str, user: str, schema: Schema) -> tuple[dict[str, Any], Usage]:
        self.budget.before_model()
        try:
            answer = await ask_for(plan.model, schema, system, user, deadline=self.budget.deadline)
        except OutputInvalid as error:
            error.run_id = self.run_id
            raise
        self.budget.charge(answer.usage, answer.cost)
        self.result.usage = self.result.usage.plus(answer.usage)
        return answer.value, answer.usage


class _Events:
    """The end of an inner agent's stream: its chunks become events of the network."""

    log = None

    def __init__(self, network: Network) -> None:
        self._network = network

    def push(self, chunk: Chunk) -> bool:
        """Pass a chunk on under its event name."""
        emit = self._network.emit
        if chunk.type.startswith("data-"):
            return emit.push(chunk)
        wire = chunk.to_wire()
        if chunk.type == "finish":  # the network has an end of its own
            wire["payload"] = {key: value for key, value in wire["payload"].items() if key != "response"}
        return emit.push(Chunk(f"agent-execution-event-{chunk.type}", wire, self._network.run_id, "NETWORK"))

    async def room(self) -> None:
        """Wait for the reader."""
        await self._network.emit.room()

    async def send(self, chunk: Chunk) -> None:
        """Push, and wait when the reader is behind."""
        if self.push(chunk):
            await self.room()
