"""The Model Context Protocol: their tools as ours, ours as theirs."""
