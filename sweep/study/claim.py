"""Whose studies these are: sweeps of one name may meet in one database, and only an identity tells them apart.

A sweep writes its identity and place into each of its studies when it creates them. Before anything is written, and
whenever a study is opened, they are compared with the plan's. Reads the tables directly: opening a database through
Optuna would create them.
"""

import json
from collections import defaultdict
from typing import Any, NamedTuple

import sqlalchemy

from sweep.core.addresses import hide_password
from sweep.core.jobs import PHASES
from sweep.core.next_command import command_line
from sweep.plan.plan import Plan
from sweep.study.database import database_url, sqlite_file
from trainables.base.errors import UserError

IDENTITY = "speech_sweep.identity"  # the study attributes of a claim
OUTPUT = "speech_sweep.output"

_QUERY = sqlalchemy.text(
    "SELECT studies.study_name, attributes.key, attributes.value_json, "
    "EXISTS (SELECT 1 FROM trials WHERE trials.study_id = studies.study_id) FROM studies "
    "LEFT JOIN study_user_attributes AS attributes "
    "ON attributes.study_id = studies.study_id AND attributes.key IN (:identity, :output) "
    "WHERE substr(studies.study_name, 1, :length) = :beginning"
)


class Claim(NamedTuple):
    """Whose a study is; both empty where a version without identities, or another program, created it."""

    identity: str = ""
    output: str = ""

    @staticmethod
    def of(attributes: dict[str, Any]) -> "Claim":
        return Claim(str(attributes.get(IDENTITY) or ""), str(attributes.get(OUTPUT) or ""))


def claim_of(plan: Plan) -> dict[str, str]:
    """The attributes of the plan's studies; none for a sweep without an identity."""
    return {IDENTITY: plan.identity, OUTPUT: plan.output} if plan.identity else {}


def foreign_claim(plan: Plan) -> Claim | None:
    """Of another sweep of this name in the plan's study database; None if there is none. Writes nothing.

    Raises SQLAlchemy's errors where the database cannot be asked, `UserError` for a malformed address.
    """
    url = database_url(plan.study_uri)
    file = sqlite_file(url)
    if file is not None and not file.exists():  # connecting would create it
        return None
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        return foreign_in(connection, plan)


def foreign_in(connection: sqlalchemy.Connection, plan: Plan) -> Claim | None:
    """As `foreign_claim`, in a database that is open."""
    if not sqlalchemy.inspect(connection).has_table("study_user_attributes"):
        return None
    beginning = f"{plan.name}/"
    names = {"identity": IDENTITY, "output": OUTPUT, "beginning": beginning, "length": len(beginning)}
    attributes: defaultdict[str, dict[str, Any]] = defaultdict(dict)
    for study, key, value, has_trials in connection.execute(_QUERY, names):
        group, _, phase = study.removeprefix(beginning).partition("/")
        if group and phase in PHASES and (key or has_trials):  # else its creator died before it had claimed it
            attributes[study].update({key: json.loads(value)} if key else {})
    found = (Claim.of(of_study) for of_study in attributes.values())
    return next((claim for claim in found if claim.identity != plan.identity), None)


def taken(plan: Plan, claim: Claim, where: str) -> UserError:
    """The name is another sweep's, `where`: what was found, and what to do."""
    belongs = f"another sweep named {plan.name!r}" + (f", of {claim.output}" if claim.output else "")
    remedy = "choose another --name"
    if claim.output:
        remedy += f"; if that one is meant, {command_line('run --resume', claim.output)}"
    return UserError(f"{where} holds {belongs}, whose trials are not this sweep's: {remedy}")


def taken_in_study(plan: Plan, claim: Claim) -> UserError:
    return taken(plan, claim, f"the study database {hide_password(plan.study_uri)}")
