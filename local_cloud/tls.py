"""The certificate authority of one local cloud, and the certificate that its server shows."""

import hashlib
import shutil
import ssl
from dataclasses import dataclass
from pathlib import Path

import trustme
from cryptography import x509

_NAMES = ("127.0.0.1", "localhost")


@dataclass(frozen=True)
class Certificate:
    """Where the files are.

    Attributes:
        ca: what clients trust; the authority's own key is kept nowhere, so it can sign nothing else.
        ca_folder: the same as a folder of certificates by OpenSSL's names, for clients whose file is settled by the
            environment (GIT_SSL_CAINFO goes before git's configuration).
        server: the server's key and certificate, readable by their owner alone.
    """

    ca: Path
    ca_folder: Path
    server: Path


def certificate(folder: Path) -> Certificate:
    """The certificate in that folder, made when there is none that can be read."""
    found = Certificate(folder / "ca.pem", folder / "trusted", folder / "server.pem")
    if not _is_usable(found):
        shutil.rmtree(folder, ignore_errors=True)
        found.ca_folder.mkdir(parents=True)
        authority = trustme.CA(organization_name="local cloud")
        issued = authority.issue_cert(*_NAMES)
        found.server.touch(mode=0o600)
        issued.private_key_and_cert_chain_pem.write_to_path(str(found.server))
        authority.cert_pem.write_to_path(str(found.ca_folder / _openssl_name(authority.cert_pem.bytes())))
        authority.cert_pem.write_to_path(str(found.ca))
    return found


def _is_usable(found: Certificate) -> bool:
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(found.server)
        ssl.create_default_context(cafile=found.ca)
    except OSError:  # absent or damaged: ssl's errors are OSErrors too
        return False
    return True


def _openssl_name(certificate_pem: bytes) -> str:
    """The name under which OpenSSL looks for a certificate in a folder.

    It is a hash of the subject in lower case, without the outermost header (openssl-rehash(1), X509_NAME_hash).
    """
    subject = x509.load_pem_x509_certificate(certificate_pem).subject
    canonical = x509.Name([x509.NameAttribute(part.oid, str(part.value).lower()) for part in subject]).public_bytes()
    header_bytes = 2 if canonical[1] < 0x80 else 2 + (canonical[1] & 0x7F)
    digest = hashlib.sha1(canonical[header_bytes:], usedforsecurity=False).digest()
    return f"{int.from_bytes(digest[:4], 'little'):08x}.0"
