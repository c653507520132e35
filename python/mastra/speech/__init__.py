"""Adapters of the speech ports: one file per vendor."""
