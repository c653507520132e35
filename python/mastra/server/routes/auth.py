"""Auth: what the server can do about logins, and who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mastra.server.call import Call


async def capabilities(call: Call) -> dict[str, Any]:
    """Whether callers need a token. Tokens come from elsewhere: there is no login of our own."""
    if call.state.options.auth is None:
        return {"enabled": False, "login": None}
    out: dict[str, Any] = {"enabled": True, "login": None}
    if call.principal is not None:
        out["user"] = call.principal.to_wire()
        out["access"] = {"roles": list(call.principal.roles), "permissions": sorted(call.principal.permissions)}
    return out


async def me(call: Call) -> dict[str, Any] | None:
    """Who asks, or nothing."""
    return None if call.principal is None else call.principal.to_wire()


async def patterns(call: Call) -> dict[str, Any]:
    """Every permission that a route asks for, and the patterns that cover them."""
    permissions = {permission for route in call.state.table for permission in route.permissions}
    resources = {permission.partition(":")[0] for permission in permissions}
    actions = {permission.partition(":")[2] for permission in permissions}
    covering = {"*", *(f"{resource}:*" for resource in resources), *(f"*:{action}" for action in actions)}
    return {"patterns": sorted(permissions | covering)}


ROUTES = {
    "GET /auth/capabilities": capabilities,
    "GET /auth/me": me,
    "GET /auth/permission-patterns": patterns,
}
