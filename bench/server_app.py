"""The application that `bench/server.sh` serves: an agent with a tool and a memory, and two workflows."""

import os
from typing import TypedDict

from mastra import Agent, Mastra, Workflow, step, tool
from mastra.memory.memory import Memory

MODEL = {"id": "mock/mock-model", "url": os.environ["MOCK_LLM_URL"], "api_key": "mock-key"}


class Msg(TypedDict):
    message: str


@tool
async def get_weather(city: str) -> dict:
    """Current weather for a city."""
    return {"city": city, "tempC": 21, "conditions": "sunny"}


def echo(name):
    @step(id=name)
    async def run(input: Msg) -> Msg:
        return {"message": input["message"]}

    return run


chain = Workflow("echo-chain", input=Msg, output=Msg)
for number in range(10):
    chain = chain.then(echo(f"echo-{number}"))
fan = Workflow("fan-out", input=Msg).parallel([echo(f"branch-{number}") for number in range(10)])
assistant = Agent(
    "assistant",
    instructions="You are a helpful assistant.",
    model=MODEL,
    tools=[get_weather],
    memory=Memory(last_messages=10),
)
mastra = Mastra(
    agents=[assistant],
    workflows=[chain.commit(), fan.commit()],
    tools=[get_weather],
    storage=os.environ.get("DB", "sqlite:///bench.db"),
)
