"""For tests of applications and adapters: contract suites, scripted models, a clock moved by hand."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mastra.testing.cassettes import Cassette as Cassette
    from mastra.testing.clock import HandClock as HandClock
    from mastra.testing.fault_server import FaultServer as FaultServer
    from mastra.testing.fault_server import Reply as Reply
    from mastra.testing.models import Answer as Answer
    from mastra.testing.models import Call as Call
    from mastra.testing.models import ScriptedModel as ScriptedModel
    from mastra.testing.models import function_model as function_model

_EXPORTS = {
    "Answer": "mastra.testing.models",
    "Call": "mastra.testing.models",
    "Cassette": "mastra.testing.cassettes",
    "FaultServer": "mastra.testing.fault_server",
    "HandClock": "mastra.testing.clock",
    "Reply": "mastra.testing.fault_server",
    "ScriptedModel": "mastra.testing.models",
    "function_model": "mastra.testing.models",
}

__all__ = ["Answer", "Call", "Cassette", "FaultServer", "HandClock", "Reply", "ScriptedModel", "function_model"]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - the HTTP client is loaded only by who asks for it

    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
