"""Whether a corpus has what a plan's jobs need: known from its summary, before anything starts."""

from typing import Any

from sweep.plan.plan import Plan
from trainables.base.errors import UserError


def require_fit(plan: Plan) -> None:
    """Raise `UserError` where the jobs of this plan could not draw their mixtures from this corpus."""
    summary, kind = plan.corpus_summary, plan.corpus_summary.get("kind", "")
    named = f"--corpus {plan.corpus_source}"
    speakers = _speakers_of_a_mixture(plan)
    if speakers > 1:
        _require_voices(speakers, summary, named)
    elif kind == "mixtures":
        raise UserError(
            f"{named} holds mixtures of several speakers, and space {plan.space} is about one voice in noise: give a "
            "corpus of speech/ and noise/, or choose a space on separation"
        )
    why = plan.method_info().refuses.get(kind)
    if why:
        raise UserError(f"{named} {why.format(space=f'space {plan.space}')}")


def _require_voices(needed: int, summary: dict[str, Any], named: str) -> None:
    """A mixture takes different speakers; stored mixtures bring their own."""
    if summary.get("kind") == "mixtures":
        return
    for split, counts in summary.get("splits", {}).items():
        if counts.get("speakers", needed) < needed:
            raise UserError(
                f"{named}: split {split!r} has {counts['speakers']} speaker, and a mixture needs {needed} different "
                "ones: add recordings of others to it"
            )


def _speakers_of_a_mixture(plan: Plan) -> int:
    group = plan.groups[0].name
    return plan.typical_config(group).data_settings(plan.data_of(group)).speakers
