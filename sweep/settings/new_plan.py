"""From flags, environment and defaults to a plan: every setting is checked before anything starts."""

import argparse
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces import find_space
from search_spaces.space import BEST_CONFIGURATION, Preset, Space
from search_spaces.space_file import fingerprint, is_space_file
from sweep import __version__
from sweep.core.addresses import is_server, sqlite_uri
from sweep.plan.code_version import training_code_fingerprint
from sweep.plan.job_key import libraries
from sweep.plan.plan import GroupPlan, Plan, default_search_seed, default_seeds
from sweep.settings.checks import check_plan, refuse_empty, weights_of
from sweep.settings.extension import AUTO, group_names, group_plan, group_plans
from sweep.settings.further_metrics import further_metrics, with_references
from sweep.settings.resume import resumed
from sweep.settings.settings import Planned, Settings, fixed_fields, flag_of, require_text, require_writable
from sweep.storage.kept_jobs import KEPT_JOBS
from sweep.stored import layout
from sweep.stored.by_name import LONGEST_NAME, is_remote, is_there, join
from sweep.stored.openings import TEST_SETS
from sweep.stored.place import exists_already
from trainables.base.errors import UserError
from trainables.config.fields import FieldRules
from trainables.config.registry import config_class
from trainables.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from sweep.settings.design import Trade

LOOKS = (3, 5, 8)  # numbers of seeds under --seeds auto; three is the floor of any verdict
# Of `clean --free`, and of what sweeps share in a bucket.
_RESERVED = {"all", "stages", "corpora", KEPT_JOBS, TEST_SETS, layout.ARTIFACTS}
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


def plan_from_arguments(arguments: argparse.Namespace, environ: Mapping[str, str], folder: Path) -> Planned:
    """A new plan, or the stored one of `--resume`; `folder` is the user's. Reads corpus headers, writes nothing.

    Raises `UserError` for anything that cannot work.
    """
    refuse_empty(arguments)
    settings = Settings(arguments, environ, folder)
    if arguments.resume is not None:
        return resumed(settings)
    _refuse_two_ways(arguments)
    space = find_space(settings.space())
    plan = _new_plan(space, settings.preset(space), settings)
    if is_there(plan.output):
        raise exists_already(plan.name, plan.output)
    plan, trade = _designed(plan, settings)
    return Planned(plan, sources=settings.sources, trade=trade, reuse=not arguments.no_reuse)


def _designed(plan: Plan, settings: Settings) -> "tuple[Plan, Trade | None]":
    """The plan with the seeds and the test audio that --resolve or --within asks for."""
    resolve, within = settings.get("resolve"), settings.get("within")
    if resolve is None and within is None:
        return plan, None
    from sweep.settings.design import designed  # imports scipy

    settings.sources["seeds"] = "--resolve" if within is None else "--within"
    return designed(plan, resolve, within)


def _refuse_two_ways(arguments: argparse.Namespace) -> None:
    """Raise `UserError` where the number of seeds is asked for in two ways."""
    given = [flag_of(name) for name in ("seeds", "resolve", "within") if getattr(arguments, name) is not None]
    if len(given) > 1:
        raise UserError(f"{' and '.join(given)} each choose the number of seeds: give one of them")


