"""How every job of a sweep ended, in one question to its study's database.

`StudyStore` reads whole trials through Optuna, which takes a second for every thousand of them. A live view asks
every few seconds, so it reads three columns of Optuna's own tables instead; a test holds the two together.
"""

import json
from dataclasses import dataclass

import sqlalchemy

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from sweep.study.database import database_url

_QUESTION = sqlalchemy.text(
    "SELECT attributes.value_json, trials.state, scores.value FROM studies "
    "JOIN trials USING (study_id) "
    "JOIN trial_user_attributes AS attributes ON attributes.trial_id = trials.trial_id AND attributes.key = 'job' "
    "LEFT JOIN trial_values AS scores ON scores.trial_id = trials.trial_id "
    "WHERE studies.study_name IN :names ORDER BY trials.trial_id"
).bindparams(sqlalchemy.bindparam("names", expanding=True))

_STATES = {"RUNNING": "running", "COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


@dataclass(frozen=True)
class Outcome:
    """A job so far; `score` is None until it is complete."""

    job: Job
    state: str  # "running", "complete", "pruned", "failed"
    score: float | None


def outcomes(plan: Plan) -> list[Outcome]:
    """Of every job that was handed out, in that order; none before the study has its tables.

    The plan's study address must be whole (see `stored_sweep.with_study_password`).
    """
    names = [f"{plan.name}/{group.name}/{phase}" for group in plan.groups for phase in ("search", "final")]
    engine = sqlalchemy.create_engine(database_url(plan.study_uri), poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        if not sqlalchemy.inspect(connection).has_table("trial_values"):
            return []
        found = connection.execute(_QUESTION, {"names": names}).all()
    return [Outcome(Job.parse(json.loads(job)), _STATES[str(state)], score) for job, state, score in found]
