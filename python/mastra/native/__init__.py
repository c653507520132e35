"""The Python face of the compiled core: the only place that imports it."""

try:
    from mastra._core import build_info
except ImportError:
    from mastra.native.fallback.build import build_info

__all__ = ["build_info"]
