"""Who asks and what they may: principals, roles and permissions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

# What each role may do: "<resource>:<action>", either side may be "*".
ROLES: Mapping[str, tuple[str, ...]] = {
    "owner": ("*",),
    "admin": ("*:read", "*:write", "*:execute", "*:delete", "*:publish"),
    # In the protocol's words, conversations and responses are created and deleted under "agents".
    "member": (
        "*:read",
        "*:execute",
        "memory:write",
        "memory:delete",
        "vector:write",
        "agents:create",
        "agents:delete",
    ),
    "viewer": ("*:read",),
}
# Roles that see beyond their own resource.
UNBOUND_ROLES = frozenset({"owner", "admin"})


@dataclass(frozen=True, slots=True)
class Principal:
    """An authenticated caller. `resource` owns what it makes; `permissions` are patterns it holds."""

    id: str
    resource: str
    roles: tuple[str, ...] = ()
    permissions: frozenset[str] = frozenset()
    isolated: bool = True
    name: str | None = None
    email: str | None = None
    key_id: str | None = None

    def may(self, permission: str) -> bool:
        """Whether one of the held patterns covers the permission."""
        held = self.permissions
        if permission in held or "*" in held:
            return True
        resource, _, action = permission.partition(":")
        return f"{resource}:*" in held or f"*:{action}" in held

    def to_wire(self) -> dict[str, Any]:
        """What the caller and their tools may know about the caller."""
        out: dict[str, Any] = {"id": self.id}
        if self.name:
            out["name"] = self.name
        if self.email:
            out["email"] = self.email
        if self.roles:
            out["roles"] = list(self.roles)
        return out


def principal(
    id: str,
    *,
    resource: str | None = None,
    tenant: str | None = None,
    roles: Iterable[str] = (),
    permissions: Iterable[str] = (),
    known: Mapping[str, Iterable[str]] = ROLES,
    **facts: Any,
) -> Principal:
    """A principal with the permissions of its roles; a caller without any role is a member."""
    names = tuple(roles) or ("member",)
    held = set(permissions)
    for name in names:
        held.update(known.get(name, ()))
    own = resource or id
    return Principal(
        id=id,
        resource=f"{tenant}:{own}" if tenant else own,
        roles=names,
        permissions=frozenset(held),
        isolated=not (UNBOUND_ROLES & set(names)),
        **facts,
    )
