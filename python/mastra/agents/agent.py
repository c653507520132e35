"""Agent: an immutable definition that serves any number of runs at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Unpack

from mastra.agents.loop import run_loop
from mastra.agents.options import DEFAULTS, Options, RunOptions, read_options
from mastra.agents.plan import Plan, check_choice, check_conditions, is_dynamic, make_plan, narrow, resolve
from mastra.agents.result import RunResult
from mastra.agents.run import Run
from mastra.errors import BadDefinition, InvalidInput, Unsupported
from mastra.runtime.limits import NO_LIMITS, Budget, Limits
from mastra.runtime.request_context import RESOURCE_ID, THREAD_ID, RequestContext
from mastra.runtime.services import Services
from mastra.runtime.stream import Emit, RunStream
from mastra.types.ids import check_id, new_id
from mastra.types.message_input import read_messages, says_something, user_message
from mastra.types.schema import Schema

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from mastra.agents.goals import Goal, Objectives
    from mastra.agents.signals import Signals
    from mastra.agents.talk import Talk
    from mastra.types.message_input import MessageInput
    from mastra.voice.voice import Voice

_DYNAMIC = ("instructions", "model", "tools", "agents", "workflows", "memory", "input_processors",
            "output_processors", "error_processors", "scorers", "default_options")  # fmt: skip

_LISTS = ("tools", "agents", "workflows", "input_processors", "output_processors", "error_processors", "scorers")


class Agent:
    """A model with instructions, tools, memory and guards.

    Every field may be a function (or async function) of the request context; then it is resolved for each run.
    `model` is `"provider/model"`, a `ChatModel`, or a list of them to fall back along.
    """

    def __init__(
        self,
        id: str,
        *,
        name: str | None = None,
        description: str = "",
        instructions: Any = "",
        model: Any,
        tools: Any = (),
        agents: Any = (),
        workflows: Any = (),
        memory: Any = None,
        input_processors: Any = (),
        output_processors: Any = (),
        error_processors: Any = (),
        scorers: Any = None,
        voice: Any = None,
        goal: Goal | None = None,
        default_options: Any = None,
        limits: Limits = NO_LIMITS,
        request_context_schema: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.id = check_id(id, "agent id")
        self.name = name or id
        self.description = description
        self.instructions = instructions
        self.model = model
        self.tools = tools
        self.agents = agents
        self.workflows = workflows
        self.memory = memory
        self.input_processors = input_processors
        self.output_processors = output_processors
        self.error_processors = error_processors
        self.scorers = scorers
        self.voice = voice if voice is None or is_dynamic(voice) else _read_voice(voice)
        self.goal = goal
        self.default_options = default_options
        self.limits = limits
        self.request_context_schema = None if request_context_schema is None else Schema.of(request_context_schema)
        self.metadata = dict(metadata or {})
        if model is None or model == "":
            raise BadDefinition(f"Agent {id!r} has no model.", hint='Give one, like model="openai/gpt-5-mini".')
        _check_fields(self)
        self._static = not any(is_dynamic(getattr(self, field)) for field in _DYNAMIC)
        static_defaults = None if is_dynamic(default_options) else default_options
        self._defaults = _read_defaults(static_defaults, limits)
        self._services = Services()
        self._plan: Plan | None = None
        if self._static and isinstance(tools, Mapping | Sequence) and tools:
            from mastra.tools.tool import as_tools  # noqa: PLC0415 - a mistake in the tools shows at declaration

            self.tools = as_tools(tools)
        if (agents and not is_dynamic(agents)) or (workflows and not is_dynamic(workflows)):
            from mastra.agents.delegation import delegate_tools  # noqa: PLC0415 - and so does one in the children

            delegate_tools(None if is_dynamic(agents) else agents, None if is_dynamic(workflows) else workflows)

    # ------------------------------------------------------------ running

    async def generate(self, messages: MessageInput, **options: Unpack[Options]) -> RunResult:
        """Run to the end and return the result; raises what ended the run early.

        `messages` is a text, a message, or a list of them in any of the known shapes.
        """
        run = await self.begin(messages, options)
        return raised(await run_loop(run))

    def generate_sync(self, messages: MessageInput, **options: Unpack[Options]) -> RunResult:
        """`generate` for code without an event loop; it may be called anywhere, even inside a running loop."""
        from mastra.runtime.sync import run_sync  # noqa: PLC0415 - only synchronous callers need it

        return run_sync(self.generate(messages, **options))

    def stream(self, messages: MessageInput, **options: Unpack[Options]) -> RunStream[RunResult]:
        """Run and watch: `async with agent.stream(...) as run:` gives chunks, text and the result."""
        run_id = options.get("run_id") or new_id()

        async def begin(emit: Emit) -> Run:
            return await self.begin(messages, {**options, "run_id": run_id}, emit=emit)

        return self._open_stream(begin, run_id, detached=self._outlives(options))

    def network(self, messages: MessageInput, **options: Unpack[Options]) -> RunStream[Any]:
        """Let a router send the task round by round to sub-agents, workflows and tools (the older protocol)."""
        run_id = options.get("run_id") or new_id()

        async def start(emit: Emit) -> Any:
            from mastra.agents.network import Network  # noqa: PLC0415 - only networks need it

            given = options.get("request_context")
            context = given if isinstance(given, RequestContext) else RequestContext(given)
            return await Network(self, messages, run_id, options, emit).run(context)

        return RunStream(start, run_id=run_id)

    def _outlives(self, options: Mapping[str, Any]) -> bool:
        """Whether a run goes on when its reader leaves."""
        return any(options.get(name, getattr(self._defaults, name)) for name in ("detached", "durable"))

    def _open_stream(
        self, begin: Callable[[Emit], Awaitable[Run]], run_id: str, *, detached: bool
    ) -> RunStream[RunResult]:
        services = self._services

        async def start(emit: Emit) -> RunResult:
            run = await begin(emit)
            opened.shape = run.structured
            return await run_loop(run)

        opened = RunStream(
            start,
            run_id=run_id,
            log=services.runs.open(run_id) if detached else None,
            detached=services.background if detached else None,
            failure=lambda result: result.error,
        )
        return opened

    async def begin(
        self,
        messages: MessageInput,
        options: Mapping[str, Any],
        *,
        emit: Emit | None = None,
        budget: Budget | None = None,
        path: tuple[str, ...] = (),
    ) -> Run:
        """The state of a new run, ready for the loop. For code that builds on agents; users call `generate`."""
        defaults = self._defaults
        given = options.get("request_context")
        if given is not None and not isinstance(given, RequestContext | Mapping):
            raise InvalidInput(f"request_context cannot be a {type(given).__name__}.", hint='Give {"name": value}.')
        request_context = given if isinstance(given, RequestContext) else RequestContext(given)
        if self.request_context_schema is not None:
            self.request_context_schema.validate(request_context.to_wire())
        if is_dynamic(self.default_options):
            defaults = _read_defaults(await resolve(self.default_options, request_context), self.limits)
        read = read_options(defaults, options)
        run_id = read.run_id or new_id()
        run = Run(
            self,
            read,
            run_id=run_id,
            message_id=new_id(),
            input=[user_message(messages)] if isinstance(messages, str) else read_messages(messages),
            request_context=request_context,
            services=self._services,
            budget=budget or Budget(read.limits, run_id=run_id, clock=self._services.clock),
            emit=emit,
            path=path,
        )
        if not run.input:
            raise InvalidInput("There are no messages.", hint="Give at least one.")
        if not says_something(run.input):
            raise InvalidInput("The message is empty.", hint="Say something: models refuse a request without content.")
        plan = await self.plan(request_context)
        run.plan = plan if not options else narrow(plan, read)
        if read.tool_choice != "auto":
            check_choice(read.tool_choice, run.plan)
        if read.stop_when is not None and read.prepare_step is None:  # which may bring the tool along
            check_conditions(read.stop_when, plan.tools, run.plan.tools)
        if read.memory_options and plan.memory is None:
            raise InvalidInput(f"Agent {self.id} has no memory for memory_options.", hint="Give it one: memory=...")
        if read.thread is not None or read.resource is not None or given is not None:
            _place(run, read, request_context)
        if read.context is not None:
            run.context = read_messages(read.context)
        if read.output is not None or read.structured_output is not None:
            from mastra.agents.structured import read_structured  # noqa: PLC0415 - only structured runs need it

            run.structured = read_structured(run)
        if read.on_chunk is not None:
            from mastra.agents.callbacks import listen  # noqa: PLC0415 - only those who listen need it

            listen(run, read.on_chunk)
        return run

    async def carry(self, run: Run) -> RunResult:
        """Run the loop on a state made by `begin` or `take_up`."""
        return await run_loop(run)

    async def take_up(
        self,
        run_id: str,
        tool_call_id: str | None,
        answer: Mapping[str, Any],
        options: Mapping[str, Any],
        emit: Emit | None = None,
    ) -> Run:
        """The state of a run that waited, taken by this caller alone, with the answer it waited for."""
        from mastra.agents.resuming import load_run  # noqa: PLC0415 - only runs that waited need it

        return await load_run(self, run_id, tool_call_id, answer, options, emit)

    async def plan(self, request_context: RequestContext | None = None) -> Plan:
        """The definition resolved for a request: models, instructions, tools, processors, memory."""
        if self._plan is not None:
            return self._plan
        plan = await make_plan(self, request_context or RequestContext())
        if self._static:
            self._plan = plan
        return plan

    async def voice_for(self, request_context: RequestContext | None = None) -> Voice:
        """What this agent hears and speaks with; `Unsupported` when it has no voice."""
        voice = self.voice
        if is_dynamic(voice):
            voice = await resolve(voice, request_context or RequestContext())
            voice = None if voice is None else _read_voice(voice)
        if voice is None:
            raise Unsupported(f"Agent {self.id} has no voice.", hint='Give it one: Agent(voice="vendor/model").')
        found: Voice = voice
        return found

    @property
    def objectives(self) -> Objectives:
        """What the agent's threads work towards; needs a `goal`."""
        from mastra.agents.goals import Objectives  # noqa: PLC0415 - only agents with a goal need it

        return Objectives(self)

    @property
    def signals(self) -> Signals:
        """What can be said into the agent's threads while it works, and heard of them."""
        from mastra.agents.signals import Signals  # noqa: PLC0415 - only who speaks into threads needs it

        return Signals(self)

    def talk(self, **options: Any) -> AbstractAsyncContextManager[Talk]:
        """A live conversation with this agent's instructions, tools and memory: `async with agent.talk() as talk:`."""
        from mastra.agents.talk import open_talk  # noqa: PLC0415 - only who converses needs it

        return open_talk(self, **options)

    # ------------------------------------------------------------ waiting runs

    def resume(self, data: Any, *, run_id: str, tool_call_id: str | None = None, **options: Any
               ) -> RunStream[RunResult]:  # fmt: skip
        """Go on with a suspended run: the tool that waits is called again with `data`."""
        return self._resume(run_id, tool_call_id, {"data": data}, options)

    def approve(self, run_id: str, tool_call_id: str | None = None, **options: Any) -> RunStream[RunResult]:
        """Run the tool call that waits for a yes. An approval is used once, for the arguments it was asked for."""
        return self._resume(run_id, tool_call_id, {"approved": True}, options)

    def decline(self, run_id: str, tool_call_id: str | None = None, reason: str | None = None,
                **options: Any) -> RunStream[RunResult]:  # fmt: skip
        """Refuse the tool call that waits; the model reads the reason."""
        return self._resume(run_id, tool_call_id, {"approved": False, "reason": reason}, options)

    def _resume(
        self, run_id: str, tool_call_id: str | None, answer: dict[str, Any], options: Mapping[str, Any]
    ) -> RunStream[RunResult]:
        check_id(run_id, "run id")

        async def begin(emit: Emit) -> Run:
            return await self.take_up(run_id, tool_call_id, answer, options, emit)

        return self._open_stream(begin, run_id, detached=self._outlives(options))

    def recover(self, run_id: str, **options: Any) -> RunStream[RunResult]:
        """Go on with a durable run whose process has died, where it stood; what was done is not done again."""
        check_id(run_id, "run id")

        async def begin(emit: Emit) -> Run:
            from mastra.agents.resuming import recover_run  # noqa: PLC0415 - only runs that were left need it

            return await recover_run(self, run_id, options, emit)

        return self._open_stream(begin, run_id, detached=True)

    async def list_interrupted(self, *, resource: str | None = None) -> list[dict[str, Any]]:
        """The durable runs of this agent whose process has died: what `recover` goes on with, the oldest first."""
        from mastra.agents.waiting import list_interrupted  # noqa: PLC0415 - only runs that were left need it

        return await list_interrupted(self, resource=resource)

    async def list_suspended(
        self,
        *,
        thread: str | None = None,
        resource: str | None = None,
        page: int = 0,
        per_page: int = 100,
    ) -> dict[str, Any]:
        """The runs of this agent that wait for a person: {"runs": [...], "total": n}, newest first."""
        from mastra.agents.waiting import list_suspended  # noqa: PLC0415 - only runs that wait need it

        return await list_suspended(self, thread=thread, resource=resource, page=page, per_page=per_page)

    # ------------------------------------------------------------ the application

    @property
    def services(self) -> Services:
        """What the agent may use of the application."""
        return self._services

    def bind(self, services: Services) -> Agent:
        """Use the parts of an application; called by `Mastra`."""
        self._services = services
        self._plan = None
        bind = getattr(self.memory, "bind", None)
        if bind is not None and not is_dynamic(self.memory):
            bind(services)
        if not is_dynamic(self.agents):
            for child in self.agents.values() if isinstance(self.agents, Mapping) else self.agents or ():
                if getattr(child, "services", services) is not services:
                    child.bind(services)
        if not is_dynamic(self.workflows):
            for one in self.workflows.values() if isinstance(self.workflows, Mapping) else self.workflows or ():
                if getattr(one, "services", services) is not services:
                    one.bind(services)
        for given in (self.input_processors, self.output_processors):
            for one in () if is_dynamic(given) else given or ():
                flow: Any = getattr(one, "workflow", one)
                if hasattr(flow, "create_run") and flow.services is not services:
                    flow.bind(services)
        return self

    def __repr__(self) -> str:
        return f"Agent({self.id!r})"


