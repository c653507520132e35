"""The words that every part of mastra shares: frozen data, no input or output."""
