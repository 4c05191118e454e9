"""Whether a corpus has what a plan's method asks of it: known from its summary, before anything starts."""

from typing import Any

from sweep.plan.plan import Plan
from trainables.base.errors import UserError

_SEPARATION, _CONTRASTIVE = "separation", "contrastive_se"


def require_fit(plan: Plan) -> None:
    """Raise `UserError` where the jobs of this plan could not draw their mixtures from this corpus."""
    summary, method = plan.corpus_summary, plan.method_name()
    kind = summary.get("kind")
    named = f"--corpus {plan.corpus_source}"
    if method == _SEPARATION:
        _require_voices(plan, summary, named)
    elif kind == "mixtures":
        raise UserError(
            f"{named} holds mixtures of several speakers, and space {plan.space} is about one voice in noise: give a "
            "corpus of speech/ and noise/, or choose a space on separation"
        )
    if method == _CONTRASTIVE and kind == "paired":
        raise UserError(
            f"{named} holds pairs of clean and noisy recordings, and space {plan.space} puts one clean crop into "
            "several noises: give a corpus that has speech/ and noise/ apart"
        )


def _require_voices(plan: Plan, summary: dict[str, Any], named: str) -> None:
    """A mixture takes different speakers; stored mixtures bring their own."""
    if summary.get("kind") == "mixtures":
        return
    needed = _speakers_of_a_mixture(plan)
    for split, counts in summary.get("splits", {}).items():
        if counts.get("speakers", needed) < needed:
            raise UserError(
                f"{named}: split {split!r} has {counts['speakers']} speaker, and a mixture needs {needed} different "
                "ones: add recordings of others to it"
            )


def _speakers_of_a_mixture(plan: Plan) -> int:
    job = plan.search_jobs(plan.groups[0].name)[0]
    candidate = plan.candidate(job.group, job.candidate)
    anchor = plan.space_object().anchor(plan.groups[0].group, candidate, plan.preset_object())
    return plan.assignment(job, anchor, attempt=1).data.speakers
