"""Addresses of studies and MLflow: which are allowed, and how one is shown without its password.

Passwords are written nowhere: they come from flags and environment at every start. A stored address has *** in place
of its password, so two addresses are the same place if they agree so far.
"""

import argparse
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from trainables.base.errors import UserError

HIDDEN = "***"
_FIELDS = {"study_uri": "SPEECH_SWEEP_STUDY_URI", "tracking_uri": "MLFLOW_TRACKING_URI"}


def hide_password(uri: str) -> str:
    """The address without its password; of a web address also without the user, which may be a token."""
    if uri.startswith("http"):
        uri = re.sub(r"://.*@", f"://{HIDDEN}@", uri)
    uri = re.sub(r"(://[^:/@\s]*):.*@", rf"\1:{HIDDEN}@", uri)
    return re.sub(r"([?&][a-z]*password=)[^&\s]*", rf"\1{HIDDEN}", uri)


def known_secrets(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """What this start says each address is."""
    given = {
        name: getattr(arguments, name, None) or environ.get(variable) for name, variable in _FIELDS.items()
    }
    return {name: uri for name, uri in given.items() if uri}


def restore_secrets(sweep: str, stored: Mapping[str, str], known: Mapping[str, str]) -> dict[str, str]:
    """The stored addresses of a sweep by field (study_uri, tracking_uri), with their passwords.

    Raises `UserError`, naming flag and variable, where a password is not given.
    """
    whole = dict(stored)
    for name, uri in stored.items():
        if HIDDEN not in uri:
            continue
        given = known.get(name, "")
        if hide_password(given) != uri:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"sweep {sweep!r} uses {uri}, whose password is not stored: give {flag} or {_FIELDS[name]} "
                "with it again"
            )
        whole[name] = given
    return whole


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


_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg2")


def check_study_uri(uri: str, setting: str) -> None:
    """Raise `UserError` unless it names an SQLite file or a PostgreSQL database; `setting` is where it came from."""
    try:
        parts = urlsplit(uri)
        usable = parts.scheme in _SCHEMES and (parts.scheme != "sqlite" or len(parts.path) > 1)
    except ValueError:  # brackets that are no IPv6 address
        usable = False
    if not usable:
        raise UserError(
            f"{setting} {redact(uri)!r} is no place for a study: give sqlite:////absolute/study.db or "
            "postgresql://user@host/database"
        )
