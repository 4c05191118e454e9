"""From flags, environment and defaults to a plan: every setting is checked here, before anything starts."""

import argparse
import json
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from search_spaces import SPACES, find_space
from search_spaces.space import Preset, Space
from search_spaces.space_file import fingerprint, is_space_file
from sweep import __version__
from sweep.core.addresses import known_secrets, restore_secrets
from sweep.core.hardware import cuda_devices
from sweep.machines.capacity import cluster_has_gpus
from sweep.plan.code_version import training_code_fingerprint
from sweep.plan.plan import GroupPlan, Plan, default_search_seed, default_seeds
from sweep.settings.extension import AUTO, RAISABLE, group_names, group_plans, raised
from sweep.settings.requirements import require_fit
from sweep.stored.by_name import LONGEST_NAME, is_remote, is_there, join, load_plan, resolve_base
from trainables.base.errors import UserError
from trainables.base.s3_address import s3_address
from trainables.config.registry import config_class
from trainables.metrics.catalogue import IMPROVEMENTS, METRICS, known_metrics, require_installed

# What may stand beside --resume: it changes nothing that was planned.
_FREE_ON_RESUME = {
    "resume",
    "output",
    "dry_run",
    "price",
    "json",
    "list_spaces",
    "help_config",
    "notify",
    *RAISABLE,
}
LOOKS = (3, 5, 8)  # numbers of seeds under --seeds auto; three is the floor of any verdict
_SQLITE = "sqlite:///"
_NAME = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_NAME - 1}}}")


@dataclass(frozen=True)
class Planned:
    """A plan, where its settings came from, and whether it continues an earlier start."""

    plan: Plan
    resume: bool
    stored: Plan | None = None  # the plan as the last start left it, before this one's flags raised it
    sources: dict[str, str] = field(default_factory=dict)  # setting -> "--flag", "VARIABLE" or "default"

    @property
    def shares_gpus_as_it_likes(self) -> bool:
        """Whether jobs use GPUs and nobody has said how many share one."""
        return self.plan.gpus_per_trial > 0 and self.sources.get("gpus_per_trial") == "default"


def plan_from_arguments(arguments: argparse.Namespace, environ: Mapping[str, str], folder: Path) -> Planned:
    """Raises `UserError` for anything that cannot work; reads corpus headers, writes nothing."""
    _refuse_null_bytes(arguments)
    _refuse_empty(arguments)
    if arguments.resume is not None:
        return _resumed(arguments, environ, folder)
    settings = _Settings(arguments, environ)
    space = find_space(_space_file(_required_space(settings), folder))
    preset = _preset(space, settings)
    plan = _new_plan(space, preset, settings, folder)
    if is_there(plan.output):
        raise UserError(
            f"a sweep named {plan.name!r} already exists in {plan.output}: continue it with --resume {plan.name}, "
            "or choose another --name"
        )
    return Planned(plan, resume=False, sources=settings.sources)


def _refuse_null_bytes(arguments: argparse.Namespace) -> None:
    """No shell passes one on, but a program may; every path that holds one is an error deep inside Python."""
    for name, value in vars(arguments).items():
        if isinstance(value, str) and "\0" in value:
            raise UserError(f"{flag_of(name)} {value!r}: holds a null byte; leave it out")


def _refuse_empty(arguments: argparse.Namespace) -> None:
    """A variable that is not set: taken as "not given", it would start something else than was meant."""
    for name, value in vars(arguments).items():
        if value == "":
            raise UserError(
                f"{flag_of(name)} '' is empty, as a variable that is not set: give a value, or leave it out"
            )


# -- where settings come from --------------------------------------------------------------------------


