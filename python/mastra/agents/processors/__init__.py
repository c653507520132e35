"""Processors: what may look at, change or block a run: input, prompt, stream, step, result, error."""
