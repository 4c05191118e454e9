"""What `--dry-run` prints: the plan in words, with its cost, and where each setting came from."""

import contextlib
import json
import os
from collections.abc import Sequence
from typing import Any

from sweep.core.addresses import hide_password
from sweep.plan.audio import audio_seconds
from sweep.plan.cost import Known, estimate, gpu_hours, scored_seconds, speech_seconds
from sweep.plan.plan import Plan
from sweep.settings.extension import refuse_dishonest
from sweep.settings.further_metrics import own_readings
from sweep.settings.machine_price import MachinePrice
from sweep.settings.settings import Planned
from sweep.settings.uncached_stages import uncached_stages
from trainables.base.cache import VARIABLE as CACHE_VARIABLE
from trainables.base.cache import cache_folder
from trainables.base.cores import usable_cores
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage
from trainables.config.fields import FieldRules, rules_of
from trainables.config.method_config import MethodConfig
from trainables.job.stages import Stage
from trainables.metrics.catalogue import METRICS


def describe(planned: Planned, price: MachinePrice | None = None, known: Known | None = None) -> str:
    """The whole plan; nothing is started or written. `price` is that of the machines it may run on.

    Of `known` jobs, which earlier sweeps have trained, the number is shown, and no cost.

    Raises `UserError` if a resume's extension would be refused.
    """
    plan = planned.plan
    stages = [*plan.stages(), *plan.gate_stages()]
    missing = uncached_stages(plan, stages)
    lines = [
        f"{plan.name}: {plan.space_object().question}",
        "",
        *_question(plan),
        "",
        *_work(plan, stages, missing),
        *_known(known),
        *_done(planned),
        "",
        *(_gpu_cost(plan, price) if plan.device == "cuda" else _cost(plan, missing, price, known)),
        *_trade(planned),
        "",
        *_places(planned),
        *(f"note       {caution}" for caution in cautions(plan)),
    ]
    return "\n".join(lines)


def cautions(plan: Plan) -> list[str]:
    """Settings that are allowed but may not be what was meant, one line each."""
    methods = plan.methods()
    configs = [(plan.method_of(each), plan.first_config(g, each)) for g in plan.groups for each in g.candidates]
    found = list(dict.fromkeys(caution for name, config in configs for caution in methods[name].cautions(config)))
    found += [*_without_effect(plan, configs), *_unequal_audio(plan)]
    if plan.device == "cpu" and any(methods[name].full_size(config) for name, config in configs):
        found.append(
            "full-size models will train on the CPU: --gpus-per-trial gives each job a GPU, --preset demo is small"
        )
    if len(plan.seeds) < 3 and plan.meaningful:
        verdict = "every verdict will be a tie" if len(plan.seeds) < 2 else "no verdict should rest on so few"
        found.append(f"{len(plan.seeds)} of the 3 seeds that are the floor: {verdict}; give --seeds 3 or more")
    train = plan.corpus_summary.get("splits", {}).get(plan.data.source_split("train"), {})
    minutes, there = plan.data.labelled_minutes, speech_seconds(train)
    if minutes is not None and there is not None and 60 * minutes > there:
        found.append(
            f"--labelled-minutes {minutes:g} is more than there is: all {there / 60:.3g} min of training speech serve"
        )
    found += own_readings(plan)
    found += [*_unequal_tuning(plan), *_alike(plan)]
    for split in ("valid", "test"):
        seconds = scored_seconds(plan, split)
        if plan.meaningful and seconds < 2 * plan.data.evaluation_clip_seconds:
            found.append(f"{split} has {seconds:.0f} s of speech, too little for a verdict; add recordings to it")
    return found


def _without_effect(plan: Plan, configs: Sequence[tuple[str, MethodConfig]]) -> list[str]:
    """Fields of --set that some methods do not have, or that the other settings of all their candidates leave idle."""
    found, methods = [], plan.methods()
    for field, value in plan.fixed.items():
        without = [name for name, info in methods.items() if field not in rules_of(info.config)]
        idle = [name for name in methods if name not in without and not _reads(field, value, name, configs)]
        if without:
            found.append(f"--set {field} changes nothing for {', '.join(without)}: no such field there")
        if idle:
            found.append(
                f"--set {field} changes nothing for {', '.join(idle)}: with the other settings it has no effect"
            )
    return found


