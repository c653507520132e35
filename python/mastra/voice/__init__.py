"""Voice: agents that hear and speak."""
