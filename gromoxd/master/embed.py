"""Fill a new embedded site: configuration, certificate, directory with its domain and users. Run by `site.prepare`.

A process of its own, because it imports SQLAlchemy and cryptography, which the master and its workers' shared pages
should not carry. On a site that is there already it only upgrades the directory.
"""

from __future__ import annotations

import datetime
import ipaddress
import json
import secrets
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gromoxd.config import Config
from gromoxd.directory import schema
from gromoxd.directory.admin import Admin
from gromoxd.directory.database import make_engine
from gromoxd.directory.settings import DatabaseSettings, DirectorySettings
from gromoxd.master.site import passwords, write_private

DOMAIN = "example.test"
USERS = ("alice", "bob")
CERTIFICATE_DAYS = 3650
CONFIGURATION = {
    "gromox.cfg": (
        "# The embedded site. All directives: conf/*.cfg of the source, or PREFIX/share/gromoxd/conf.\n"
        "running_identity=\n"
        "tls_certificate_path={site}/tls/certificate.pem\n"
        "tls_private_key_path={site}/tls/key.pem\n"
    ),
    "smtp.cfg": "lda_listen_tls=\n",
}


def make_certificate(folder: Path) -> None:
    """A self-signed certificate for this machine's loopback names; the key is readable by its owner alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names: list[x509.GeneralName] = [x509.DNSName(n) for n in ("localhost", DOMAIN, f"mail.{DOMAIN}")]
    names += [x509.IPAddress(ipaddress.ip_address(a)) for a in ("127.0.0.1", "::1")]
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=CERTIFICATE_DAYS))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    write_private(folder / "key.pem", pem.decode())
    write_private(folder / "certificate.pem", certificate.public_bytes(serialization.Encoding.PEM).decode())


def write_configuration(site: Path) -> None:
    """The files that are not there yet; what a person changed stays."""
    for name, text in CONFIGURATION.items():
        path = site / "conf" / name
        if not path.exists():
            write_private(path, text.format(site=site))


def settings_of(site: Path) -> tuple[DatabaseSettings, DirectorySettings]:
    """The directory's settings as the site's configuration has them."""
    config = Config.load(str(site / "conf"))
    return config.get(DatabaseSettings), config.get(DirectorySettings)


def fill_directory(site: Path, users: dict[str, str]) -> None:
    """Create or upgrade the directory, and make what is missing of the domain and these users (address -> password)."""
    database, directory = settings_of(site)
    engine = make_engine(database, str(site))
    with engine.connect() as connection:
        is_new = schema.version(connection) is None
    if is_new:
        schema.create(engine)
    else:
        schema.upgrade(engine)
    admin = Admin(engine, str(site / directory.mailbox_path))
    if users and DOMAIN not in {domain["name"] for domain in admin.domains()}:
        admin.add_domain(DOMAIN)
    known = {user["name"] for user in admin.users()}
    for address in users.keys() - known:
        admin.add_user(address, password=users[address], display_name=address.partition("@")[0].title())


def main(folder: str) -> None:
    """Make the site in `folder`, or finish making it; of one that is complete only upgrade the directory."""
    site = Path(folder)
    if (site / "conf" / "made-by").exists():
        fill_directory(site, {})
        return
    users = passwords(site) or {f"{user}@{DOMAIN}": secrets.token_urlsafe(12) for user in USERS}
    write_private(site / "conf" / "users.json", json.dumps(users, indent=2) + "\n")
    if not (site / "tls" / "certificate.pem").exists():
        make_certificate(site / "tls")
    write_configuration(site)
    fill_directory(site, users)


if __name__ == "__main__":
    main(sys.argv[1])
