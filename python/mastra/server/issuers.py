"""Presets for well-known issuers of tokens: each is a JWT provider with the right addresses and claims."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mastra.errors import BadSetting
from mastra.server.auth import Jwt, refuse_empty

Audience = str | Sequence[str]


def oidc(issuer: str, *, audience: Audience, jwks_url: str | None = None, **options: Any) -> Jwt:
    """Any OpenID Connect issuer. Without `jwks_url` its keys are looked for where most issuers publish them."""
    base = _https(issuer)
    return Jwt(jwks_url=jwks_url or f"{base}/.well-known/jwks.json", issuer=issuer, audience=audience, **options)


def auth0(domain: str, *, audience: Audience, **options: Any) -> Jwt:
    """Auth0: `domain` such as `acme.eu.auth0.com`."""
    base = _https(domain)
    return Jwt(jwks_url=f"{base}/.well-known/jwks.json", issuer=f"{base}/", audience=audience, **options)


def clerk(frontend_api: str, *, audience: Audience | None = None, **options: Any) -> Jwt:
    """Clerk: the frontend API address of the instance; organisations are tenants with `tenant_claim="org_id"`."""
    base = _https(frontend_api)
    return Jwt(jwks_url=f"{base}/.well-known/jwks.json", issuer=base, audience=audience, **options)


def firebase(project: str, **options: Any) -> Jwt:
    """Firebase Authentication of a project."""
    name = refuse_empty(project, "Firebase project")
    return Jwt(
        jwks_url="https://www.googleapis.com/service_accounts/v1/jwk/securetoken@system.gserviceaccount.com",
        issuer=f"https://securetoken.google.com/{name}",
        audience=name,
        algorithms=["RS256"],
        **options,
    )


def supabase(url: str, *, secret: str | None = None, **options: Any) -> Jwt:
    """Supabase: the project's URL; `secret` for projects that still sign with a shared one."""
    base = _https(url)
    facts: dict[str, Any] = {"issuer": f"{base}/auth/v1", "audience": "authenticated", **options}
    if secret is not None:
        return Jwt(secret=secret, **facts)
    return Jwt(jwks_url=f"{base}/auth/v1/.well-known/jwks.json", **facts)


def workos(client_id: str, *, issuer: str = "https://api.workos.com", **options: Any) -> Jwt:
    """WorkOS AuthKit of a client id; roles come from its `role` claim."""
    name = refuse_empty(client_id, "WorkOS client id")
    facts: dict[str, Any] = {"roles_claim": "role", **options}
    return Jwt(jwks_url=f"https://api.workos.com/sso/jwks/{name}", issuer=issuer, **facts)


def okta(domain: str, *, audience: Audience = "api://default", server: str = "default", **options: Any) -> Jwt:
    """Okta: the organisation's domain and the authorisation server's id."""
    base = f"{_https(domain)}/oauth2/{server}"
    facts: dict[str, Any] = {"roles_claim": "groups", **options}
    return Jwt(jwks_url=f"{base}/v1/keys", issuer=base, audience=audience, **facts)


def keycloak(url: str, realm: str, *, audience: Audience, **options: Any) -> Jwt:
    """Keycloak: the server's URL and the realm; roles are the realm's."""
    base = f"{_https(url)}/realms/{refuse_empty(realm, 'Keycloak realm')}"
    facts: dict[str, Any] = {"roles_claim": "realm_access.roles", **options}
    return Jwt(jwks_url=f"{base}/protocol/openid-connect/certs", issuer=base, audience=audience, **facts)


def _https(place: str) -> str:
    text = refuse_empty(place, "address of the issuer").rstrip("/")
    if text.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        return text
    if "://" in text:
        raise BadSetting(f"The issuer {text!r} must use https.")
    return f"https://{text}"
