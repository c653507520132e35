"""mastra: agents, tools, durable workflows, memory and retrieval, with a compiled core.

The public names are loaded on first use, so that `import mastra` costs nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mastra.errors import MastraError as MastraError
    from mastra.mastra import Mastra as Mastra
    from mastra.workflows.context import StepContext as StepContext
    from mastra.workflows.results import WorkflowResult as WorkflowResult
    from mastra.workflows.retry import Retry as Retry
    from mastra.workflows.step import Step as Step
    from mastra.workflows.step import step as step
    from mastra.workflows.workflow import Workflow as Workflow

__version__ = "0.1.0"

# name -> the module that defines it; `errors` itself is a module.
_EXPORTS = {
    "Mastra": "mastra.mastra",
    "MastraError": "mastra.errors",
    "Retry": "mastra.workflows.retry",
    "Step": "mastra.workflows.step",
    "StepContext": "mastra.workflows.context",
    "Workflow": "mastra.workflows.workflow",
    "WorkflowResult": "mastra.workflows.results",
    "step": "mastra.workflows.step",
}
_MODULES = frozenset({"errors", "native", "ports", "testing", "types"})

__all__ = ["Mastra", "MastraError", "Retry", "Step", "StepContext", "Workflow", "WorkflowResult", "__version__", "step"]


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