class _Settings:
    """Flag, else environment, else default; remembers which it was."""

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str]) -> None:
        self.arguments = arguments
        self.environ = environ
        self.sources: dict[str, str] = {}

    def get(self, name: str, default: Any = None, variable: str | None = None) -> Any:
        value = getattr(self.arguments, name)
        source = flag_of(name)
        if value is None and variable and self.environ.get(variable):
            value, source = self.environ[variable], variable
        if value is None:
            value, source = default, "default"
        self.sources[name] = source
        return value


def flag_of(name: str) -> str:
    """The flag that fills this field of the parsed arguments."""
    return "--" + {"settings": "set", "asynchronous": "async"}.get(name, name.replace("_", "-"))


def _required_space(settings: _Settings) -> str:
    name = settings.get("space")
    if not name:
        raise UserError("which question? give --space NAME (--list-spaces shows them), or --resume NAME")
    return str(name)


def _space_file(name: str, folder: Path) -> str:
    """A file's absolute path, a space's name as it is."""
    return str((folder / Path(name).expanduser()).resolve()) if is_space_file(name) else name


def _preset(space: Space, settings: _Settings) -> Preset:
    name = settings.get("preset", variable="SPEECH_SWEEP_PRESET")
    if name is None:
        name = default_preset(space, settings.environ)
        if name == "paper":
            settings.sources["preset"] = "default, because there is a GPU; --preset demo is the small one"
    if name not in space.presets:
        raise UserError(
            f"{settings.sources['preset']}: unknown preset {name!r} for space {space.name}: choose one of "
            f"{', '.join(space.presets)}"
        )
    return space.presets[name]


def default_preset(space: Space, environ: Mapping[str, str]) -> str:
    """ "paper" where this machine or its cluster has CUDA and the space that preset, else "demo", else its first."""
    if "paper" in space.presets and (cuda_devices() or cluster_has_gpus(environ)):
        return "paper"
    return "demo" if "demo" in space.presets else next(iter(space.presets))


# -- the plan ------------------------------------------------------------------------------------------


def _new_plan(space: Space, preset: Preset, settings: _Settings, folder: Path) -> Plan:
    name = _name(settings, space)
    base = _base(settings, folder)
    output = join(base, name)
    home = join(str(folder / "sweeps"), name) if is_remote(output) else output
    source = _corpus_source(settings, folder, preset)
    summary = _inspect_corpus(source)
    sweep_seed = settings.get("seed", 0)
    asked = _space_file(_required_space(settings), folder)
    space_file = asked if is_space_file(asked) else ""
    steps = settings.get("steps", preset.steps)
    n_seeds = settings.get("seeds", preset.seeds)
    looks = LOOKS if n_seeds == AUTO else ()
    preset = replace(preset, steps=steps, round_steps=_round_steps(preset, steps))
    plan = Plan(
        name=name,
        space=space.name,
        space_file=space_file,
        space_fingerprint=fingerprint(Path(space_file)) if space_file else "",
        preset=preset.name,
        version=__version__,
        code=training_code_fingerprint(),
        metric=preset.metric,
        also=_also(settings, space),
        groups=_groups(space, preset, settings),
        samples=settings.get("samples", preset.samples),
        seeds=default_seeds(looks[-1] if looks else n_seeds, sweep_seed),
        looks=looks,
        sweep_seed=sweep_seed,
        search_seed=default_search_seed(sweep_seed),
        generation=0,
        exempt=3,
        steps=preset.steps,
        round_steps=preset.round_steps,
        data=replace(preset.data, labelled_minutes=_labelled_minutes(settings, preset)),
        method_config=dict(preset.config),
        fixed=_fixed(settings.get("settings")),
        corpus_source=source,
        corpus_uri=summary.pop("uri"),
        corpus_fingerprint=summary.get("fingerprint") or "",
        corpus_summary=summary,
        output=output,
        home=home,
        tracking_uri=_tracking_uri(settings, home, folder),
        study_uri=_study_uri(settings, home, folder),
        gates=preset.gates,
        meaningful=preset.meaningful,
        gpus_per_trial=settings.get("gpus_per_trial", _default_gpus(preset, settings.environ)),
        margin=METRICS[preset.metric].margin,
        asynchronous=settings.get("asynchronous"),
        max_hours=settings.get("max_hours", None),
    )
    # A generation tries each candidate once.
    plan = replace(plan, generation=max(len(group.candidates) for group in plan.groups))
    _check_configurations(plan)
    return replace(plan, weights=_weights(plan))


