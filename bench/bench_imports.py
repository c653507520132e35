"""What importing costs: time over an empty interpreter, memory, modules. Medians of fresh processes, interleaved.

python bench/bench_imports.py [rounds]
Peers that are not installed are left out: agno, agent-framework-core, pydantic-ai-slim, openai-agents, langgraph.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from importlib.util import find_spec

PROGRAM = """
import json, resource, sys, time
began = time.perf_counter()
{statement}
took = time.perf_counter() - began
ours = sum(name.partition(".")[0] == "mastra" for name in sys.modules)
print(json.dumps([took * 1e3, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, ours, len(sys.modules)]))
"""
STATEMENTS = {
    "nothing": "pass",
    "import mastra": "import mastra",
    "from mastra import Agent": "from mastra import Agent",
    "from mastra import Agent, Mastra, Workflow, tool": "from mastra import Agent, Mastra, Workflow, tool",
}
PEERS = {
    "agno": "from agno.agent import Agent",
    "agent_framework": "from agent_framework import Agent",
    "pydantic_ai": "from pydantic_ai import Agent",
    "agents": "from agents import Agent",
    "langgraph": "from langgraph.graph import StateGraph",
}


def once(statement: str) -> list[float]:
    """One fresh process: milliseconds, megabytes, modules of ours, modules."""
    command = [sys.executable, "-c", PROGRAM.format(statement=statement)]
    numbers: list[float] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return numbers


def main() -> None:
    """The command."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    there = {said: said for module, said in PEERS.items() if find_spec(module) is not None}
    statements = {**STATEMENTS, **there}
    found: dict[str, list[list[float]]] = {name: [] for name in statements}
    for _ in range(rounds):
        for name, statement in statements.items():
            found[name].append(once(statement))
    empty = statistics.median(row[1] for row in found["nothing"])
    print(f"{'':52} {'median ms':>9} {'best ms':>8} {'+MB':>6} {'ours':>5} {'modules':>8}")
    for name, rows in found.items():
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        best = min(row[0] for row in rows)
        print(f"{name:52} {middle[0]:9.1f} {best:8.1f} {middle[1] - empty:6.1f} {middle[2]:5.0f} {middle[3]:8.0f}")


if __name__ == "__main__":
    main()
