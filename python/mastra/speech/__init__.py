"""Adapters of the speech ports."""