def _name(settings: _Settings, space: Space) -> str:
    moment = datetime.now().strftime("%Y%m%d-%H%M%S")
    name = settings.get("name", f"{space.name}-{moment}-{secrets.token_hex(2)}")
    if not _NAME.fullmatch(name):
        raise UserError(
            f"--name {name!r}: use letters, digits, '.', '_' and '-', at most 80, not starting with '.'"
        )
    return name


def _base(settings: _Settings, folder: Path) -> str:
    base = settings.get("output", "sweeps", "SPEECH_SWEEP_OUTPUT")
    return resolve_base(base, folder)


def _corpus_source(settings: _Settings, folder: Path, preset: Preset) -> str:
    source = str(settings.get("corpus", "demo", "SPEECH_SWEEP_CORPUS"))
    if preset.at_scale and settings.sources["corpus"] == "default":
        raise UserError(
            f"preset {preset.name} needs a real corpus: prepare one (such as python sweep/prepare.py "
            "voicebank-demand SOURCE TARGET), then give --corpus TARGET or SPEECH_SWEEP_CORPUS; or choose --preset demo"
        )
    setting = settings.sources["corpus"]
    if source == "demo" or s3_address(source, setting):
        return source
    path = _corpus_place(source, folder)
    try:
        there = Path(path).exists()
    except OSError as error:
        raise UserError(
            f"{setting} {source[:200]!r}: {error.strerror}; give a folder that can be entered, a prepared corpus in "
            "s3://, or 'demo'"
        ) from error
    if not there:
        raise UserError(
            f"{setting} {source!r}: {path} does not exist on this machine; give a folder that does, a prepared corpus "
            "in s3://, or 'demo'"
        )
    return path


def _corpus_place(source: str, folder: Path) -> str:
    """A folder's absolute path; what is none, as it is."""
    whole = source == "demo" or is_remote(source)
    return source if whole else str((folder / Path(source).expanduser()).resolve())


def _inspect_corpus(source: str) -> dict[str, Any]:
    from trainables.audio.recipes.preparation import inspect_source

    return inspect_source(source)


def _tracking_uri(settings: _Settings, home: str, folder: Path) -> str:
    from sweep.core.addresses import check_tracking_uri

    uri = settings.get("tracking_uri", f"sqlite:///{home}/mlflow.db", "MLFLOW_TRACKING_URI")
    check_tracking_uri(uri, settings.sources["tracking_uri"])
    return _absolute(uri, folder)


def _study_uri(settings: _Settings, home: str, folder: Path) -> str:
    from sweep.core.addresses import check_study_uri

    uri = settings.get("study_uri", f"sqlite:///{home}/study.db", "SPEECH_SWEEP_STUDY_URI")
    check_study_uri(uri, settings.sources["study_uri"])
    return _absolute(uri, folder)


def _absolute(uri: str, folder: Path) -> str:
    """An SQLite file by its absolute path: the driver changes its folder while it runs."""
    scheme, relative = uri[: len(_SQLITE)], uri[len(_SQLITE) :]
    return f"{_SQLITE}{folder / relative}" if scheme == _SQLITE and not relative.startswith("/") else uri


def _groups(space: Space, preset: Preset, settings: _Settings) -> tuple[GroupPlan, ...]:
    listed = settings.get("upstreams")
    if space.group_by is None:
        if listed:
            group_names(listed, space)
        return (GroupPlan(name="all", group={}, candidates=tuple(space.candidates({}, preset))),)
    names = group_names(listed, space) if listed else list(preset.groups)
    return group_plans(space, preset, names)


