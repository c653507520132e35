"""Authentication: keys and JWT let the right callers in and nobody else."""

import time

import jwt
import pytest

from mastra.errors import BadSetting
from mastra.server.access import principal
from mastra.server.auth import Jwt, Several, StaticKeys, hash_key, new_key, refuse_empty, well_formed

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("secret", ["", "  ", None, "false", "None", "undefined", "changeme", 0])
def test_an_empty_secret_is_a_refusal_and_never_a_pass(secret):
    with pytest.raises(BadSetting):
        refuse_empty(secret, "key")


def test_a_server_without_keys_does_not_start():
    with pytest.raises(BadSetting):
        StaticKeys({})
    with pytest.raises(BadSetting):
        StaticKeys({"": {"id": "u"}})


async def test_a_key_names_its_owner():
    keys = StaticKeys({"sk-ada": {"id": "ada", "roles": ["viewer"]}, "sk-bob": principal("bob")})
    assert (await keys.authenticate("sk-ada")).id == "ada"
    assert (await keys.authenticate("sk-bob")).id == "bob"
    assert await keys.authenticate("sk-adb") is None
    assert await keys.authenticate("") is None


async def test_only_the_hash_of_a_key_is_kept():
    token, _ = new_key()
    keys = StaticKeys({f"sha256:{hash_key(token, 'pepper')}": {"id": "ada"}}, pepper="pepper")
    assert (await keys.authenticate(token)).id == "ada"
    assert token not in repr(vars(keys))
    assert await StaticKeys({f"sha256:{hash_key(token, 'x')}": {"id": "ada"}}, pepper="y").authenticate(token) is None


async def test_an_old_and_a_new_key_overlap_until_the_old_one_expires():
    now = [100.0]
    keys = StaticKeys({"old": {"id": "ada", "expiresAt": 200}, "new": {"id": "ada"}}, now=lambda: now[0])
    assert await keys.authenticate("old") == await keys.authenticate("old")
    now[0] = 200.0
    assert await keys.authenticate("old") is None
    assert (await keys.authenticate("new")).id == "ada"


def test_generated_keys_differ_and_know_when_they_are_mistyped():
    tokens = {new_key()[0] for _ in range(1_000)}
    assert len(tokens) == 1_000
    token = tokens.pop()
    assert well_formed(token)
    swapped = token[:-8] + ("A" if token[-8] != "A" else "B") + token[-7:]
    assert not well_formed(swapped)
    assert not well_formed("sk-something")


def token(**claims):
    return jwt.encode({"sub": "ada", "exp": time.time() + 60, **claims}, SECRET, algorithm="HS256")


async def test_a_signed_token_names_its_subject():
    provider = Jwt(secret=SECRET, issuer="me", audience="app", roles_claim="app.roles", tenant_claim="org")
    good = token(iss="me", aud="app", app={"roles": ["viewer", "made-up"]}, org="acme", name="Ada")
    who = await provider.authenticate(good)
    assert (who.id, who.resource, who.roles, who.name) == ("ada", "acme:ada", ("viewer",), "Ada")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "me", "aud": "app", "exp": 1},
        {"iss": "other", "aud": "app"},
        {"iss": "me", "aud": "other"},
        {"iss": "me"},
        {"iss": "me", "aud": "app", "sub": ""},
        {"iss": "me", "aud": "app", "sub": 7},
    ],
)
async def test_a_token_with_one_wrong_claim_is_nobodys(claims):
    assert await Jwt(secret=SECRET, issuer="me", audience="app").authenticate(token(**claims)) is None


async def test_a_token_without_the_demanded_tenant_is_nobodys():
    assert await Jwt(secret=SECRET, tenant_claim="org").authenticate(token()) is None


async def test_unsigned_and_foreign_signatures_are_refused():
    provider = Jwt(secret=SECRET)
    unsigned = jwt.encode({"sub": "ada", "exp": time.time() + 60}, "", algorithm="none")
    foreign = jwt.encode({"sub": "ada", "exp": time.time() + 60}, SECRET[::-1], algorithm="HS256")
    for bad in (unsigned, foreign, "a.b.c", "..", "x", token()[:-2]):
        assert await provider.authenticate(bad) is None


def test_a_weak_or_ambiguous_set_up_is_refused():
    with pytest.raises(BadSetting):
        Jwt(secret="short")
    with pytest.raises(BadSetting):
        Jwt(secret=SECRET, jwks_url="https://x")
    with pytest.raises(BadSetting):
        Jwt()
    with pytest.raises(BadSetting):
        Jwt(jwks_url="http://example.com/keys")
    with pytest.raises(BadSetting):
        Jwt(jwks_url="https://example.com/keys", algorithms=["HS256"])


async def test_the_first_provider_that_knows_the_token_wins():
    several = Several([StaticKeys({"k1": {"id": "one"}}), Jwt(secret=SECRET)])
    assert (await several.authenticate("k1")).id == "one"
    assert (await several.authenticate(token())).id == "ada"
    assert await several.authenticate("nobody") is None
