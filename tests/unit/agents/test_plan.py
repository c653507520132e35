# Values of wrong types are given on purpose, and parts are read as what they must be.
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportOptionalMemberAccess=false, reportReturnType=false

import pytest

from mastra import Agent, RequestContext, tool
from mastra.agents.options import DEFAULTS
from mastra.agents.plan import check_choice, check_conditions, make_plan, narrow, read_models, read_system, resolve
from mastra.errors import BadDefinition, InvalidInput
from mastra.providers.scripted import ScriptedModel
from mastra.types.prompt import SystemMessage


@tool
async def add(a: int, b: int) -> int:
    """Add."""
    return a + b


@tool
async def sub(a: int, b: int) -> int:
    """Subtract."""
    return a - b


async def plan_of(**options):
    agent = Agent("a", instructions="Own.", model=ScriptedModel(["x"]), tools=[add, sub])
    return narrow(await make_plan(agent, RequestContext()), DEFAULTS._replace(**options))


async def test_values_functions_and_coroutines_resolve_to_the_same():
    async def later(context):
        return context["x"]

    context = RequestContext({"x": 3})
    assert [await resolve(one, context) for one in (3, lambda given: given["x"], later)] == [3, 3, 3]


def test_a_disabled_model_is_left_out_and_none_left_is_refused():
    first, second = ScriptedModel(model_id="1"), ScriptedModel(model_id="2")
    read = read_models([{"model": first, "enabled": False}, {"model": second, "maxRetries": 7}])
    assert [(one.model.model_id, one.max_retries) for one in read] == [("2", 7)]
    with pytest.raises(BadDefinition, match="empty"):
        read_models([{"model": first, "enabled": False}])


@pytest.mark.parametrize(
    ("given", "texts"),
    [
        (None, []),
        ("", []),
        ("a", ["a"]),
        (SystemMessage("a"), ["a"]),
        ({"content": "a"}, ["a"]),
        (["a", {"text": "b"}], ["a", "b"]),
    ],
)
def test_instructions_come_in_many_shapes(given, texts):
    assert [message.text for message in read_system(given)] == texts


@pytest.mark.parametrize("given", [3, {"role": "system"}, [3]])
def test_instructions_that_are_no_text_are_refused(given):
    with pytest.raises(BadDefinition):
        read_system(given)


async def test_options_without_a_word_about_the_plan_leave_it_as_it_is():
    agent = Agent("a", model=ScriptedModel(["x"]), tools=[add])
    plan = await make_plan(agent, RequestContext())
    assert narrow(plan, DEFAULTS) is plan


async def test_instructions_replace_and_system_adds():
    assert [one.text for one in (await plan_of(instructions="New.", system="More.")).system] == ["New.", "More."]
    assert [one.text for one in (await plan_of(system="More.")).system] == ["Own.", "More."]


async def test_active_tools_narrow_what_the_model_sees_and_may_call():
    plan = await plan_of(active_tools=["sub"])
    assert (list(plan.tools), [spec.name for spec in plan.specs]) == (["sub"], ["sub"])
    with pytest.raises(BadDefinition, match="'sup'"):
        await plan_of(active_tools=["sup"])


async def test_toolsets_and_client_tools_add_to_the_agents_own():
    schema = {"description": "On the client.", "inputSchema": {"type": "object", "properties": {}}}
    plan = await plan_of(toolsets={"more": {"third": add}}, client_tools={"here": schema})
    assert set(plan.tools) >= {"add", "sub", "here"}
    assert plan.tools["here"].execute is None


async def test_two_tools_of_one_name_are_refused():
    child = Agent("x", description="A child.", model=ScriptedModel(["x"]))
    agent = Agent("a", model=ScriptedModel(["x"]), tools={"agent-x": add}, agents={"x": child})
    with pytest.raises(BadDefinition, match="two tools called 'agent-x'"):
        await make_plan(agent, RequestContext())


async def test_a_tool_that_is_chosen_must_be_there():
    plan = await plan_of()
    for choice in ("auto", "none", "required", "add"):
        check_choice(choice, plan)
    with pytest.raises(InvalidInput) as caught:
        check_choice("ad", plan)
    assert "add" in caught.value.hint
    agent = Agent("a", model=ScriptedModel(["x"]), tools=[add, sub])
    for options in ({"tool_choice": "mul"}, {"tool_choice": "add", "active_tools": ["sub"]}):
        with pytest.raises(InvalidInput, match="tool_choice"):
            await agent.generate("go", **options)


async def test_what_is_no_scorer_is_refused():
    with pytest.raises(BadDefinition, match="int is no scorer"):
        await plan_of(scorers=[3])
    with pytest.raises(BadDefinition, match="no set of tools"):
        await plan_of(toolsets=[3])


@pytest.mark.parametrize("conditions", ["sub", ["sub", lambda steps: False], lambda steps: True, ("add", "sub")])
async def test_conditions_name_tools_that_are_there(conditions):
    plan = await plan_of(active_tools=["add"])
    declared = await plan_of()
    check_conditions(conditions, declared.tools, plan.tools)


@pytest.mark.parametrize("conditions", ["subb", ["add", "subb"]])
async def test_a_condition_that_names_no_tool_is_refused(conditions):
    plan = await plan_of()
    with pytest.raises(InvalidInput, match="stop_when") as caught:
        check_conditions(conditions, plan.tools, plan.tools)
    assert "sub" in caught.value.hint
