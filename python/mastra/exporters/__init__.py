"""Adapters of the exporter port: where spans go."""
