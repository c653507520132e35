"""Signs requests for AWS (Signature Version 4) with credentials from the usual places."""

from __future__ import annotations

import configparser
import hashlib
import hmac
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

from mastra.errors import MissingKey
from mastra.types.secrets import Secret

_ALGORITHM = "AWS4-HMAC-SHA256"
# Headers that proxies change on the way must not be signed.
_UNSIGNED = frozenset({"connection", "user-agent", "accept", "accept-encoding", "expect", "x-amzn-trace-id"})


class Credentials(NamedTuple):
    """Who asks. The secrets do not show themselves."""

    access_key: str
    secret_key: Secret
    session_token: Secret | None = None


def find_credentials(env: Mapping[str, str] = os.environ) -> Credentials:
    """The credentials of the environment, or of the profile in the shared file; read anew each time."""
    access, secret = env.get("AWS_ACCESS_KEY_ID"), env.get("AWS_SECRET_ACCESS_KEY")
    token = env.get("AWS_SESSION_TOKEN")
    if not (access and secret):
        path = Path(env.get("AWS_SHARED_CREDENTIALS_FILE") or "~/.aws/credentials").expanduser()
        parser = configparser.ConfigParser(interpolation=None)
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeDecodeError) as error:
            raise MissingKey(f"The AWS credentials file {path} cannot be read.") from error
        profile = env.get("AWS_PROFILE") or "default"
        section = dict(parser.items(profile)) if parser.has_section(profile) else {}
        access, secret = section.get("aws_access_key_id"), section.get("aws_secret_access_key")
        token = section.get("aws_session_token")
    if not (access and secret):
        raise MissingKey(
            "There are no AWS credentials.",
            hint="Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_BEARER_TOKEN_BEDROCK, or AWS_PROFILE.",
        )
    return Credentials(access, Secret(secret, passing=True), Secret(token, passing=True) if token else None)


def signed_headers(
    method: str,
    url: str,
    headers: Mapping[str, str],
    content: bytes,
    *,
    credentials: Credentials,
    region: str,
    service: str,
    moment: datetime | None = None,
) -> dict[str, str]:
    """`headers` with the date, the token and the signature of this request added."""
    moment = moment or datetime.now(UTC)
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    day = stamp[:8]
    parts = urlsplit(url)
    out = {name.lower(): value for name, value in headers.items()}
    out["host"] = parts.netloc
    out["x-amz-date"] = stamp
    if credentials.session_token is not None:
        out["x-amz-security-token"] = credentials.session_token.reveal()
    names = sorted(name for name in out if name not in _UNSIGNED)
    signed = ";".join(names)
    # Outside of S3 every part of the path is escaped once more.
    path = "/".join(quote(part, safe="-_.~") for part in (parts.path or "/").split("/"))
    pairs = sorted((quote(k, safe="-_.~"), quote(v, safe="-_.~")) for k, v in parse_qsl(parts.query, True))
    query = "&".join(f"{name}={value}" for name, value in pairs)
    lines = "".join(f"{name}:{' '.join(out[name].split())}\n" for name in names)
    digest = hashlib.sha256(content).hexdigest()
    canonical = f"{method}\n{path}\n{query}\n{lines}\n{signed}\n{digest}"
    scope = f"{day}/{region}/{service}/aws4_request"
    to_sign = f"{_ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = f"AWS4{credentials.secret_key.reveal()}".encode()
    for step in (day, region, service, "aws4_request"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    out["authorization"] = (
        f"{_ALGORITHM} Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"
    )
    return out