def _new_plan(space: Space, preset: Preset, settings: Settings) -> Plan:
    name = _name(settings, space)
    output = require_text(join(settings.base(), name), "--output")
    if not is_remote(output):
        source = settings.sources["output"]
        require_writable(Path(output).parent, "--output" if source == "default" else source)
    home = join(str(settings.folder / "sweeps"), name) if is_remote(output) else output
    preset = _with_steps(preset, settings.get("steps"))
    groups = _groups(space, preset, settings)
    further = further_metrics(settings.get("also", ""), space, settings.folder)
    own_file = settings.space() if is_space_file(settings.space()) else ""
    methods = dict.fromkeys(each.method or space.method for group in groups for each in group.candidates)
    plan = Plan(
        name=name,
        identity=secrets.token_hex(16),
        space=space.name,
        space_file=own_file,
        space_fingerprint=fingerprint(Path(own_file)) if own_file else "",
        preset=preset.name,
        version=__version__,
        code=training_code_fingerprint(),
        libraries=libraries(),
        metric=preset.metric,
        also=further.names,
        slow_clips=None if METRICS[preset.metric].slow else preset.slow_clips,
        models=further.models,
        groups=groups,
        samples=settings.get("samples", preset.samples),
        generation_size=max(len(group.candidates) for group in groups),  # a generation tries each candidate once
        tunes_apart=space.answer != BEST_CONFIGURATION,  # whose candidates are ranks of one search
        exempt=preset.exempt,
        steps=preset.steps,
        round_steps=preset.round_steps,
        data=replace(preset.data, labelled_minutes=settings.labelled_minutes(preset)),
        method_config=_located(preset.config, methods, settings.folder),
        by_group={name: dict(own) for name, own in preset.by_group.items()},
        fixed=fixed_fields(settings.get("settings"), methods, settings.folder),
        output=output,
        home=home,
        tracking_uri=settings.address("tracking_uri", sqlite_uri(Path(home, layout.TRACKING))),
        study_uri=settings.address("study_uri", sqlite_uri(Path(home, layout.STUDY))),
        gates=preset.gates,
        meaningful=preset.meaningful,
        gpus_per_trial=settings.gpus_per_trial(preset),
        margin=METRICS[preset.metric].margin,
        asynchronous=settings.get("asynchronous"),
        max_hours=settings.get("max_hours"),
        **_seeds(settings, preset),
        **_corpus(settings.corpus(preset)),
        **_pretraining_corpus(settings.pretraining_corpus()),
    )
    _require_readable_by_mlflow(plan)
    check_plan(plan)
    plan = with_references(plan)
    return replace(plan, weights=weights_of(plan))


def _located(config: dict[str, Any], methods: Iterable[str], folder: Path) -> dict[str, Any]:
    """What the preset sets, with every path made absolute."""
    for method in methods:
        config = FieldRules(method, config_class(method)).located(config, folder)
    return config


def _name(settings: Settings, space: Space) -> str:
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = str(settings.get("name", f"{space.name}-{moment}-{secrets.token_hex(2)}"))
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name {name!r}: use letters, digits, '.', '_' and '-', at most {LONGEST_NAME}, not starting with '.'"
        )
    if name.lower() in _RESERVED:
        raise UserError(f"--name {name}: speech-sweep uses that name itself; choose another")
    return name


def _require_readable_by_mlflow(plan: Plan) -> None:
    """MLflow keeps its artifacts with the results, and takes '?' and '#' for the end of an S3 key."""
    if is_remote(plan.output) and not is_server(plan.tracking_uri) and {"?", "#"} & set(plan.output):
        raise UserError(
            f"--output {plan.output!r}: MLflow would write its artifacts to another key, since it gives '?' and '#' "
            "in an S3 address a meaning; choose another prefix, or give the --tracking-uri of a server"
        )


def _with_steps(preset: Preset, steps: int | None) -> Preset:
    """The preset with another number of steps, the same in every group, in as many rounds; None leaves it as it is."""
    if steps is None:
        return preset
    rounds = max(1, round(preset.steps / preset.round_steps))
    by_group = {
        name: {key: value for key, value in own.items() if key not in ("steps", "round_steps")}
        for name, own in preset.by_group.items()
    }
    return replace(preset, steps=steps, round_steps=max(1, -(-steps // rounds)), by_group=by_group)


def _groups(space: Space, preset: Preset, settings: Settings) -> tuple[GroupPlan, ...]:
    listed = settings.get("upstreams")
    names = group_names(listed, space) if listed else list(preset.groups)
    if space.group_by is None:
        return (group_plan(space, preset, "all", {}, settings.folder),)
    return group_plans(space, preset, names, settings.folder)


# -- fields of the plan that belong together -------------------------------------------------------------


def _seeds(settings: Settings, preset: Preset) -> dict[str, Any]:
    sweep_seed, count = settings.get("seed", 0), settings.get("seeds", preset.seeds)
    looks = LOOKS if count == AUTO else ()
    return {
        "sweep_seed": sweep_seed,
        "search_seed": default_search_seed(sweep_seed),
        "seeds": default_seeds(looks[-1] if looks else count, sweep_seed),
        "looks": looks,
        "stops_ties": bool(looks),
    }


def _corpus(source: str) -> dict[str, Any]:
    from trainables.audio.recipes.preparation import inspect_source

    summary = inspect_source(source)
    return {
        "corpus_source": source,
        "corpus_uri": summary.pop("uri"),
        "corpus_fingerprint": summary.get("fingerprint") or "",
        "corpus_summary": summary,
    }


def _pretraining_corpus(source: str) -> dict[str, Any]:
    return {f"pretraining_{name}": value for name, value in _corpus(source).items()} if source else {}
