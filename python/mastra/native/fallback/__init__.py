"""Pure-Python twins of what the framework cannot live without, for a machine without the compiled core.

They give the same results, slower. Importing this package says so once.
"""

import warnings

warnings.warn(
    "The compiled core of mastra (mastra._core) cannot be imported: pure-Python parsers, cache and token estimate "
    "and a vector search through every row take over, slower. Reinstall mastra from a wheel for this platform.",
    RuntimeWarning,
    stacklevel=2,
)
