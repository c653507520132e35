"""Memory: what an agent recalls before it answers and records afterwards."""
