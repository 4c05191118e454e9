"""Addresses of studies and MLflow: which are allowed, and how one is shown without its password.

Passwords are never written: they come from flags and environment at every start. A stored address has *** in place
of its password, so two addresses are the same place if they agree once both are hidden.
"""

import argparse
import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from trainables.base.errors import UserError

HIDDEN = "***"
VARIABLES = {"study_uri": "SPEECH_SWEEP_STUDY_URI", "tracking_uri": "MLFLOW_TRACKING_URI"}
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SERVERS = ("http", "https")
_STUDY_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg2")


def hide_password(text: str, secret_uri: str = "") -> str:
    """An address, or text that may hold addresses, with *** for every password.

    Of a web address the user goes too, since it may be a token. The password of `secret_uri` is hidden wherever
    it stands, also outside an address.
    """
    password = urlsplit(secret_uri).password
    if password:
        text = text.replace(password, HIDDEN)
    text = re.sub(r"(https?://)\S*@", rf"\1{HIDDEN}@", text)
    text = re.sub(r"(://[^:/@\s]*):.*@", rf"\1:{HIDDEN}@", text)  # a raw password may hold / and @
    return re.sub(r"([?&][a-z]*password=)[^&\s]*", rf"\1{HIDDEN}", text)


def known_secrets(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """The addresses that this start's flags and environment give, by field."""
    given = {name: getattr(arguments, name, None) or environ.get(variable) for name, variable in VARIABLES.items()}
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
                f"sweep {sweep!r} uses {uri}, whose password is not stored: give {flag} or {VARIABLES[name]} "
                "with it again"
            )
        whole[name] = given
    return whole


def is_server(uri: str) -> bool:
    return urlsplit(uri).scheme in _SERVERS


def check_tracking_uri(uri: str, setting: str = "tracking URI") -> None:
    """Raise `UserError` unless `uri` is a database or a server: file stores lose metrics under concurrency.

    `setting` is where it came from: a flag or a variable.
    """
    try:
        scheme = urlsplit(uri).scheme.split("+")[0]
    except ValueError:  # brackets that are not an IPv6 address
        raise UserError(f"{setting} {uri!r} is not an address: check its brackets") from None
    if scheme not in (*_DATABASES, *_SERVERS):
        raise UserError(
            f"{setting} {hide_password(uri)!r}: MLflow file stores (./mlruns) are not supported; "
            "give sqlite:///path/mlflow.db, postgresql://... or http(s)://..."
        )


def check_study_uri(uri: str, setting: str) -> None:
    """Raise `UserError` unless it names an SQLite file or a PostgreSQL database; `setting` is where it came from."""
    try:
        parts = urlsplit(uri)
        usable = parts.scheme in _STUDY_SCHEMES and (parts.scheme != "sqlite" or len(parts.path) > 1)
    except ValueError:  # brackets that are not an IPv6 address
        usable = False
    if not usable:
        raise UserError(
            f"{setting} {hide_password(uri)!r} cannot hold a study: give sqlite:////absolute/study.db or "
            "postgresql://user@host/database"
        )
