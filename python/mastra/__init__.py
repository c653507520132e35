"""mastra: agents, tools, durable workflows, memory and retrieval, with a compiled core.

The public names are loaded on first use, so that `import mastra` costs nothing.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - a source folder or a copied package reaches a Python that pip would refuse
    import mastra.errors

    raise mastra.errors.Unsupported(
        f"mastra needs Python 3.11 or newer; this is {sys.version.split()[0]} ({sys.executable}).",
        hint="Install a newer Python and make the virtual environment with it.",
    )

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mastra.agents.agent import Agent as Agent
    from mastra.agents.handoff import handoff as handoff
    from mastra.agents.processors.processor import Processor as Processor
    from mastra.agents.result import RunResult as RunResult
    from mastra.errors import MastraError as MastraError
    from mastra.evals.scorer import Scorer as Scorer
    from mastra.evals.scorer import create_scorer as create_scorer
    from mastra.mastra import Mastra as Mastra
    from mastra.memory.memory import Memory as Memory
    from mastra.memory.observation_options import ObservationalMemory as ObservationalMemory
    from mastra.memory.options import SemanticRecall as SemanticRecall
    from mastra.memory.options import WorkingMemory as WorkingMemory
    from mastra.runtime.limits import Limits as Limits
    from mastra.runtime.request_context import RequestContext as RequestContext
    from mastra.runtime.signals import ToolRetry as ToolRetry
    from mastra.runtime.stream import RunStream as RunStream
    from mastra.tools.context import ToolContext as ToolContext
    from mastra.tools.tool import Tool as Tool
    from mastra.tools.tool import create_tool as create_tool
    from mastra.tools.tool import tool as tool
    from mastra.tools.toolset import Toolset as Toolset
    from mastra.types.chunks import Chunk as Chunk
    from mastra.types.messages import Message as Message
    from mastra.types.schema import Schema as Schema
    from mastra.workflows.context import StepContext as StepContext
    from mastra.workflows.results import WorkflowResult as WorkflowResult
    from mastra.workflows.retry import Retry as Retry
    from mastra.workflows.step import Step as Step
    from mastra.workflows.step import step as step
    from mastra.workflows.workflow import Workflow as Workflow

__version__ = "0.1.0"

# name -> the module that defines it; `errors` itself is a module.
_EXPORTS = {
    "Agent": "mastra.agents.agent",
    "Chunk": "mastra.types.chunks",
    "Limits": "mastra.runtime.limits",
    "Mastra": "mastra.mastra",
    "MastraError": "mastra.errors",
    "WorkingMemory": "mastra.memory.options",
    "SemanticRecall": "mastra.memory.options",
    "ObservationalMemory": "mastra.memory.observation_options",
    "Memory": "mastra.memory.memory",
    "Message": "mastra.types.messages",
    "Processor": "mastra.agents.processors.processor",
    "RequestContext": "mastra.runtime.request_context",
    "Retry": "mastra.workflows.retry",
    "RunResult": "mastra.agents.result",
    "RunStream": "mastra.runtime.stream",
    "Schema": "mastra.types.schema",
    "Scorer": "mastra.evals.scorer",
    "Step": "mastra.workflows.step",
    "StepContext": "mastra.workflows.context",
    "Tool": "mastra.tools.tool",
    "ToolContext": "mastra.tools.context",
    "ToolRetry": "mastra.runtime.signals",
    "Toolset": "mastra.tools.toolset",
    "Workflow": "mastra.workflows.workflow",
    "WorkflowResult": "mastra.workflows.results",
    "create_scorer": "mastra.evals.scorer",
    "create_tool": "mastra.tools.tool",
    "handoff": "mastra.agents.handoff",
    "step": "mastra.workflows.step",
    "tool": "mastra.tools.tool",
}
_MODULES = frozenset({"errors", "native", "ports", "testing", "types"})

__all__ = [
    "Agent",
    "Chunk",
    "Limits",
    "Mastra",
    "MastraError",
    "Memory",
    "Message",
    "ObservationalMemory",
    "Processor",
    "RequestContext",
    "Retry",
    "RunResult",
    "RunStream",
    "Schema",
    "Scorer",
    "SemanticRecall",
    "Step",
    "StepContext",
    "Tool",
    "ToolContext",
    "ToolRetry",
    "Toolset",
    "Workflow",
    "WorkflowResult",
    "WorkingMemory",
    "__version__",
    "create_scorer",
    "create_tool",
    "handoff",
    "step",
    "tool",
]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - keeps `import mastra` free of importlib's cost

    if name in _EXPORTS:
        value: object = getattr(import_module(_EXPORTS[name]), name)
    elif name in _MODULES:
        value = import_module(f"mastra.{name}")
    else:
        from difflib import get_close_matches  # noqa: PLC0415 - only a failed look-up pays for it

        near = get_close_matches(name, [*_EXPORTS, *_MODULES], n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise AttributeError(f"module 'mastra' has no attribute {name!r}.{hint}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
