"""`import mastra` costs nothing, and using an agent loads no SDK, web framework or numpy."""

from __future__ import annotations

import subprocess
import sys

import mastra

HEAVY = ("pydantic", "httpx", "numpy", "starlette", "uvicorn", "typer", "rich", "apsw", "anyio", "mcp", "openai",
         "opentelemetry", "sqlite3")  # fmt: skip


def modules_after(statement: str) -> set[str]:
    code = f"{statement}\nimport sys\nprint('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_import_mastra_loads_at_most_five_of_our_modules() -> None:
    ours = {name for name in modules_after("import mastra") if name.partition(".")[0] == "mastra"}
    assert len(ours) <= 5, sorted(ours)


def test_import_mastra_leaves_the_slow_standard_library_alone() -> None:
    empty = modules_after("pass")
    loaded = modules_after("import mastra") - empty
    assert not loaded & {"asyncio", "typing", "importlib.metadata", "re", "inspect", "dataclasses"}, sorted(loaded)


def test_an_agent_loads_neither_the_core_nor_what_only_files_and_addresses_need() -> None:
    loaded = modules_after("from mastra import Agent, tool") - modules_after("import asyncio")
    assert not loaded & {"mastra._core", "urllib.parse", "ipaddress", "tempfile", "shutil", "hashlib"}, sorted(loaded)


def test_no_public_name_but_the_doors_loads_anything_heavy() -> None:
    names = [name for name in mastra._EXPORTS if name != "create_app"]
    loaded = modules_after(f"from mastra import {', '.join(names)}")
    heavy = {name for name in loaded if name.partition(".")[0] in HEAVY}
    assert heavy == set()


def test_nothing_heavy_stands_beside_errors_and_types() -> None:
    loaded = modules_after("import mastra.errors, mastra.registry, mastra.types.messages, mastra.types.model")
    assert {name for name in loaded if name.partition(".")[0] in HEAVY} == set()
