"""Adapters of the storage port: one file a database."""
