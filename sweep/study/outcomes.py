"""How every job of a sweep ended, in one query to its study's database.

`StudyStore` reads whole trials through Optuna, a second per thousand trials. A live view refreshes every few seconds,
so it reads three columns of Optuna's tables directly; a test keeps the two consistent.
"""

import json
from dataclasses import dataclass

import sqlalchemy

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.study.claim import foreign_in, taken_in_study
from sweep.study.database import database_url

_QUERY = sqlalchemy.text(
    "SELECT attributes.value_json, trials.state, scores.value FROM studies "
    "JOIN trials USING (study_id) "
    "JOIN trial_user_attributes AS attributes ON attributes.trial_id = trials.trial_id AND attributes.key = 'job' "
    "LEFT JOIN trial_values AS scores ON scores.trial_id = trials.trial_id "
    "WHERE studies.study_name IN :names ORDER BY trials.trial_id"
).bindparams(sqlalchemy.bindparam("names", expanding=True))

_STATES = {"RUNNING": "running", "COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Outcome:
    """The state of a job; `score` is None until it is complete."""

    job: Job
    state: str  # "running", "complete", "pruned", "failed"
    score: float | None


def outcomes(plan: Plan) -> list[Outcome]:
    """One per job handed out, in that order; empty before the study's tables exist.

    The plan's study address must be whole (see `sweep.stored.reading.with_study_password`). Raises `UserError` where
    the studies are another sweep's of this name.
    """
    names = [f"{plan.name}/{group}/{phase}" for group, phase in plan.phases]
    engine = sqlalchemy.create_engine(database_url(plan.study_uri), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        if not sqlalchemy.inspect(connection).has_table("trial_values"):
            return []
        if claim := foreign_in(connection, plan):
            raise taken_in_study(plan, claim)
        found = connection.execute(_QUERY, {"names": names}).all()
    return [Outcome(Job.parse(json.loads(job)), _STATES[str(state)], score) for job, state, score in found]
