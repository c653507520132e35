"""The Python face of the compiled core: the only place that imports it."""

from mastra._core import build_info

__all__ = ["build_info"]
