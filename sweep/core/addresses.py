"""Addresses of studies and MLflow: which are allowed, and how one is shown without its password.

Passwords are never written: they come from flags and environment at every start. A stored address has *** in place
of its password, so two addresses are the same place if they agree once both are hidden.
"""

import argparse
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from trainables.base.errors import UserError

HIDDEN = "***"
VARIABLES = {"study_uri": "SPEECH_SWEEP_STUDY_URI", "tracking_uri": "MLFLOW_TRACKING_URI"}
_DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
_SERVERS = ("http", "https")
_STUDY_SCHEMES = ("sqlite", "postgresql", "postgresql+psycopg2")
_SQLITE = "sqlite:///"
_NOT_AS_THEY_ARE = re.compile(r"[%?#&*\x00-\x1f\x7f]")  # in an address they mean something else than in a path


def sqlite_uri(file: Path) -> str:
    """The address that SQLAlchemy (from 2.1), Optuna and MLflow all read as exactly this file."""
    return _SQLITE + _NOT_AS_THEY_ARE.sub(lambda found: quote(found[0]), str(file))


def sqlite_path(uri: str) -> Path | None:
    """The file of an SQLite address, read as SQLAlchemy does; None for other databases and servers."""
    named = uri.removeprefix(_SQLITE).partition("?")[0]
    return Path(unquote(named)) if uri.startswith(_SQLITE) and named else None


def absolute_uri(uri: str, folder: Path) -> str:
    """An SQLite file by its absolute path, which starts from `folder`; other addresses as they are."""
    file = sqlite_path(uri)
    return uri if file is None else sqlite_uri(folder / file)


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
    _refuse_options(uri, setting)
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
    _refuse_options(uri, setting)
    try:
        scheme = urlsplit(uri).scheme
        usable = scheme in _STUDY_SCHEMES and (scheme != "sqlite" or sqlite_path(uri) is not None)
    except ValueError:  # brackets that are not an IPv6 address
        usable = False
    if not usable:
        raise UserError(
            f"{setting} {hide_password(uri)!r} cannot hold a study: give sqlite:////absolute/study.db or "
            "postgresql://user@host/database"
        )


def _refuse_options(uri: str, setting: str) -> None:
    """Raise `UserError` for an SQLite address with a "?": what follows it would be cut off the file's name."""
    if uri.startswith(_SQLITE) and "?" in uri:
        raise UserError(
            f"{setting} {uri!r}: a ? begins options, which an SQLite file takes none of here; in a path, write it as "
            "%3F (and % as %25)"
        )
