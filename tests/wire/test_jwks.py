"""Tokens signed by an issuer on this machine, whose keys are fetched, kept, rotated and withdrawn."""

import http.server
import json
import threading
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

from mastra.server.auth import Jwt


class Issuer:
    """An issuer on this machine: it signs tokens and publishes its keys."""

    def __init__(self):
        self.keys: dict[str, Any] = {}
        self.asked = 0
        self.url = ""

    def add(self, kid):
        self.keys[kid] = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    def jwks(self):
        made = [json.loads(RSAAlgorithm.to_jwk(key.public_key())) for key in self.keys.values()]
        return {"keys": [{**one, "kid": kid, "use": "sig"} for kid, one in zip(self.keys, made, strict=True)]}

    def token(self, kid, *, key=None, algorithm="RS256", **claims):
        now = int(time.time())
        told = {"sub": "ada", "iss": "https://issuer", "aud": "mastra", "exp": now + 60, **claims}
        return jwt.encode(told, key or self.keys[kid], algorithm=algorithm, headers={"kid": kid})


@pytest.fixture
def issuer():
    made = Issuer()
    made.add("one")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            made.asked += 1
            body = json.dumps(made.jwks()).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/jwks"
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


async def test_keys_are_fetched_from_the_issuer_kept_and_rotated(issuer):
    auth = Jwt(jwks_url=issuer.url, issuer="https://issuer", audience="mastra")
    for _ in range(3):
        found = await auth.authenticate(issuer.token("one"))
        assert found is not None
        assert found.id == "ada"
    assert issuer.asked == 1
    issuer.add("two")
    # Unknown key ids, which anybody can send, do not make us ask again and again.
    assert await auth.authenticate(issuer.token("two")) is None
    assert issuer.asked == 1
    client = auth._jwks
    assert client is not None
    client.cooldown_duration = 0
    assert await auth.authenticate(issuer.token("two")) is not None
    assert issuer.asked == 2


async def test_a_key_that_the_issuer_has_withdrawn_is_refused_once_the_keys_are_fetched_again(issuer):
    auth = Jwt(jwks_url=issuer.url, issuer="https://issuer", audience="mastra")
    token = issuer.token("one")
    assert await auth.authenticate(token) is not None
    del issuer.keys["one"]
    issuer.add("two")
    client = auth._jwks
    assert client is not None
    client.get_jwk_set(refresh=True)  # as it does every ten minutes
    client.cooldown_duration = 0
    assert await auth.authenticate(token) is None


async def test_whatever_does_not_hold_is_refused(issuer):
    auth = Jwt(jwks_url=issuer.url, issuer="https://issuer", audience="mastra")
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    public = json.dumps(issuer.jwks()["keys"][0])
    past = int(time.time()) - 600
    unsigned = jwt.encode({"sub": "ada", "exp": past + 10_000}, "", algorithm="none", headers={"kid": "one"})
    wrong = [
        issuer.token("one", key=stranger),
        issuer.token("one", exp=past),
        issuer.token("one", iss="https://somebody"),
        issuer.token("one", aud="other"),
        issuer.token("one", sub=""),
        issuer.token("one", key=public * 2, algorithm="HS256"),  # a published key is no shared secret
        unsigned,
        "a.b.c",
        "...",
        "",
    ]
    for token in wrong:
        assert await auth.authenticate(token) is None, token
    unknown = jwt.encode({"sub": "ada", "exp": past + 10_000}, stranger, algorithm="RS256", headers={"kid": "nine"})
    assert await auth.authenticate(unknown) is None


async def test_an_issuer_that_cannot_be_reached_lets_nobody_in(issuer):
    auth = Jwt(jwks_url="http://127.0.0.1:9/jwks", issuer="https://issuer", audience="mastra")
    assert await auth.authenticate(issuer.token("one")) is None
