from mastra import Agent, Mastra
from mastra.agents.titles import make_title
from mastra.memory.memory import Memory
from mastra.providers.scripted import ScriptedModel


async def test_a_title_is_one_clean_line():
    assert await make_title(ScriptedModel(['"Weather\nin Oslo."']), "How is Oslo?") == "Weather in Oslo"


async def test_a_thread_gets_its_title_in_the_background():
    def answer(request):
        return "Weather in Oslo" if "title" in getattr(request.messages[0], "text", "") else "Sunny."

    agent = Agent("a", model=ScriptedModel([answer, answer]), memory=Memory(generate_title=True))
    async with Mastra(agents=[agent]):
        result = await agent.generate("How is Oslo?", thread="t", resource="u")
        assert result.text == "Sunny."
        await agent.memory.settle()
        assert (await agent.memory.get_thread("t")).title == "Weather in Oslo"