def _reads(field: str, value: Any, method: str, configs: Sequence[tuple[str, MethodConfig]]) -> bool:
    """Whether a configuration of the method keeps the value; idle fields go back to their defaults."""
    own = [config for name, config in configs if name == method]
    wanted = FieldRules(method, type(own[0])).read({field: value})[field]
    return any(getattr(config, field) == wanted for config in own)


def _unequal_audio(plan: Plan) -> list[str]:
    """Candidates of different methods that do not train on the same amount of audio."""
    found = []
    for group in plan.groups if plan.mixed else ():
        labels: dict[float, list[str]] = {}
        for label, seconds in audio_seconds(plan, group.name).items():
            labels.setdefault(seconds, []).append(label)
        if len(labels) > 1:
            listed = "; ".join(f"{seconds:,.0f} s ({', '.join(same)})" for seconds, same in labels.items())
            found.append(f"{group.name}: candidates train on different amounts of noisy audio: {listed}")
    return found


def _unequal_tuning(plan: Plan) -> list[str]:
    """Candidates that have nothing left to tune because of what --set fixes, where others have."""
    found = []
    for group in plan.groups if plan.fixed else ():
        tuned = {each.label: plan.anchor(group, each).keys() for each in group.candidates}
        left = [label for label, fields in tuned.items() if fields and fields <= plan.fixed.keys()]
        if left and any(fields - plan.fixed.keys() for fields in tuned.values()):
            found.append(
                f"{group.name}: --set {' '.join(plan.fixed)} leaves {', '.join(left)} nothing to tune, and others "
                "something: they are not compared at the same tuning"
            )
    return found


def _alike(plan: Plan) -> list[str]:
    """Candidates that train the same because of what --set fixes."""
    if not plan.fixed:
        return []
    found = []
    for group in plan.groups:
        labels: dict[str, list[str]] = {}
        for candidate in group.candidates:
            config = plan.config(group.name, candidate.label, plan.anchor(group, candidate))
            labels.setdefault(json.dumps(config), []).append(candidate.label)
        found += [
            f"{group.name}: {', '.join(same)} begin with the same training: --set {' '.join(plan.fixed)} takes the "
            "place of what they differ in"
            for same in labels.values()
            if len(same) > 1
        ]
    return found


def _question(plan: Plan) -> list[str]:
    mark = "" if plan.meaningful else "   (scores mean nothing at this size)"
    also = "".join(f"; also {METRICS[name].title}" for name in plan.also)
    lines = [f"preset     {plan.preset}{mark}", f"metric     {METRICS[plan.metric].title} decides{also}"]
    lines.append(f"corpus     {corpus_line(plan.corpus_summary)}")
    if plan.pretraining_corpus_source:
        lines.append(f"pre-train  {corpus_line(plan.pretraining_corpus_summary)}")
    lines += [f"           {note}" for note in corpus_notes(plan)]
    for group in plan.groups:
        lines.append(f"{group.name:<10} {', '.join(candidate.label for candidate in group.candidates)}")
    return lines


def _work(plan: Plan, stages: list[Stage], missing: list[Stage]) -> list[str]:
    search = sum(len(plan.search_jobs(group.name)) for group in plan.groups)
    kinds = sorted({stage.kind for stage in stages})
    counted = ", ".join(f"{sum(stage.kind == kind for stage in stages)} {kind.replace('_', ' ')}" for kind in kinds)
    scored = {split: scored_seconds(plan, split) for split in ("valid", "test")}
    return [
        f"stages     {len(stages)} ({counted}); {len(stages) - len(missing)} are in the cache already",
        f"search     {search} jobs: {plan.samples} per candidate, {_steps(plan)} steps each",
        f"final      {_final(plan)}",
        *_audio(plan),
        f"scoring    {scored['valid']:.4g} s of valid and {scored['test']:.4g} s of test audio per finalist",
    ]


def _audio(plan: Plan) -> list[str]:
    """What a training of any candidate sees, where there are several methods and it is equal; else it is a note."""
    seconds = {each for group in plan.groups for each in audio_seconds(plan, group.name).values()}
    if not plan.mixed or len(seconds) > 1:
        return []
    return [f"audio      {seconds.pop():,.0f} s of noisy audio in each training: steps x batch x crop, for all alike"]


