"""Presets of issuers: the right addresses and claims, and https only."""

import pytest

from mastra.errors import BadSetting
from mastra.server import issuers


def facts(provider):
    return provider._jwks_url, provider._issuer, provider._audience


def test_each_preset_knows_where_its_issuer_publishes_keys():
    assert facts(issuers.auth0("acme.eu.auth0.com", audience="api")) == (
        "https://acme.eu.auth0.com/.well-known/jwks.json",
        "https://acme.eu.auth0.com/",
        "api",
    )
    assert facts(issuers.clerk("clerk.acme.com"))[:2] == (
        "https://clerk.acme.com/.well-known/jwks.json",
        "https://clerk.acme.com",
    )
    assert facts(issuers.firebase("acme"))[1:] == ("https://securetoken.google.com/acme", "acme")
    assert facts(issuers.supabase("https://x.supabase.co"))[0].endswith("/auth/v1/.well-known/jwks.json")
    assert facts(issuers.workos("client_1"))[0] == "https://api.workos.com/sso/jwks/client_1"
    assert facts(issuers.okta("acme.okta.com"))[0] == "https://acme.okta.com/oauth2/default/v1/keys"
    assert facts(issuers.keycloak("https://sso.acme.com", "main", audience="app"))[:2] == (
        "https://sso.acme.com/realms/main/protocol/openid-connect/certs",
        "https://sso.acme.com/realms/main",
    )
    assert facts(issuers.oidc("https://id.acme.com", audience="app"))[0] == "https://id.acme.com/.well-known/jwks.json"


@pytest.mark.parametrize("domain", ["", "http://acme.com", "ftp://acme.com"])
def test_an_issuer_without_https_is_refused(domain):
    with pytest.raises(BadSetting):
        issuers.auth0(domain, audience="x")
