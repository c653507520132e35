"""Every wire format against aimock, a mock of the vendors' APIs that somebody else wrote.

`.ci/services` fetches it where there is npm. By hand, after `npm i @copilotkit/aimock`:
`MASTRA_AIMOCK=node_modules/.bin/aimock pytest -m service tests/conformance/test_aimock.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mastra.errors import RateLimited
from mastra.testing.contracts.model import TOOL, collect, request, text_of
from mastra.testing.wire_samples import WIRE_FORMATS
from mastra.types.model import Finish, ToolCall

pytestmark = pytest.mark.service
COMMAND = os.environ.get("MASTRA_AIMOCK") or shutil.which("aimock")
PATHS = {"google": "/v1beta", "cohere": "/v2", "ollama": "", "amazon-bedrock": ""}
FIXTURES = [
    {
        "match": {"userMessage": "weather"},
        "response": {"toolCalls": [{"id": "call_1", "name": "get_weather", "arguments": '{"city":"Oslo"}'}]},
    },
    {
        "match": {"userMessage": "boom"},
        "response": {"error": {"message": "rate limited", "type": "rate_limit_error"}, "status": 429},
    },
    {"match": {"userMessage": "hello"}, "response": {"content": "Hello, 世界 🌍."}},
]


@pytest.fixture(scope="module")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if COMMAND is None:
        pytest.skip("aimock is not here: npm i @copilotkit/aimock, and name it in MASTRA_AIMOCK")
    folder: Path = tmp_path_factory.mktemp("aimock")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "fixtures").mkdir()
    (folder / "fixtures" / "all.json").write_text(json.dumps({"fixtures": FIXTURES}))
    config = {"host": "127.0.0.1", "port": port, "llm": {"fixtures": "fixtures"}}
    (folder / "config.json").write_text(json.dumps(config))
    command = [str(Path(COMMAND).resolve()), "-c", "config.json"]
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        else:
            pytest.fail("aimock did not start")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("name", WIRE_FORMATS)
async def test_texts_calls_and_refusals(name: str, aimock: str) -> None:
    model = WIRE_FORMATS[name].make(aimock + PATHS.get(name, "/v1"))
    said, error = await collect(model, request("hello"))
    assert error is None
    assert text_of(said) == "Hello, 世界 🌍."
    called, error = await collect(model, request("weather", tools=(TOOL,)))
    assert error is None
    assert [delta.arguments for delta in called if isinstance(delta, ToolCall)] == [{"city": "Oslo"}]
    finish = called[-1]
    assert isinstance(finish, Finish)
    assert finish.reason == "tool-calls"
    _, error = await collect(model, request("boom"))
    assert isinstance(error, RateLimited)
    await model.close()
