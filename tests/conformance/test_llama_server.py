"""Wire formats and agents against a real server, llama.cpp's, with a tiny model that the test writes itself.

The model talks noise, so nothing here is about meaning: it is about streams, shapes, limits, usage and hanging up.
`MASTRA_LLAMA_SERVER` names the program; `.ci/services` fetches it where it can.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel
from tests.conformance.tiny_gguf import CONTEXT, WIDTH, write

from mastra import Agent
from mastra.errors import AuthFailed, ContextTooLong, ModelError
from mastra.providers.anthropic import Anthropic
from mastra.providers.openai import OpenAIResponses
from mastra.runtime.models import resolve_embedder, resolve_model
from mastra.testing.contracts.model import collect, text_of
from mastra.types.model import Finish, ModelRequest, ModelSettings, OutputSpec, ResponseStart, TextDelta
from mastra.types.prompt import SystemMessage, TextPart, UserMessage

pytestmark = pytest.mark.service
COMMAND = os.environ.get("MASTRA_LLAMA_SERVER") or shutil.which("llama-server")
KEY = "a-key-of-our-own-1234"
SLOTS = 2


def start(folder: Path, *options: str) -> Iterator[str]:
    """A server with the tiny model; yields where it listens."""
    if COMMAND is None:
        pytest.skip("llama-server is not here: install llama.cpp, or name the program in MASTRA_LLAMA_SERVER")
    write(folder / "tiny.gguf")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [COMMAND, "-m", str(folder / "tiny.gguf"), "--host", "127.0.0.1", "--port", str(port), "-t", "1",
               "--api-key", KEY, *options]  # fmt: skip
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        for _ in range(300):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1) as answer:
                    if answer.status == 200:
                        break
            except OSError:
                pass
            if process.poll() is not None:
                pytest.fail(f"llama-server did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.1)
        else:
            pytest.fail("llama-server did not get ready")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    size = str(SLOTS * CONTEXT)
    yield from start(tmp_path_factory.mktemp("llama"), "--jinja", "-c", size, "-np", str(SLOTS), "--slots")


@pytest.fixture(scope="module")
def embedding_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    yield from start(tmp_path_factory.mktemp("llama-embeddings"), "--embedding", "--pooling", "mean")


def chat(url: str, key: str = KEY) -> Any:
    return resolve_model({"id": "llamacpp/tiny", "url": f"{url}/v1", "api_key": key})


FORMATS: dict[str, Callable[..., Any]] = {
    "chat": chat,
    "responses": lambda url, key=KEY: OpenAIResponses("tiny", url=f"{url}/v1", api_key=key),
    "messages": lambda url, key=KEY: Anthropic("tiny", url=f"{url}/v1", api_key=key),
}


def ask(text: str = "Hello, 世界 🌍", **more: Any) -> ModelRequest:
    settings = more.pop("settings", ModelSettings(max_output_tokens=24, temperature=0))
    messages = (SystemMessage("Be brief."), UserMessage((TextPart(text),)))
    return ModelRequest(messages=messages, settings=settings, **more)


def busy(url: str) -> int:
    """How many answers the server is working on."""
    asked = urllib.request.Request(f"{url}/slots", headers={"authorization": f"Bearer {KEY}"})
    with urllib.request.urlopen(asked, timeout=5) as answer:
        return sum(slot["is_processing"] for slot in json.load(answer))


@pytest.mark.parametrize("name", FORMATS)
async def test_a_stream_is_read_to_its_end_with_its_usage(name: str, server: str) -> None:
    model = FORMATS[name](server)
    deltas, error = await collect(model, ask())
    await model.close()
    assert error is None
    assert isinstance(deltas[0], ResponseStart)
    finish = deltas[-1]
    assert isinstance(finish, Finish)
    # Noise may hit the end-of-turn token by chance, but then says so.
    assert finish.reason in ("length", "stop")
    # The tokens are bytes, so the prompt has at least as many as it has letters.
    assert finish.usage.input_tokens >= len("Be brief.Hello, ")
    assert 1 <= finish.usage.output_tokens <= 24
    assert sum(isinstance(delta, TextDelta) for delta in deltas) >= 1


@pytest.mark.parametrize("name", FORMATS)
async def test_a_wrong_key_is_refused_by_name(name: str, server: str) -> None:
    model = FORMATS[name](server, "wrong-key-0123456789")
    deltas, error = await collect(model, ask())
    await model.close()
    assert isinstance(error, AuthFailed), (deltas, error)
    assert "wrong-key-0123456789" not in f"{error} {error!r} {error.details}"


@pytest.mark.parametrize("name", FORMATS)
async def test_a_prompt_that_does_not_fit_is_named_so(name: str, server: str) -> None:
    model = FORMATS[name](server)
    _, error = await collect(model, ask("word " * CONTEXT))
    await model.close()
    assert isinstance(error, ContextTooLong), error
    assert not error.retryable


# The server holds Chat Completions to a shape; in its Responses and Messages it passes the shape over.
async def test_an_answer_has_the_shape_that_was_asked_for(server: str) -> None:
    schema = {
        "type": "object",
        "properties": {"sure": {"type": "boolean"}, "colour": {"enum": ["red", "green"]}},
        "required": ["sure", "colour"],
        "additionalProperties": False,
    }
    model = chat(server)
    settings = ModelSettings(max_output_tokens=200, seed=1)
    deltas, error = await collect(model, ask(output=OutputSpec(schema), settings=settings))
    await model.close()
    assert error is None
    value = json.loads(text_of(deltas))
    assert isinstance(value["sure"], bool)
    assert value["colour"] in ("red", "green")
    assert set(value) == {"sure", "colour"}


async def test_an_agent_gives_back_an_object(server: str) -> None:
    class Verdict(BaseModel):
        sure: bool
        level: int

    agent = Agent(id="judge", instructions="Judge.", model=chat(server))
    result = await agent.generate("Is it?", output=Verdict, model_settings={"max_output_tokens": 400})
    assert isinstance(result.object, Verdict)


@pytest.mark.parametrize("name", FORMATS)
async def test_leaving_early_stops_the_server(name: str, server: str) -> None:
    model = FORMATS[name](server)
    stream = model.stream(ask("Tell me everything.", settings=ModelSettings(max_output_tokens=1500)))
    async for delta in stream:
        if isinstance(delta, TextDelta):
            break
    await stream.aclose()
    await model.close()
    for _ in range(100):
        if busy(server) == 0:
            break
        await asyncio.sleep(0.05)
    assert busy(server) == 0


async def test_many_streams_at_once_over_few_slots(server: str) -> None:
    model = chat(server)
    answers = await asyncio.gather(*[collect(model, ask(f"number {number}")) for number in range(12)])
    await model.close()
    assert [error for _, error in answers if isinstance(error, ModelError)] == []
    assert all(isinstance(deltas[-1], Finish) for deltas, _ in answers)


async def test_texts_become_vectors(embedding_server: str) -> None:
    embedder = resolve_embedder({"id": "llamacpp/tiny", "url": f"{embedding_server}/v1", "api_key": KEY})
    result = await embedder.embed([f"text number {number}" for number in range(40)])
    again = await embedder.embed(["text number 7"])
    await embedder.close()
    assert len(result.vectors) == 40
    assert {len(vector) for vector in result.vectors} == {WIDTH}
    assert max(abs(a - b) for a, b in zip(result.vectors[7], again.vectors[0], strict=True)) < 1e-3
    assert result.input_tokens > 0
