"""Whether a corpus has what a plan's jobs need: known from its summary, before anything starts."""

from typing import Any

from sweep.core.jobs import Job
from sweep.plan.plan import Plan
from trainables.base.errors import UserError


def require_fit(plan: Plan) -> None:
    """Raise `UserError` where the jobs of this plan could not draw their mixtures from this corpus."""
    summary, kind = plan.corpus_summary, plan.corpus_summary.get("kind", "")
    named = f"--corpus {plan.corpus_source}"
    _require_the_same_clips(plan)
    group = plan.groups[0].name
    speakers = plan.typical_config(group).data_settings(plan.data_of(group)).speakers
    if speakers > 1:
        for split, counts in summary.get("splits", {}).items() if kind != "mixtures" else ():
            if counts.get("speakers", speakers) < speakers:
                raise UserError(
                    f"{named}: split {split!r} has {counts['speakers']} speaker, and a mixture needs {speakers} "
                    "different ones: add recordings of others to it"
                )
    elif kind == "mixtures":
        raise UserError(
            f"{named} holds mixtures of several speakers, and space {plan.space} is about one voice in noise: give a "
            "corpus of speech/ and noise/, or choose a space on separation"
        )
    _require_kind(plan, named, kind)
    for planned in plan.groups:
        for candidate in planned.candidates:
            plan.first_config(planned, candidate).require_corpus(summary, plan.data_of(planned.name))
    if plan.pretraining_corpus_source:
        _require_fit_for_pretraining(plan, separates=speakers > 1)


def _require_the_same_clips(plan: Plan) -> None:
    """Candidates are compared clip by clip, so all of a group must be given the same."""
    for group in plan.groups:
        for name in ("speakers", "sample_rate"):
            found: dict[Any, str] = {}
            for candidate in group.candidates:
                data = plan.first_config(group, candidate).data_settings(plan.data_of(group.name))
                found.setdefault(getattr(data, name), candidate.label)
            if len(found) > 1:
                listed = ", ".join(f"{value} ({label})" for value, label in found.items())
                raise UserError(f"space {plan.space}, {group.name}: candidates differ in {name}: {listed}; give one")


def _require_fit_for_pretraining(plan: Plan, separates: bool) -> None:
    """Single voices are drawn from it, of which mixtures hold some where a separator is pre-trained."""
    named = f"--pretraining-corpus {plan.pretraining_corpus_source}"
    kind = plan.pretraining_corpus_summary.get("kind", "")
    second = any(
        plan.assignment(
            Job(group.name, "search", candidate.label, 0), plan.anchor(group, candidate), attempt=1
        ).pretraining_corpus_uri
        for group in plan.groups
        for candidate in group.candidates
    )
    if not second and not any(stage.pretrains for stage in plan.stages()):
        raise UserError(f"{named}: no job of this plan is pre-trained here; leave it out")
    if kind == "mixtures" and not separates:
        raise UserError(f"{named} holds mixtures of several speakers; give a corpus of speech/ and noise/")
    _require_kind(plan, named, kind)


def _require_kind(plan: Plan, named: str, kind: str) -> None:
    for name, info in plan.methods().items():
        if why := info.refuses.get(kind):
            remedy = f", or choose a space without candidates of {name}" if plan.mixed else ""
            raise UserError(f"{named} {why.format(space=f'space {plan.space}')}{remedy}")
