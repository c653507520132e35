from __future__ import annotations

from datetime import UTC, datetime

from mastra import Agent, Mastra, Memory, Workflow, step, tool
from mastra.agents.processors.processor import Processor
from mastra.evals.scorer import create_scorer
from mastra.providers.scripted import Answer, Call, ScriptedModel
from mastra.runtime.span_store import SpanStore
from mastra.types.spans import SpanRecord
from mastra.types.usage import Usage


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


class Polite(Processor):
    id = "polite"

    async def process_input(self, messages, context):
        return messages

    async def process_output_result(self, messages, context):
        return messages


def adder():
    answers = [Answer(calls=(Call("add", {"a": 1, "b": 2}),), usage=Usage(10, 5)), Answer(text="3", usage=Usage(20, 7))]
    model = ScriptedModel(answers, per_run=True)
    memory, polite = Memory(last_messages=5), [Polite()]
    return Agent("adder", model=model, tools=[add], memory=memory, input_processors=polite, output_processors=polite)


async def traced(mastra, run):
    """The spans of what `run` started, as (type, name) by parent."""
    async with mastra:
        result = await run(mastra)
        await mastra.telemetry.flush()
        store = SpanStore(mastra.storage)
        roots, _ = await store.find({"root": True})
        rows = [row for root in roots for row in await store.trace(root["traceId"])]
    return result, rows


def tree(rows):
    """Each kind of span with the kinds of those around it, from the outside in."""
    known = {row["spanId"]: row for row in rows}

    def path(row):
        above = known.get(row["parentSpanId"])
        return (*(path(above) if above else ()), row["spanType"])

    return {path(row) for row in rows}


async def test_a_run_a_generation_steps_inferences_tools_processors_and_memory_nest():
    async def run(mastra):
        return await mastra.get_agent("adder").generate("1 + 2?", thread="t", resource="ann")

    mastra = Mastra(agents=[adder()], storage="memory:", telemetry=True)
    _, rows = await traced(mastra, run)
    top, generation = "agent_run", ("agent_run", "model_generation")
    one = (*generation, "model_step")
    wanted = {
        (top,),
        (top, "processor_run"),
        (top, "memory_operation"),
        generation,
        one,
        (*one, "model_inference"),
        (*one, "tool_call"),
        (*one, "processor_run"),
        (*one, "memory_operation"),
    }
    assert wanted <= tree(rows)
    assert {row["resourceId"] for row in rows} == {"ann"}
    assert {row["threadId"] for row in rows} == {"t"}
    assert len({row["runId"] for row in rows}) == 1
    names = {row["name"] for row in rows}
    assert {"agent run: 'adder'", "step: 0", "inference: 1", "tool: 'add'", "memory: recall", "memory: save"} <= names


async def test_tokens_are_those_of_the_step_and_their_sum_those_of_the_generation():
    async def run(mastra):
        return await mastra.get_agent("adder").generate("1 + 2?")

    _, rows = await traced(Mastra(agents=[adder()], storage="memory:", telemetry=True), run)

    def tokens(kind):
        used = [(row["name"], row["attributes"]["usage"]) for row in rows if row["spanType"] == kind]
        return [(one["inputTokens"], one["outputTokens"]) for _, one in sorted(used, key=lambda pair: pair[0])]

    assert tokens("model_inference") == tokens("model_step") == [(10, 5), (20, 7)]
    assert tokens("model_generation") == tokens("agent_run") == [(30, 12)]


async def test_what_is_hidden_is_in_no_span():
    async def run(mastra):
        hidden = {"hideInput": True, "hideOutput": True}
        return await mastra.get_agent("adder").generate("my-word", tracing_options=hidden)

    answers = [Answer(text="her-word")]
    mastra = Mastra(agents=[Agent("adder", model=ScriptedModel(answers))], storage="memory:", telemetry=True)
    _, rows = await traced(mastra, run)
    assert len(rows) >= 4
    assert "my-word" not in str(rows)
    assert "her-word" not in str(rows)


async def test_steps_of_a_workflow_and_what_stands_around_them():
    @step
    async def begin(input: dict) -> dict:
        return input

    @step
    async def left(input: dict) -> dict:
        return input

    @step
    async def right(input: dict) -> dict:
        raise ValueError("broke")

    async def run(mastra):
        return await (await mastra.get_workflow("flow").create_run()).start({"n": 1})

    flow = Workflow("flow", input=dict).then(begin).sleep(0.001).parallel([left, right]).commit()
    _, rows = await traced(Mastra(workflows=[flow], storage="memory:", telemetry=True), run)
    assert tree(rows) == {
        ("workflow_run",),
        ("workflow_run", "workflow_step"),
        ("workflow_run", "workflow_sleep"),
        ("workflow_run", "workflow_parallel"),
        ("workflow_run", "workflow_parallel", "workflow_step"),
    }
    by_step = {row["entityId"]: row for row in rows if row["spanType"] == "workflow_step"}
    assert by_step["begin"]["output"] == {"n": 1}
    assert "broke" in str(by_step["right"]["error"])
    assert {row["runId"] for row in rows} == {rows[0]["runId"]}