def _known(known: Known | None) -> list[str]:
    if known is None or not (known.search or known.final):
        return []
    search, final = sum(known.search.values()), sum(known.final.values())
    return [f"reused     at least {search} search and {final} final jobs, which earlier sweeps have trained"]


def _steps(plan: Plan, form: str = "") -> str:
    """ "200", or "50000 to 100000" where groups differ."""
    steps = sorted({plan.steps_of(group.name) for group in plan.groups})
    return " to ".join(f"{each:{form}}" for each in dict.fromkeys((steps[0], steps[-1])))


def _done(planned: Planned) -> list[str]:
    """How much of a resume is done already. Raises `UserError` if the start itself would refuse its extension."""
    if planned.stored is None:
        return []
    from sweep.stored.reading import open_study  # imports optuna

    study, problem = None, ""
    with contextlib.ExitStack() as stack:
        try:
            study = stack.enter_context(open_study(planned.stored))
        except UserError as error:  # it cannot be opened here
            problem = str(error)
        refuse_dishonest(planned.stored, planned.plan, study, Storage(planned.plan.output))
        if study is None:
            return [f"done       not known, nor whether more could be added: {problem}"]
        ended = sum(record.ended for record in study.all_records(planned.plan))
    return [f"done       {ended} of these jobs; cost, time and disk are those of all"]


def _final(plan: Plan) -> str:
    least, most = (
        sum(len(each.final_jobs(group.name)) for group in plan.groups) for each in (plan.at_first_look(), plan)
    )
    first, *later = plan.look_ends
    more = f"; {', then '.join(map(str, later))} for those in contention on valid" if later else ""
    if plan.resolve is not None:
        first, more = plan.first_seeds, f"; then up to {len(plan.seeds)}, as the spread of these asks for"
    return f"{_range((least, most), 0)} jobs: {first} fresh seeds per candidate, the same for all{more}"


def _range(ends_of: tuple[float, float], digits: int) -> str:
    """The least and the most: "3.1", or "3.1 to 4.7" if it depends on the results."""
    ends = [f"{end:.{digits}f}" for end in ends_of]
    return " to ".join(dict.fromkeys(ends))


def _cost(plan: Plan, missing: list[Stage], price: MachinePrice | None, known: Known | None) -> list[str]:
    first, ahead = plan.at_first_look(), missing
    if plan.decisions:  # later seeds pre-train when it is known who gets them
        ahead = uncached_stages(plan, [*first.stages(), *plan.gate_stages()])
    least, cost = estimate(first, ahead, known), estimate(plan, missing, known)
    if cost is None or least is None:
        return ["cost       unknown: no step of this size has been measured yet"]
    cores = usable_cores()
    low_seconds, high_seconds = least.core_seconds, cost.core_seconds
    hours = (low_seconds / 3600, high_seconds / 3600)
    parts = {
        "pre-training": (least.pretraining, cost.pretraining),
        "gates": (least.gates, cost.gates),
        "search": (least.search, cost.search),
        "final": (least.final, cost.final),
        "scoring": (least.scoring, cost.scoring),
    }
    shares = [f"{name} {_range((low / 60, high / 60), 1)} min" for name, (low, high) in parts.items()]
    minutes = (low_seconds / cores / 60 + 0.5, high_seconds / cores / 60 + 0.5)
    lines = [
        f"cost       about {_range(hours, 2)} CPU-hours and no GPU: {', '.join(shares)}",
        f"time       about {_range(minutes, 0)} min on this machine's {cores} cores",
        f"disk       about {cost.disk_bytes / 1e9:.1f} GB, and {cost.kept_bytes / 1e9:.1f} GB kept for later sweeps",
    ]
    if price is not None:
        prices = (hours[0] * price.core_hour, hours[1] * price.core_hour)
        lines.append(
            f"price      about {_range(prices, 2)} at {price.core_hour:.4f} per core and hour, while all "
            "cores are busy; the head, idle minutes and the disk come on top"
        )
    if cost.resolvable is not None and not plan.design:
        unit = METRICS[plan.metric].unit
        lines.append(
            f"resolution a gain below about {cost.resolvable:.2f} {unit}".rstrip()
            + f" would end as a tie with {len(plan.seeds)} seeds; more resolve smaller ones"
        )
    return lines


def _trade(planned: Planned) -> list[str]:
    if planned.trade is None:
        return []
    from sweep.settings.design import trade_lines  # imports scipy

    return trade_lines(planned.plan, planned.trade)


