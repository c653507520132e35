"""Evals: how good the answers are."""
