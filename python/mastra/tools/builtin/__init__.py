"""Ready-made tools in groups: small, safe, tested. `TOOLS` of each module lists them; nothing is on by itself."""
