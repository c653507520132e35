"""Authentication: from a token to a principal. Static keys, JWT with a secret or JWKS, presets, several at once."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from mastra.errors import BadSetting, MissingExtra
from mastra.server.access import ROLES, Principal, principal

if TYPE_CHECKING:
    from jwt import PyJWK, PyJWKClient

KEY_PREFIX = "mk"
_PLACEHOLDERS = frozenset({"none", "null", "undefined", "false", "true", "changeme", "secret"})
Json: TypeAlias = dict[str, Any]


class AuthProvider(Protocol):
    """Turns a token into a principal; None when the token is not one of its own or no longer valid."""

    async def authenticate(self, token: str) -> Principal | None:
        """Who holds this token."""
        ...


def refuse_empty(secret: object, what: str) -> str:
    """`secret` as a text; a secret that is missing, blank or a placeholder is a set-up error, never a pass."""
    text = secret.strip() if isinstance(secret, str) else ""
    if not text or text.lower() in _PLACEHOLDERS:
        raise BadSetting(f"The {what} is empty or a placeholder.", hint="Set it to a random text of 32 characters.")
    return text


# ---------------------------------------------------------------- static keys


def new_key() -> tuple[str, str]:
    """A fresh key and its id: `mk_<id>_<secret><checksum>`; only its hash needs to be kept."""
    key_id = secrets.token_hex(6)
    secret = secrets.token_urlsafe(32).replace("_", "-")
    return f"{KEY_PREFIX}_{key_id}_{secret}{_checksum(key_id, secret)}", key_id


def hash_key(token: str, pepper: str = "") -> str:
    """What is kept of a key. The token has 256 random bits, so that a plain keyed hash cannot be searched."""
    return hmac.new(pepper.encode(), token.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def well_formed(token: str) -> bool:
    """Whether the checksum of a generated key is right; a mistyped key is told apart without a look-up."""
    parts = token.split("_", 2)
    if len(parts) != 3 or parts[0] != KEY_PREFIX or len(parts[2]) < 7:
        return False
    return hmac.compare_digest(parts[2][-6:].encode(), _checksum(parts[1], parts[2][:-6]).encode())


def _checksum(key_id: str, secret: str) -> str:
    return hashlib.sha256(f"{key_id}.{secret}".encode()).hexdigest()[:6]


@dataclass(frozen=True, slots=True)
class Key:
    """A kept key: its hash, whose it is, and until when it is good (seconds since 1970)."""

    hash: str
    principal: Principal
    expires_at: float | None = None


class StaticKeys:
    """A fixed set of keys. Two keys of one principal may overlap, which is how they are rotated.

    `keys` maps a token (or `sha256:<hash>` as `mastra keys` prints it) to a principal, or to its facts as a mapping:
    `{"id": "u1", "roles": ["member"], "expiresAt": 1790000000}`.
    """

    def __init__(
        self,
        keys: Mapping[str, Principal | Mapping[str, Any]],
        *,
        pepper: str = "",
        now: Callable[[], float] = time.time,
        roles: Mapping[str, Iterable[str]] = ROLES,
    ) -> None:
        self._pepper = pepper
        self._now = now
        self._keys: dict[str, Key] = {}
        for token, owner in keys.items():
            given = refuse_empty(token, "API key")
            kept = given[7:] if given.startswith("sha256:") else hash_key(given, pepper)
            self._keys[kept] = _key(kept, owner, roles)
        if not self._keys:
            raise BadSetting("There is no API key.", hint="Make one with: mastra keys new")

    async def authenticate(self, token: str) -> Principal | None:
        """Who holds this key. The look-up is by hash: how long it takes says nothing about the key."""
        key = self._keys.get(hash_key(token, self._pepper))
        if key is None or (key.expires_at is not None and key.expires_at <= self._now()):
            return None
        return key.principal


def _key(kept: str, owner: Principal | Mapping[str, Any], roles: Mapping[str, Iterable[str]]) -> Key:
    if isinstance(owner, Principal):
        return Key(kept, owner)
    who = principal(
        refuse_empty(owner.get("id"), "id of a key's owner"),
        resource=owner.get("resource"),
        tenant=owner.get("tenant"),
        roles=owner.get("roles", ()),
        permissions=owner.get("permissions", ()),
        known=roles,
        name=owner.get("name"),
        email=owner.get("email"),
        key_id=kept[:12],
    )
    return Key(kept, who, owner.get("expiresAt"))


# ---------------------------------------------------------------- JWT

_ASYMMETRIC = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
_SYMMETRIC = ("HS256", "HS384", "HS512")


class Jwt:
    """Tokens signed by somebody else: by a shared secret, or by keys published at a JWKS URL.

    Signature, issuer, audience, expiry and algorithm are all checked; `none` and a mix of key kinds are never accepted.
    """

    def __init__(
        self,
        *,
        secret: str | None = None,
        jwks_url: str | None = None,
        issuer: str | None = None,
        audience: str | Sequence[str] | None = None,
        algorithms: Sequence[str] | None = None,
        resource_claim: str = "sub",
        roles_claim: str | None = None,
        tenant_claim: str | None = None,
        roles: Mapping[str, Iterable[str]] = ROLES,
        leeway_s: float = 10.0,
    ) -> None:
        if (secret is None) == (jwks_url is None):
            raise BadSetting("A JWT provider needs either a secret or a JWKS URL.")
        if secret is not None and len(refuse_empty(secret, "JWT secret")) < 32:
            raise BadSetting("The JWT secret is shorter than 32 characters.")
        if jwks_url is not None and not jwks_url.startswith(("https://", "http://127.0.0.1", "http://localhost")):
            raise BadSetting("A JWKS URL must use https.")
        known = _SYMMETRIC if secret is not None else _ASYMMETRIC
        self._algorithms = list(algorithms or known)
        wrong = [name for name in self._algorithms if name not in known]
        if wrong:
            raise BadSetting(f"The algorithms {wrong} do not fit this kind of key.")
        self._secret = secret
        self._issuer = issuer
        self._audience = audience
        self._claims = (resource_claim, roles_claim, tenant_claim)
        self._roles = roles
        self._leeway = leeway_s
        self._jwks: PyJWKClient | None = None
        self._jwks_url = jwks_url

    async def authenticate(self, token: str) -> Principal | None:
        """Who the token names, when everything about it holds."""
        if token.count(".") != 2:
            return None
        try:
            import jwt  # noqa: PLC0415 - only who uses JWT needs the extra
        except ImportError as error:
            raise MissingExtra("auth", feature="JWT authentication", module="pyjwt") from error
        try:
            key: Any = self._secret or await self._published_key(token)
            claims: Json = jwt.decode(
                token,
                key,
                algorithms=self._algorithms,
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway,
                options={"require": ["exp"], "verify_aud": self._audience is not None},
            )
        except jwt.PyJWTError:
            return None
        return self._principal(claims)

    async def _published_key(self, token: str) -> PyJWK:
        from jwt import PyJWKClient  # noqa: PLC0415 - the same

        if self._jwks is None:
            self._jwks = PyJWKClient(self._jwks_url or "", lifespan=600, timeout=5)
        # The client blocks while it fetches: once in ten minutes, after which a withdrawn key is gone, and for an
        # unknown key id, but not twice within half a minute.
        return await asyncio.to_thread(self._jwks.get_signing_key_from_jwt, token)

    def _principal(self, claims: Json) -> Principal | None:
        resource_claim, roles_claim, tenant_claim = self._claims
        subject = _claim(claims, resource_claim)
        if not isinstance(subject, str) or not subject:
            return None
        roles = _claim(claims, roles_claim) if roles_claim else ()
        tenant = _claim(claims, tenant_claim) if tenant_claim else None
        if tenant_claim and not (isinstance(tenant, str) and tenant):
            return None  # a tenant is demanded: a token without one belongs to nobody
        names = [roles] if isinstance(roles, str) else [name for name in roles or () if isinstance(name, str)]
        return principal(
            subject,
            tenant=tenant,
            roles=[name for name in names if name in self._roles],
            known=self._roles,
            name=_text(claims.get("name")),
            email=_text(claims.get("email")),
        )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _claim(claims: Json, path: str) -> Any:
    """A claim by its name, or by a dotted path into nested ones."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


# ---------------------------------------------------------------- several


class Several:
    """The first provider that knows the token wins."""

    def __init__(self, providers: Sequence[AuthProvider]) -> None:
        if not providers:
            raise BadSetting("There is no auth provider.")
        self._providers = tuple(providers)

    async def authenticate(self, token: str) -> Principal | None:
        """Who holds this token."""
        for provider in self._providers:
            found = await provider.authenticate(token)
            if found is not None:
                return found
        return None
