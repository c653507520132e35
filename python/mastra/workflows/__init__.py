"""Workflows: steps that survive a crash."""
