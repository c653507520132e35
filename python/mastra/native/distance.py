"""Similarity of vectors: the compiled kernels for two vectors, and exact search over many; numpy without the core."""

try:
    from mastra._core import active_kernel, cosine, dot, exact_search, hamming, kernels, l2
except ImportError:
    from mastra.native.fallback.distance import (  # type: ignore[assignment]
        active_kernel,
        cosine,
        dot,
        exact_search,
        hamming,
        kernels,
        l2,
    )

__all__ = ["active_kernel", "cosine", "dot", "exact_search", "hamming", "kernels", "l2"]
