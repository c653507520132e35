"""Adapters of the event-bus port."""
