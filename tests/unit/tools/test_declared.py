import pytest

from mastra import Agent, create_tool, tool
from mastra.errors import BadDefinition


def double(n: int) -> int:
    """Double."""
    return 2 * n


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"timeout_s": -1}, "timeout_s"),
        ({"timeout_s": "1"}, "timeout_s"),
        ({"retries": -1}, "retries"),
        ({"retries": "2"}, "retries"),
        ({"require_approval": "yes"}, "require_approval"),
        ({"require_approval": 1}, "require_approval"),
        ({"hooks": {"befor": print}}, "befor"),
        ({"hooks": {"before": 3}}, "before"),
        ({"hooks": 3}, "hooks"),
        ({"to_model_output": 3}, "to_model_output"),
        ({"sequential": "x"}, "sequential"),
        ({"idempotent": None}, "idempotent"),
        ({"strict": "x"}, "strict"),
        ({"provider_options": [1]}, "provider_options"),
        ({"version": 3}, "version"),
        ({"description": 3}, "description"),
    ],
)
def test_a_value_that_a_tool_cannot_have_shows_where_it_is_declared(options, named):
    with pytest.raises(BadDefinition, match=named) as caught:
        tool(**options)(double)
    assert caught.value.hint
    if "description" not in options:
        with pytest.raises(BadDefinition, match=named):
            tool(double).but(**options)


def test_a_function_that_yields_is_no_tool():
    async def several(n: int):
        """Yields."""
        yield n

    with pytest.raises(BadDefinition, match="yields"):
        tool(several)
    with pytest.raises(BadDefinition, match="execute"):
        create_tool("x", description="X.", execute=3)  # type: ignore[arg-type]


def test_a_helper_without_a_description_shows_where_its_boss_is_declared():
    with pytest.raises(BadDefinition, match="has no description"):
        Agent("boss", model="scripted/x", agents=[Agent("helper", model="scripted/x")])
