"""Retrieval: documents, chunks, and the passages that answer a question."""
