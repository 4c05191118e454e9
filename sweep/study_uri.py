"""Where Optuna's study may be: checked before anything starts, without importing a database's driver."""

from urllib.parse import urlsplit

from sweep.tracking_uri import redact
from trainables.errors import UserError

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
