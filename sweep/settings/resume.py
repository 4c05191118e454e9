"""`--resume`: the stored plan, extended by the flags that may extend it; any other difference is refused by name."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from search_spaces.space_file import fingerprint
from sweep import __version__
from sweep.core.addresses import absolute_uri, known_secrets, restore_secrets
from sweep.plan.code_version import training_code_fingerprint
from sweep.plan.job_key import libraries
from sweep.plan.plan import Plan
from sweep.settings.checks import check_plan, weights_of
from sweep.settings.extension import EXTENSIBLE, extended
from sweep.settings.further_metrics import further_metrics, repeats
from sweep.settings.settings import (
    Planned,
    Settings,
    corpus_place,
    fixed_fields,
    flag_of,
    minutes,
    space_file,
)
from sweep.stored import layout
from sweep.stored.by_name import load_plan, name_and_base
from sweep.stored.place import left_behind, refuse_copy
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage

# Allowed next to --resume because they change nothing that was planned.
_FREE = {
    "resume",
    "output",
    "dry_run",
    "price",
    "json",
    "list_spaces",
    "help_config",
    "notify",
    "no_reuse",
    *EXTENSIBLE,
}
# Flags that may repeat the plan's value.
_REPEATABLE = {"name", "preset", "steps", "seed", "gpus_per_trial", "asynchronous"}


def resumed(settings: Settings) -> Planned:
    """The plan to continue. Raises `UserError` for a flag, code or weights that differ from what was started."""
    name = settings.arguments.resume
    stored = load_plan(*name_and_base(name, settings.base(), settings.folder))
    storage = Storage(stored.output)
    refuse_copy(storage)
    stored = _with_passwords(stored, settings)
    extra = [
        flag_of(argument)
        for argument, value in vars(settings.arguments).items()
        if _is_given(value) and argument not in _FREE and not _agrees(stored, argument, value, settings.folder)
    ]
    if extra:
        raise UserError(
            f"--resume {name} takes its plan from {layout.PLAN}; {', '.join(extra)} would change it: leave that out, "
            "or start a new sweep under another --name"
        )
    _refuse_other_code(stored)
    plan = extended(stored, settings.arguments, settings.folder)
    check_plan(plan)
    plan = _with_libraries(_with_weights(plan))
    sources = {"plan": f"{layout.PLAN} of {plan.name}"}
    reuse = not settings.arguments.no_reuse
    return Planned(plan, stored=stored, sources=sources, left=left_behind(storage), reuse=reuse)


def _with_passwords(stored: Plan, settings: Settings) -> Plan:
    hidden = {"study_uri": stored.study_uri, "tracking_uri": stored.tracking_uri}
    known = known_secrets(settings.arguments, settings.environ)
    whole: dict[str, Any] = dict(restore_secrets(stored.name, hidden, known))
    return replace(stored, **whole)


def _refuse_other_code(plan: Plan) -> None:
    """Jobs of another version, training code or space would not be comparable."""
    if plan.version != __version__ or plan.code != training_code_fingerprint():
        raise UserError(
            f"sweep {plan.name!r} was started with speech-sweep {plan.version} (training code {plan.code}); this is "
            f"{__version__} ({training_code_fingerprint()}): its jobs would not be comparable. Go back to that "
            "version, or start a new sweep"
        )
    if plan.space_file and fingerprint(Path(plan.space_file)) != plan.space_fingerprint:
        raise UserError(
            f"{plan.space_file} has changed since sweep {plan.name!r} started: restore it, or start a new sweep"
        )


def _with_weights(plan: Plan) -> Plan:
    """With the weights of added groups. Raises `UserError` if a file is no longer what it was."""
    now = weights_of(plan)
    for name, before in plan.weights.items():
        if now.get(name, before) != before:
            raise UserError(
                f"the weights of {name} have changed since sweep {plan.name!r} started (SHA-256 {before[:12]}..., now "
                f"{now[name][:12]}...): its jobs would not be comparable. Restore the file, or start a new sweep"
            )
    return plan if now == plan.weights else replace(plan, weights=now)


def _with_libraries(plan: Plan) -> Plan:
    """Without any where they have changed: at every later start it is known that jobs may be of either."""
    return plan if plan.libraries == libraries() else replace(plan, libraries={})


def _is_given(value: Any) -> bool:
    """Whether a flag was typed; 0 is a value like others."""
    return value is not None and value is not False and value != []


def _agrees(plan: Plan, argument: str, value: Any, folder: Path) -> bool:
    """Whether a flag merely repeats the plan; of a flag with several values a part is enough."""
    if argument == "space":
        return space_file(value, folder) == (plan.space_file or plan.space)
    if argument == "corpus":
        return corpus_place(value, folder) == plan.corpus_source
    if argument == "pretraining_corpus":
        return corpus_place(value, folder) == plan.pretraining_corpus_source
    if argument == "labelled_minutes":
        return minutes(value) == plan.data.labelled_minutes
    if argument == "resolve":
        from sweep.settings.design import difference  # imports scipy

        return difference(value, plan.metric) == plan.resolve
    if argument == "within":
        return bool(value == plan.design.get("within"))
    if argument == "also":
        return repeats(further_metrics(value, plan.space_object(), folder), plan)
    if argument == "settings":
        return fixed_fields(value, plan.methods(), folder).items() <= plan.fixed.items()
    if argument in ("tracking_uri", "study_uri"):
        return bool(getattr(plan, argument) == absolute_uri(value, folder))
    field = "sweep_seed" if argument == "seed" else argument
    return argument in _REPEATABLE and bool(getattr(plan, field) == value)
