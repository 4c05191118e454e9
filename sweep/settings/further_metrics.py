"""`--also METRIC,METRIC=PLACE`: the further metrics of a sweep, and the models that some of them need."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from search_spaces.space import Space
from sweep.plan.plan import Plan
from trainables.base.errors import UserError
from trainables.base.plugins import load
from trainables.base.published.files import require_reachable
from trainables.base.published.source import identity, is_local, located, require_known_form
from trainables.metrics.catalogue import (
    IMPROVEMENTS,
    METRICS,
    known_metrics,
    require_installed,
    with_shared_models,
)


class Further(NamedTuple):
    """What a sweep is scored by next to what its space names anyway."""

    names: tuple[str, ...]
    models: dict[str, str]  # metric -> place, for all that need a model


def further_metrics(text: str, space: Space, folder: Path) -> Further:
    """The metrics of `--also`, each once, without those that the space computes anyway; paths start from `folder`.

    Raises UserError for an unknown metric, and where a model is missing, not needed or of no known form.
    """
    listed = [item.strip().partition("=") for item in text.split(",") if item.strip()]
    names = [name.strip() for name, _, _ in listed]
    known_metrics(names)
    models: dict[str, str] = {}
    for name, (_, equals, place) in zip(names, listed, strict=True):
        if not equals:
            continue
        setting = f"--also {name}="
        if not place.strip():
            raise UserError(f"{setting} is empty: name {METRICS[name].model or 'nothing'} there")
        found = require_known_form(located(place.strip(), folder, setting), setting)
        if models.setdefault(name, found) != found:
            raise UserError(f"{setting}... is given twice: give it once")
    scored = (*space.scored, *names)
    further = tuple(dict.fromkeys(name for name in names if name not in space.scored))
    return Further(further, with_shared_models(scored, models))


def with_references(plan: Plan) -> Plan:
    """The plan with error rates against transcripts, or, where these do not serve, the recogniser's own readings.

    One kind for all clips of the test set, so that a column never mixes two. Before the corpus is prepared nothing is
    known and nothing changed. Raises UserError where the space itself names a metric that needs transcripts.
    """
    problem = _no_transcripts(plan)
    others = {name: METRICS[name].untranscribed for name in plan.scored if METRICS[name].untranscribed}
    if not problem or not others:
        return plan
    for name in others.keys() & set(plan.space_object().scored):
        raise UserError(f"space {plan.space} is scored by {name!r}, but {problem}; let it name {others[name]!r}")
    models = {others.get(name, name): place for name, place in plan.models.items()}
    models |= {name: place for name, place in plan.models.items() if name not in others}
    keys = {f"metric {name}": f"metric {other}" for name, other in others.items()}
    weights = {keys.get(name, name): value for name, value in plan.weights.items()}
    also = tuple(dict.fromkeys(others.get(name, name) for name in plan.also))
    return replace(plan, also=also, models=models, weights=weights)


def repeats(further: Further, plan: Plan) -> bool:
    """Whether the plan has these already, under the names that `with_references` gave them."""
    same = {name: METRICS[name].untranscribed for name in further.names if name not in plan.also}
    names = {same.get(name, name) for name in further.names}
    models = {same.get(name, name): place for name, place in further.models.items()}
    return names <= set(plan.also) and models.items() <= plan.models.items()


def own_readings(plan: Plan) -> list[str]:
    """A line for each error rate that has no transcripts to go by."""
    problem = _no_transcripts(plan)
    stand_ins = {info.untranscribed for info in METRICS.usable().values()}
    named = [METRICS[name].title for name in plan.also if name in stand_ins and problem]
    return [f"{title}: {problem}; the reference is the recogniser's reading of the clean clip" for title in named]


def _no_transcripts(plan: Plan) -> str:
    """Why transcripts cannot serve as references on test; "" where they can, and while nothing is known."""
    summary, data = plan.corpus_summary, plan.data
    counts = summary.get("splits", {}).get(data.source_split("test"))
    if counts is None:
        return ""
    known, utterances = counts.get("transcribed", 0), counts.get("utterances", 0)
    longest, cut = counts.get("longest_seconds", 0.0), data.evaluation_clip_seconds
    if _separates(plan):
        return "mixtures of voices are cut to the shortest, so that no transcript fits"
    if known < utterances:
        return f"{known or 'none'} of the {utterances} test utterances {'has' if known == 1 else 'have'} a transcript"
    if longest > cut:
        return f"test utterances of up to {longest:.1f} s are cut to {cut:g} s, which no transcript fits"
    return ""


def check_further_metrics(plan: Plan) -> None:
    """Installed, defined at the sample rate of the jobs, with models that are there.

    Raises UserError, also for a deciding metric that needs a model: jobs are scored by it while they train.
    """
    from trainables.metrics.scorer import Scorer

    if METRICS[plan.metric].model:
        raise UserError(
            f"metric {plan.metric!r} needs a model, so it cannot decide: let space {plan.space} decide by another "
            f"one and give --also {plan.metric}=PLACE for a column and a verdict of its own"
        )
    _check_measured(plan)
    require_installed((*plan.also, *plan.models))
    further = [name for name in (*plan.also, *plan.models) if not METRICS[name].measured]
    basic = [IMPROVEMENTS.get(name, name) if _separates(plan) else name for name in further]
    for group in plan.groups:
        job = plan.search_jobs(group.name)[0]
        anchor = plan.anchor(group, plan.candidate(group.name, job.candidate))
        Scorer(basic, plan.assignment(job, anchor, attempt=1).data.sample_rate, models=plan.models)
    for name, place in plan.models.items():
        _check_model(name, place)


def _check_measured(plan: Plan) -> None:
    """What a method measures of its own estimates, it measures on test only, and each measures its own."""
    if METRICS[plan.metric].measured:
        raise UserError(
            f"metric {plan.metric!r} is measured on test only, so it cannot decide: let space {plan.space} decide by "
            "another one and list it in the space's scored for a column and a verdict of its own"
        )
    for group in plan.groups:
        for method, config in plan.typical_configs(group.name).items():
            known = plan.methods()[method].measures(config)
            for name in plan.scored:
                if METRICS[name].measured and name not in known:
                    raise UserError(
                        f"metric {name!r} is measured by methods themselves, and {method} measures "
                        f"{', '.join(known) or 'none'} here: leave it out"
                    )


def _separates(plan: Plan) -> bool:
    return bool(set(IMPROVEMENTS) & set(plan.space_object().scored))


def _check_model(name: str, place: str) -> None:
    try:
        require_reachable(place)
        if METRICS[name].check and is_local(place):
            load(METRICS[name].check)(place)
    except UserError as error:
        raise UserError(f"--also {name}={place}: {error}") from error


def identities(plan: Plan) -> dict[str, str]:
    """By metric that needs a model: a local one's SHA-256, else where it lies. Raises UserError where it is gone."""
    return {f"metric {name}": identity(place) for name, place in plan.models.items()}
