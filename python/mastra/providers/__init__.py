"""Adapters of the model ports: one file a wire format."""
