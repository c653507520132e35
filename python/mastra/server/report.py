"""The compatibility report: which routes of the protocol are served, made from the route table."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mastra.server.table import Route, Table

HEAD = """# Compatibility

Made from the route table; a test keeps it true. A served route does what the protocol says. An open one answers like a
server on which that feature is not configured: with an empty list, a 404 that names the thing, or a refusal that names
the feature.
"""


def report(table: Table) -> str:
    """The page as Markdown."""
    groups: dict[str, list[Route]] = {}
    for route in table:
        top = "outside /api" if route.path.startswith("//") else route.path.split("/")[1]
        groups.setdefault(top, []).append(route)
    served = sum(not route.is_open for route in table)
    lines = [HEAD, f"{served} of {len(table)} routes are served.", "", "| group | served | open |", "|---|---|---|"]
    lines += [
        f"| {name} | {sum(not one.is_open for one in routes)} | {sum(one.is_open for one in routes)} |"
        for name, routes in groups.items()
    ]
    for name, routes in groups.items():
        lines += ["", f"## {name}", "", "| route | state | permission |", "|---|---|---|"]
        for one in routes:
            path = one.path.removeprefix("/") if one.path.startswith("//") else one.path
            state = "open" if one.is_open else "served"
            lines.append(f"| `{one.method} {path}` | {state} | {' or '.join(one.permissions) or 'none'} |")
    return "\n".join(lines) + "\n"
