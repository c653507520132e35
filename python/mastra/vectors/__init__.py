"""Adapters of the vector port: one file a store."""
