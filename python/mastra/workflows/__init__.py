"""Workflows: steps in an order, carried durably. The public names are loaded from the package `mastra`."""