def raised(result: RunResult) -> RunResult:
    """The result, or the error that ended the run."""
    error = result.error
    if error is not None:
        raise error
    return result


def _check_fields(agent: Agent) -> None:
    """Whether each field can be what it is for; a mistake shows where it is made."""
    if not isinstance(agent.limits, Limits):
        raise BadDefinition(
            f"The limits of agent {agent.id!r} cannot be a {type(agent.limits).__name__}.",
            hint="Write Limits(tokens=..., cost=...).",
        )
    if agent.memory is not None and not is_dynamic(agent.memory) and not hasattr(agent.memory, "recall"):
        raise BadDefinition(
            f"The memory of agent {agent.id!r} cannot be a {type(agent.memory).__name__}.",
            hint="Write memory=Memory(storage=...).",
        )
    if agent.goal is not None and not hasattr(agent.goal, "judge"):
        raise BadDefinition(
            f"The goal of agent {agent.id!r} cannot be a {type(agent.goal).__name__}.",
            hint='Write goal=Goal(judge="provider/model"); an objective is set for a thread.',
        )
    for name in _LISTS:
        given = getattr(agent, name)
        if given is None or is_dynamic(given) or _is_several(given):
            continue
        raise BadDefinition(
            f"The {name} of agent {agent.id!r} cannot be a {type(given).__name__}.", hint="Give a list of them."
        )
    for name in ("agents", "workflows"):
        given = getattr(agent, name)
        for one in () if is_dynamic(given) else (given.values() if isinstance(given, Mapping) else given or ()):
            if not hasattr(one, "id"):
                raise BadDefinition(f"A {type(one).__name__} among the {name} of agent {agent.id!r} is none of them.")