def _gpu_cost(plan: Plan, price: MachinePrice | None) -> list[str]:
    """No GPU has been timed, so the cost is given per tenth of a second that a step takes."""
    jobs = sum(1 for _ in plan.all_jobs())
    hours = gpu_hours(plan, step_seconds=0.1)
    lines = [
        f"cost       about {hours:,.0f} GPU-hours for every 0.1 s that a step takes on its GPU, which is not known "
        f"yet: {jobs} jobs of {_steps(plan, ',')} steps, {plan.gpus_per_trial:g} GPU each; stages and scoring come on "
        "top"
    ]
    if price is not None and price.gpu_hour is None:
        lines.append("price      not known: write it with the machine's number of GPUs, like 1.21/8/1")
    elif price is not None and price.gpu_hour is not None:
        lines.append(
            f"price      about {hours * price.gpu_hour:,.2f} for every 0.1 s, at {price.gpu_hour:.4f} per GPU and hour "
            "while all GPUs are busy; the head, idle minutes and the disk come on top"
        )
    return lines


def _places(planned: Planned) -> list[str]:
    plan, sources = planned.plan, planned.sources

    def line(label: str, value: Any, setting: str) -> str:
        source = sources.get(setting, sources.get("plan", "default"))
        return f"{label:<10} {hide_password(str(value))}   [{source}]"

    return [
        line("output", plan.output, "output"),
        line("study", plan.study_uri, "study_uri"),
        line("tracking", plan.tracking_uri, "tracking_uri"),
        line("corpus", plan.corpus_source, "corpus"),
        *([line("pre-train", second, "pretraining_corpus")] if (second := plan.pretraining_corpus_source) else []),
        f"cache      {cache_folder()}   [{CACHE_VARIABLE if os.environ.get(CACHE_VARIABLE) else 'default'}]",
        line("preset", plan.preset, "preset"),
        line("seeds", _listed(plan.seeds), "seeds"),
        *(line(label, value, setting) for label, value, setting in _asked(plan)),
    ]


def _listed(seeds: tuple[int, ...]) -> str:
    return ", ".join(map(str, seeds)) if len(seeds) <= 12 else f"{seeds[0]} to {seeds[-1]}"


def _asked(plan: Plan) -> list[tuple[str, str, str]]:
    """(label, value, setting) of optional settings that were given."""
    minutes, hours = plan.data.labelled_minutes, plan.max_hours
    fixed = ", ".join(f"{name}={json.dumps(value)}" for name, value in plan.fixed.items())
    rows = [
        *(("model", f"{place} for {METRICS[name].title}", "also") for name, place in plan.models.items()),
        ("set", fixed, "settings"),
        ("resolve", "" if plan.resolve is None else f"{plan.resolve:g}", "resolve"),
        ("within", f"{plan.design['within']:g} core-hours" if "within" in plan.design else "", "within"),
        ("labelled", "" if minutes is None else f"{minutes:g} min of training speech", "labelled_minutes"),
        ("hours", "" if hours is None else f"at most {hours:g} of driving", "max_hours"),
        ("async", "yes: not reproducible" if plan.asynchronous else "", "asynchronous"),
        ("GPUs", f"{plan.gpus_per_trial:g} a job" if plan.gpus_per_trial else "", "gpus_per_trial"),
    ]
    return [row for row in rows if row[1]]


def corpus_line(summary: dict[str, Any]) -> str:
    """One line: speakers, minutes and noise types per split."""
    text = "; ".join(_split_line(*split) for split in summary.get("splits", {}).items()) or "not read yet"
    return text + (" (synthetic)" if summary.get("synthetic") else "")


def _split_line(split: str, counts: dict[str, Any]) -> str:
    seconds = speech_seconds(counts) or 0.0
    long = f"{seconds / 60:.0f} min" if seconds >= 60 else f"{seconds:.0f} s"
    noises = f", {counts['noise_types']} noise types" if counts.get("noise_types") else ""
    return f"{split} {counts.get('speakers', '?')} speakers, {long}{noises}"


def corpus_notes(plan: Plan) -> list[str]:
    """Notes on what was converted or left out when the corpus was prepared."""
    return [*(plan.corpus_summary.get("notes") or ()), *(plan.pretraining_corpus_summary.get("notes") or ())]
