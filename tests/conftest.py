"""What every test gets: no keys in the environment, no network but this machine, one Hypothesis profile."""

from __future__ import annotations

import datetime as dt
import ipaddress
import os
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("mastra", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("mastra")

_KEY_ENDINGS = ("_API_KEY", "_AUTH_TOKEN", "_SECRET_KEY")


def _refuse_foreign_network(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if not isinstance(address, tuple):
        return  # a Unix socket
    host = str(address[0])
    if host in {"localhost", ""}:
        return
    try:
        parsed = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        raise PermissionError(f"A test tried to reach {host!r}; tests stay on this machine.") from None
    if not (parsed.is_loopback or parsed.is_unspecified or parsed.is_private or parsed.is_link_local):
        raise PermissionError(f"A test tried to reach {host}; tests stay on this machine.")


sys.addaudithook(_refuse_foreign_network)


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key in a developer's shell must not turn a test into a paid call."""
    for name in list(os.environ):
        if name.endswith(_KEY_ENDINGS):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate authority (`ca.pem`) and a server's certificate and key for 127.0.0.1."""
    pytest.importorskip("cryptography", reason="makes the certificates of these tests")
    from cryptography import x509  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - an extra
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - an extra
    from cryptography.x509.oid import NameOID  # noqa: PLC0415 - an extra

    folder = tmp_path_factory.mktemp("authority")
    now = dt.datetime.now(dt.UTC)

    def named(name: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])

    def signed(subject: str, key: Any, issuer_key: Any, *extensions: Any) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder(named("test authority"), named(subject), key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension in extensions:
            builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
        return builder.sign(issuer_key, hashes.SHA256())

    pem = serialization.Encoding.PEM
    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    ca_identifier = x509.SubjectKeyIdentifier.from_public_key(ca_key.public_key())
    root = signed("test authority", ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=None), ca_identifier)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    by = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(ca_identifier)
    leaf = signed("localhost", key, ca_key, names, by)
    (folder / "ca.pem").write_bytes(root.public_bytes(pem))
    (folder / "server.pem").write_bytes(leaf.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(private)
    return folder