def _is_several(given: Any) -> bool:
    if isinstance(given, str):
        return False
    return isinstance(given, Iterable) or callable(given) or hasattr(given, "tools")


def _read_voice(given: Any) -> Voice:
    from mastra.voice.voice import make_voice  # noqa: PLC0415 - only agents with a voice need it

    return make_voice(given)


def _read_defaults(given: Any, limits: Limits) -> RunOptions:
    if isinstance(given, RunOptions):
        return given if limits is NO_LIMITS else given._replace(limits=limits)
    defaults = DEFAULTS if limits is NO_LIMITS else DEFAULTS._replace(limits=limits)
    return read_options(defaults, given or {})


def _place(run: Run, options: RunOptions, request_context: RequestContext) -> None:
    """Whose run it is, and in which thread; what the server knows from the token wins over what was asked for."""
    thread = options.thread
    if isinstance(thread, Mapping):
        thread = thread.get("id")
        if thread is None:
            raise InvalidInput("thread has no id.")
    thread = request_context.get(THREAD_ID, thread)
    resource = request_context.get(RESOURCE_ID, options.resource)
    run.thread_id = None if thread is None else check_id(thread, "thread id")
    run.resource_id = None if resource is None else check_id(resource, "resource id")
    if run.thread_id is not None:
        from dataclasses import replace  # noqa: PLC0415 - only runs with a thread pay for it

        run.input = [replace(message, thread_id=run.thread_id, resource_id=run.resource_id) for message in run.input]