def _default_gpus(preset: Preset, environ: Mapping[str, str]) -> float:
    """A whole one for full-size models, where there is any, until it is known how many jobs fit on one."""
    return float(preset.at_scale and bool(environ.get("RAY_ADDRESS") or cuda_devices()))


def _round_steps(preset: Preset, steps: int) -> int:
    """As many rounds as the preset has, however many steps."""
    rounds = max(1, round(preset.steps / preset.round_steps))
    return max(1, -(-steps // rounds))


def _also(settings: _Settings, space: Space) -> tuple[str, ...]:
    return _further_metrics(settings.get("also", ""), space)


def _further_metrics(text: str, space: Space) -> tuple[str, ...]:
    """Each once; those that the space has anyway are no news."""
    listed = [name.strip() for name in text.split(",")]
    return tuple(dict.fromkeys(name for name in listed if name and name not in space.scored))


def _labelled_minutes(settings: _Settings, preset: Preset) -> float | None:
    text = settings.get("labelled_minutes", None)
    return preset.data.labelled_minutes if text is None else _minutes(text)


def _minutes(text: str) -> float | None:
    """None is all there are."""
    if text == "all":
        return None
    try:
        minutes = float(text)
    except ValueError:
        minutes = 0.0
    if not 0 < minutes < float("inf"):
        raise UserError(f"--labelled-minutes {text!r}: give a number of minutes above 0, or 'all'")
    return minutes


def _fixed(settings: list[str]) -> dict[str, Any]:
    fixed: dict[str, Any] = {}
    for item in settings:
        name, equals, text = item.partition("=")
        if not equals or not name:
            raise UserError(f"--set {item!r}: write FIELD=VALUE, for example --set k_shape=cosine")
        if name in fixed:
            raise UserError(f"--set {name}=... is given twice: give it once")
        try:
            fixed[name] = json.loads(text)
        except json.JSONDecodeError:
            fixed[name] = text
        except (
            ValueError,
            RecursionError,
        ) as error:  # a number of thousands of digits, thousands of brackets
            raise UserError(
                f"--set {item[:40]}...: is no value that can be read; give a shorter one"
            ) from error
    return fixed


def _check_configurations(plan: Plan) -> None:
    """Every candidate's first configuration must be valid, and --set may not touch what is compared."""
    space, preset = plan.space_object(), plan.preset_object()
    for group in plan.groups:
        for candidate in group.candidates:
            clash = sorted(set(plan.fixed) & (set(candidate.config) | set(group.group)))
            if clash:
                raise UserError(
                    f"--set {clash[0]}=...: that is what space {space.name} compares; it cannot be fixed"
                )
            plan.config(group.name, candidate.label, space.anchor(group.group, candidate, preset))
            if plan.space_file or SPACES.added_by(plan.space):
                _check_suggestions(plan, group, candidate.label)
    if plan.also:
        _check_further_metrics(plan)
    require_fit(plan)
    config_class(space.method)  # a space naming a method that does not exist fails here, not in a worker


def _check_further_metrics(plan: Plan) -> None:
    """Known, installed, and possible on what the jobs are scored on."""
    from trainables.metrics.scorer import Scorer

    known_metrics(plan.also)
    require_installed(plan.also)
    separates = set(IMPROVEMENTS) & set(plan.space_object().scored)
    basic = [IMPROVEMENTS.get(name, name) if separates else name for name in plan.also]
    for group in plan.groups:
        job = plan.search_jobs(group.name)[0]
        anchor = plan.space_object().anchor(
            group.group, plan.candidate(group.name, job.candidate), plan.preset_object()
        )
        Scorer(basic, plan.assignment(job, anchor, attempt=1).data.sample_rate)


def _check_suggestions(plan: Plan, group: GroupPlan, label: str) -> None:
    """A user's suggest function is run once per candidate before a sweep rests on it."""
    from sweep.search.proposals import GroupSearch  # imports optuna

    job = next(job for job in plan.search_jobs(group.name) if job.candidate == label)
    try:
        GroupSearch(plan, group.name).propose(job, [])
    except UserError:
        raise
    except Exception as error:  # whatever the user's code raises
        raise UserError(
            f"--space {plan.space_file or plan.space}: suggest fails for {group.name} {label} "
            f"({type(error).__name__}: {error})"
        ) from error


# -- resume ---------------------------------------------------------------------------------------------


def _resumed(arguments: argparse.Namespace, environ: Mapping[str, str], folder: Path) -> Planned:
    """Everything comes from plan.json; flags that say otherwise are refused, each by name."""
    settings = _Settings(arguments, environ)
    stored = load_plan(arguments.resume, _base(settings, folder))
    hidden = {"study_uri": stored.study_uri, "tracking_uri": stored.tracking_uri}
    whole: dict[str, Any] = dict(restore_secrets(stored.name, hidden, known_secrets(arguments, environ)))
    stored = replace(stored, **whole)
    extra = [
        flag_of(name)
        for name, value in vars(arguments).items()
        if _is_given(value) and name not in _FREE_ON_RESUME and not _agrees(stored, name, value, folder)
    ]
    if extra:
        raise UserError(
            f"--resume {arguments.resume} takes its plan from plan.json; {', '.join(extra)} would change it: leave "
            "that out, or start a new sweep under another --name"
        )
    _refuse_other_code(stored)
    plan = raised(stored, arguments)
    _check_configurations(plan)
    plan = _with_weights(plan)
    return Planned(plan, resume=True, sources={"plan": f"plan.json of {plan.name}"}, stored=stored)


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


def _weights(plan: Plan) -> dict[str, str]:
    """By stage that reads published weights: the digest of a local file, or the id of what lies elsewhere."""
    configs = {stage.name: stage.config for stage in plan.stages()}
    found = {name: config.get("identity", config.get("sha256")) for name, config in configs.items()}
    return {name: value for name, value in found.items() if value is not None}


def _with_weights(plan: Plan) -> Plan:
    """With those of groups that a raise added. Raises `UserError` where a file is no longer what it was."""
    now = _weights(plan)
    for name, before in plan.weights.items():
        if now.get(name, before) != before:
            raise UserError(
                f"the weights of {name} have changed since sweep {plan.name!r} started (SHA-256 {before[:12]}..., now "
                f"{now[name][:12]}...): its jobs would not be comparable. Restore the file, or start a new sweep"
            )
    return plan if now == plan.weights else replace(plan, weights=now)


def _is_given(value: Any) -> bool:
    """Whether a flag was typed; 0 is a value like others."""
    return value is not None and value is not False and value != []


def _agrees(plan: Plan, name: str, value: Any, folder: Path) -> bool:
    """Whether a flag merely repeats what the plan says; of what may be several, some is repetition enough."""
    if name == "space":
        return bool(_space_file(value, folder) == (plan.space_file or plan.space))
    if name == "corpus":
        return _corpus_place(value, folder) == plan.corpus_source
    if name == "labelled_minutes":
        return _minutes(value) == plan.data.labelled_minutes
    if name == "also":
        return set(_further_metrics(value, plan.space_object())) <= set(plan.also)
    if name == "settings":
        return _fixed(value).items() <= plan.fixed.items()
    if name in ("tracking_uri", "study_uri"):
        return bool(getattr(plan, name) == _absolute(value, folder))
    says = {
        "name": plan.name,
        "preset": plan.preset,
        "steps": plan.steps,
        "seed": plan.sweep_seed,
        "gpus_per_trial": plan.gpus_per_trial,
        "asynchronous": plan.asynchronous,
    }
    return name in says and says[name] == value
