"""Certificates for the links between sites: one authority per deployment, one certificate per site.

Made here, not by hand, so that the names are the ones that the relays verify. EC P-256; a site's certificate and key
lie in one file, as HAProxy reads them.
"""

import datetime
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from opensdrs.domain.ids import SiteName
from opensdrs.sites.qemu.settings import relay_name

VALIDITY_DAYS = 3650  # a private authority; renewing means making both anew
_CLOCK_SKEW = datetime.timedelta(hours=1)  # sites' clocks differ: do not be "not yet valid" at the other one


@dataclass(frozen=True, slots=True)
class Authority:
    """A deployment's certificate authority."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def write(self, folder: Path) -> Path:
        """Write `ca.pem` (for every site) and `ca.key` (keep it off the sites); return the path of `ca.pem`."""
        path = folder / "ca.pem"
        _write(path, self.certificate.public_bytes(serialization.Encoding.PEM))
        _write(folder / "ca.key", _key_pem(self.key))
        return path


def create_authority() -> Authority:
    """Make a new authority with a key of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OpenSDRS link authority")])
    certificate = (
        _builder(name, name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate=certificate, key=key)


def read_authority(folder: Path) -> Authority:
    """Read what `Authority.write` wrote. Raises: FileNotFoundError, ValueError."""
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{folder / 'ca.key'} does not hold an EC key")
    return Authority(certificate=x509.load_pem_x509_certificate((folder / "ca.pem").read_bytes()), key=key)


def write_site_bundle(authority: Authority, site: SiteName, path: Path, hosts: Iterable[str] = ()) -> None:
    """Make a certificate for a site and write it with its key to `path`, readable by the owner only.

    `hosts`: further names or addresses that it is valid for, for example those of the agent's own server.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, relay_name(site))])
    # HAProxy verifies the name it asked for (SNI), which has a label in front for each replica: hence the wildcard.
    relay_names = [relay_name(site), f"*.{relay_name(site)}"]
    names = [*(x509.DNSName(each) for each in relay_names), *(_general_name(host) for host in hosts)]
    certificate = (
        _builder(name, authority.certificate.subject, key)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    _write(path, certificate.public_bytes(serialization.Encoding.PEM) + _key_pem(key))


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + datetime.timedelta(days=VALIDITY_DAYS))
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    draft.replace(path)
