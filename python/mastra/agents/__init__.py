"""Agents: a model, its tools and its memory, behind generate and stream."""
