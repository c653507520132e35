"""Principals: what their roles allow, and whose things they see."""

import pytest

from mastra.server.access import principal


@pytest.mark.parametrize(
    ("role", "permission", "may"),
    [
        ("viewer", "agents:read", True),
        ("viewer", "agents:execute", False),
        ("member", "agents:execute", True),
        ("member", "stored:delete", False),
        ("admin", "stored:delete", True),
        ("owner", "anything:at-all", True),
    ],
)
def test_a_role_decides(role, permission, may):
    assert principal("u", roles=[role]).may(permission) is may


def test_a_caller_without_a_role_is_a_member_bound_to_its_own():
    who = principal("u")
    assert who.roles == ("member",)
    assert who.isolated
    assert who.resource == "u"


def test_administrators_see_beyond_their_own():
    assert not principal("u", roles=["admin"]).isolated


def test_a_tenant_is_part_of_the_resource():
    assert principal("u", tenant="acme").resource == "acme:u"
    assert principal("u", tenant="other").resource != principal("u", tenant="acme").resource


def test_single_permissions_add_to_the_roles():
    who = principal("u", roles=["viewer"], permissions=["tools:execute", "memory:*"])
    assert who.may("tools:execute")
    assert who.may("memory:delete")
    assert not who.may("agents:execute")


def test_what_is_shown_of_a_caller_holds_no_secret():
    who = principal("u", name="Ada", email="ada@example.com", key_id="abc")
    assert who.to_wire() == {"id": "u", "name": "Ada", "email": "ada@example.com", "roles": ["member"]}
