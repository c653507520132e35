"""One run: its context, its stream, its limits, its trace, and the work that outlives it."""
