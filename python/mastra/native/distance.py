"""Similarity of vectors: the compiled kernels for two vectors, and exact search over many."""

from mastra._core import active_kernel, cosine, dot, exact_search, hamming, kernels, l2

__all__ = ["active_kernel", "cosine", "dot", "exact_search", "hamming", "kernels", "l2"]
