"""The vector index: nearest neighbours in memory and in one crash-safe file. See docs/guide/vector-index.md.

Without the compiled core it looks at every row, in numpy, and lives in memory only.
"""

try:
    from mastra._core import VectorIndex
except ImportError:
    from mastra.native.fallback.index import VectorIndex  # type: ignore[assignment]

__all__ = ["VectorIndex"]