class Loud(Processor):
    id = "loud"

    async def process_output_stream(self, chunk, context):
        if chunk.type == "text-delta":
            chunk.payload["text"] = chunk.payload["text"].upper()
        return chunk


async def test_a_processor_of_the_stream_has_one_span_for_each_answer():
    model = ScriptedModel([Answer(text="one two three four", delta_delay_s=0.001)], per_run=True)
    agent = Agent("shouter", model=model, output_processors=[Loud()])

    async def run(mastra):
        return await mastra.get_agent("shouter").generate("Hello")

    result, rows = await traced(Mastra(agents=[agent], storage="memory:", telemetry=True), run)
    assert result.text == "ONE TWO THREE FOUR"
    (row,) = [row for row in rows if row["spanType"] == "processor_run"]
    assert (row["entityId"], row["attributes"]) == ("loud", {"processorPhase": "outputStream"})
    parents = {one["spanId"]: one["spanType"] for one in rows}
    assert parents[row["parentSpanId"]] == "model_inference"


async def test_a_scorer_is_seen_in_the_trace_of_the_run_that_it_judges():
    brief = create_scorer("brief").analyze(lambda run: 1).generate_score(lambda run: 0.5)
    agent = Agent("judged", model=ScriptedModel([Answer(text="secret")]), scorers=[brief])

    async def run(mastra):
        result = await mastra.get_agent("judged").generate("Hello", tracing_options={"hide_output": True})
        await mastra.services.background.settle()
        return result

    _, rows = await traced(Mastra(agents=[agent], storage="memory:", telemetry=True), run)
    paths = tree(rows)
    assert ("agent_run", "scorer_run", "scorer_step") in paths
    judged = next(row for row in rows if row["spanType"] == "scorer_run")
    assert (judged["entityId"], judged["attributes"]) == ("brief", {"score": 0.5})
    assert "secret" not in str(rows)


@tool(require_approval=True)
async def launch() -> str:
    """Launch."""
    return "launched"


async def test_what_a_resumed_run_recalls_is_in_its_trace():
    answers = [Answer(calls=(Call("launch", {}),)), Answer(text="done")]
    agent = Agent("careful", model=ScriptedModel(answers), tools=[launch], memory=Memory(last_messages=5))

    async def run(mastra):
        waits = await mastra.get_agent("careful").generate("Go", thread="t", resource="ann")
        async with mastra.get_agent("careful").approve(waits.run_id) as going:
            return await going.result()

    result, rows = await traced(Mastra(agents=[agent], storage="memory:", telemetry=True), run)
    assert result.text == "done"
    runs = [row["spanId"] for row in rows if row["spanType"] == "agent_run"]
    recalls = [row["parentSpanId"] for row in rows if row["name"] == "memory: recall"]
    assert sorted(recalls) == sorted(runs)
    assert len(runs) == 2


async def test_a_model_is_asked_with_the_place_in_the_trace():
    headers = []

    def answer(request):
        headers.append(request.settings.headers)
        return Answer(text="Hello")

    agent = Agent("caller", model=ScriptedModel([answer], per_run=True))

    async def run(mastra):
        agent = mastra.get_agent("caller")
        await agent.generate("Hi", model_settings={"headers": {"x-own": "1"}})
        return await agent.generate("Hi", model_settings={"headers": {"traceparent": "mine"}})

    _, rows = await traced(Mastra(agents=[agent], storage="memory:", telemetry=True), run)
    asked = next(row for row in rows if row["spanType"] == "model_inference" and row["spanId"] in str(headers[0]))
    assert headers[0] == {"x-own": "1", "traceparent": f"00-{asked['traceId']}-{asked['spanId']}-01"}
    assert headers[1] == {"traceparent": "mine"}
    async with Mastra(agents=[agent], storage="memory:") as untraced:
        await untraced.get_agent("caller").generate("Hi")
    assert headers[2] == {}


async def test_no_span_is_told_before_the_one_around_it():
    when = datetime(2026, 1, 1, tzinfo=UTC)
    names = {"f": None, "e": "f", "a": "e", "b": "a", "c": "a"}
    spans = [SpanRecord("t" * 32, name, above, name, "generic", when, when, {}) for name, above in names.items()]
    async with Mastra(storage="memory:") as mastra:
        store = SpanStore(mastra.storage)
        await store.export(spans)
        assert [row["spanId"] for row in await store.trace("t" * 32)] == ["f", "e", "a", "b", "c"]
