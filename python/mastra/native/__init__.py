"""The Python face of the compiled core: the only place that imports it.

Names of the vector side are looked up on first use: a process without vectors does not pay for them.
"""

try:
    from mastra._core import build_info
except ImportError:
    from mastra.native.fallback.build import build_info

TYPE_CHECKING = False
if TYPE_CHECKING:
    from mastra.native.distance import active_kernel as active_kernel
    from mastra.native.distance import cosine as cosine
    from mastra.native.distance import dot as dot
    from mastra.native.distance import exact_search as exact_search
    from mastra.native.distance import hamming as hamming
    from mastra.native.distance import kernels as kernels
    from mastra.native.distance import l2 as l2
    from mastra.native.index import VectorIndex as VectorIndex

_EXPORTS = {
    "VectorIndex": "mastra.native.index",
    **dict.fromkeys(
        ("active_kernel", "cosine", "dot", "exact_search", "hamming", "kernels", "l2"), "mastra.native.distance"
    ),
}

__all__ = ["VectorIndex", "active_kernel", "build_info", "cosine", "dot", "exact_search", "hamming", "kernels", "l2"]


def __getattr__(name: str) -> object:
    from importlib import import_module  # noqa: PLC0415 - only the vector side pays for it

    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_EXPORTS[name]), name)
