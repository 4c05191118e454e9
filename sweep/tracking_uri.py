"""Where MLflow keeps its runs: which addresses are allowed, and how one is shown without its password."""

import re
from urllib.parse import urlsplit

from trainables.errors import UserError

_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SERVERS = ("http", "https")


def check_tracking_uri(uri: str, setting: str = "tracking URI") -> None:
    """Raise UserError unless `uri` is a database or a server: file stores lose metrics under concurrency.

    `setting` is where it came from: a flag or a variable.
    """
    try:
        scheme = urlsplit(uri).scheme.split("+")[0]
    except ValueError:  # brackets that are no IPv6 address
        raise UserError(f"{setting} {uri!r} is no address: check its brackets") from None
    if scheme in _DATABASES or scheme in _SERVERS:
        return
    raise UserError(
        f"{setting} {redact(uri)!r}: MLflow file stores (./mlruns) are not supported; "
        "give sqlite:///path/mlflow.db, postgresql://... or http(s)://..."
    )


def is_server(uri: str) -> bool:
    return urlsplit(uri).scheme in _SERVERS


def redact(text: str, secret_uri: str = "") -> str:
    """`text` with the users and passwords of all addresses, and that of `secret_uri` by itself, as ***."""
    password = urlsplit(secret_uri).password
    if password:
        text = text.replace(password, "***")
    return re.sub(r"://[^/\s@]*@", "://***@", text)
