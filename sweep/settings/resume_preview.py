"""What a dry run of a resume adds to the plan: how much is done, and whether an extension would be refused."""

from typing import TYPE_CHECKING

from sweep.plan.plan import Plan
from sweep.settings.extension import refuse_dishonest
from sweep.settings.settings import Planned
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

if TYPE_CHECKING:
    from sweep.study.study import StudyStore


def preview(planned: Planned) -> list[str]:
    """Nothing for a new sweep. Raises `UserError` if the start itself would refuse the extension."""
    if planned.stored is None:
        return []
    study, problem = _study(planned.stored)
    refuse_dishonest(planned.stored, planned.plan, study, Storage(planned.plan.output))
    if study is None:
        return [f"done       not known, nor whether more could be added: {problem}"]
    return [f"done       {_ended(planned.plan, study)} of these jobs; cost, time and disk are those of all"]


def _study(plan: Plan) -> tuple["StudyStore | None", str]:
    """The study, or the reason why it cannot be opened here."""
    from sweep.stored.reading import open_study  # imports optuna

    try:
        return open_study(plan), ""
    except UserError as error:
        return None, str(error)


def _ended(plan: Plan, study: "StudyStore") -> int:
    return sum(record.ended for record in study.all_records(plan))
