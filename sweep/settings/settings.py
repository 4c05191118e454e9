"""Where each setting comes from: a flag, else the environment, else a default; read, checked and made absolute."""

import argparse
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from search_spaces.space import Preset, Space
from search_spaces.space_file import is_space_file
from sweep.core.addresses import VARIABLES, absolute_uri, check_study_uri, check_tracking_uri, sqlite_path
from sweep.core.hardware import cuda_devices
from sweep.core.next_command import typed
from sweep.machines.capacity import cluster_has_gpus
from sweep.machines.ray_session import cluster_address
from sweep.plan.plan import Plan
from sweep.stored.by_name import is_remote, resolve_base
from trainables.base.errors import UserError
from trainables.base.paths import absolute, is_text, shown
from trainables.base.storage.storage import s3_address
from trainables.config.fields import FieldRules
from trainables.config.registry import config_class

if TYPE_CHECKING:
    from sweep.settings.design import Trade

DEMO = "demo"  # the corpus that needs no data


@dataclass(frozen=True)
class Planned:
    """A plan, where its settings came from, and what it continues."""

    plan: Plan
    stored: Plan | None = None  # of a resume: the plan as the last start left it, before this one's flags extended it
    sources: dict[str, str] = field(default_factory=dict)  # setting -> "--flag", "VARIABLE" or "default"
    left: str | None = None  # of a resume: the place that plan.json names, if the sweep was found in another
    trade: "Trade | None" = None  # of --resolve and --within: what was chosen, and from what
    reuse: bool = True  # whether this start takes jobs of earlier sweeps; it changes no bit, so no plan holds it

    @property
    def measures_gpu_share(self) -> bool:
        """Whether jobs use GPUs and the user left open how many share one."""
        return self.plan.gpus_per_trial > 0 and self.sources.get("gpus_per_trial") == "default"


class Settings:
    """The settings of one start; `folder` is the user's, which relative paths start from."""

    def __init__(self, arguments: argparse.Namespace, environ: Mapping[str, str], folder: Path) -> None:
        self.arguments = arguments
        self.environ = environ
        self.folder = folder
        self.sources: dict[str, str] = {}

    def get(self, name: str, default: Any = None, variable: str | None = None) -> Any:
        """Flag, else environment variable, else default; `sources` keeps which it was."""
        value = getattr(self.arguments, name)
        source = flag_of(name)
        if value is None and variable and self.environ.get(variable):
            value, source = self.environ[variable], variable
        if value is None:
            value, source = default, "default"
        self.sources[name] = source
        return value

    # Each of these raises `UserError`, naming the flag or variable, for a value that cannot work.

    def space(self) -> str:
        """A space's name, or the absolute path of the user's own file."""
        name = self.get("space")
        if not name:
            raise UserError("which question? give --space NAME (--list-spaces shows them), or --resume NAME")
        return require_text(space_file(name, self.folder), "--space")

    def preset(self, space: Space) -> Preset:
        name = self.get("preset", variable="SPEECH_SWEEP_PRESET")
        if name is None:
            name = default_preset(space, self.environ)
            if name == "paper":
                self.sources["preset"] = "default, because there is a GPU; --preset demo is the small one"
        if name not in space.presets:
            raise UserError(
                f"{self.sources['preset']}: unknown preset {name!r} for space {space.name}: choose one of "
                f"{', '.join(space.presets)}"
            )
        return space.presets[name]

    def base(self) -> str:
        """The absolute folder or s3:// prefix that holds the sweep."""
        return resolve_base(self.get("output", "sweeps", "SPEECH_SWEEP_OUTPUT"), self.folder)

    def corpus(self, preset: Preset) -> str:
        """An absolute folder that exists, an s3:// prefix or "demo"."""
        source = str(self.get("corpus", DEMO, "SPEECH_SWEEP_CORPUS"))
        if preset.at_scale and self.sources["corpus"] == "default":
            raise UserError(
                f"preset {preset.name} needs a real corpus: prepare one (such as {typed('prepare')} voicebank-demand "
                "SOURCE TARGET) and give it with --corpus or SPEECH_SWEEP_CORPUS, or choose --preset demo"
            )
        return self._corpus_there(source, self.sources["corpus"])

    def pretraining_corpus(self) -> str:
        """The same, or "" where pre-training has none of its own."""
        source = self.get("pretraining_corpus")
        return self._corpus_there(source, "--pretraining-corpus") if source else ""

    def _corpus_there(self, source: str, setting: str) -> str:
        if source == DEMO or s3_address(source, setting):
            return source
        path = require_text(corpus_place(source, self.folder), setting)
        try:
            problem = "" if Path(path).exists() else f"{path} does not exist on this machine"
        except OSError as error:
            problem = str(error.strerror)
        if problem:
            raise UserError(
                f"{setting} {source[:200]!r}: {problem}; give a folder that can be entered, a prepared corpus in "
                "s3://, or 'demo'"
            )
        return path

    def address(self, name: str, default: str) -> str:
        """`name` is "study_uri" or "tracking_uri"; absolute, since the driver changes its folder while it runs."""
        uri = self.get(name, default, VARIABLES[name])
        check = check_study_uri if name == "study_uri" else check_tracking_uri
        check(uri, self.sources[name])
        whole = absolute_uri(uri, self.folder)
        file = sqlite_path(whole)
        if self.sources[name] != "default" and file is not None:  # by default it lies with the results
            require_writable(file.parent, f"{self.sources[name]} {uri!r}", itself=True)
        return whole

    def labelled_minutes(self, preset: Preset) -> float | None:
        """Minutes; None for all there are."""
        text = self.get("labelled_minutes")
        return preset.data.labelled_minutes if text is None else minutes(text)

    def gpus_per_trial(self, preset: Preset) -> float:
        """By default a whole GPU for full-size models if there is one, until it is measured how many jobs share it."""
        on_gpu = preset.at_scale and bool(cluster_address(self.environ) or cuda_devices())
        return float(self.get("gpus_per_trial", float(on_gpu)))


def require_text(place: str, named: str) -> str:
    """The place itself. Raises `UserError` for a name that would break the lines it is shown in."""
    if not is_text(place):
        raise UserError(f"{named} {shown(place)!r}: holds control characters; rename it")
    return place


def require_writable(folder: Path, named: str, itself: bool = False) -> None:
    """Raise `UserError` unless files can be put there; unless `itself` must exist, it may have to be made first."""
    try:
        there = folder if itself else next(each for each in (folder, *folder.parents) if os.path.exists(each))
        problem = "" if there.is_dir() else "is not a folder" if there.exists() else "does not exist"
        problem = problem or ("" if os.access(there, os.W_OK | os.X_OK) else "is not yours to write to")
    except OSError as error:
        there, problem = folder, str(error.strerror)
    if problem:
        raise UserError(f"{named}: {shown(there)} {problem}; give a place in a folder that you can write to")


def flag_of(name: str) -> str:
    """The flag that fills this field of the parsed arguments."""
    return "--" + {"settings": "set", "asynchronous": "async"}.get(name, name.replace("_", "-"))


def default_preset(space: Space, environ: Mapping[str, str]) -> str:
    """ "paper" if the space has it and this machine or its cluster has CUDA, else "demo", else the space's first."""
    if "paper" in space.presets and (cuda_devices() or cluster_has_gpus(environ)):
        return "paper"
    return "demo" if "demo" in space.presets else next(iter(space.presets))


# -- one value, as it was typed --------------------------------------------------------------------------


def space_file(name: str, folder: Path) -> str:
    """A file's absolute path, a space's name as it is."""
    return str(absolute(name, folder)) if is_space_file(name) else name


def corpus_place(source: str, folder: Path) -> str:
    """A folder's absolute path; "demo" and s3:// addresses as they are."""
    if source == DEMO or is_remote(source):
        return source
    return str(absolute(source, folder))


def minutes(text: str) -> float | None:
    """The minutes of `--labelled-minutes`; None for "all". Raises `UserError`."""
    if text == "all":
        return None
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise UserError(f"--labelled-minutes {text!r}: give a number of minutes above 0, or 'all'")
    return number


def fixed_fields(settings: list[str], methods: Iterable[str], folder: Path) -> dict[str, Any]:
    """The fields of `--set FIELD=VALUE`; a value is JSON, else the text itself. Raises `UserError`.

    A term of the method's paper becomes the field that expresses it, and a path, typed in `folder`, absolute.
    """
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
        except (ValueError, RecursionError) as error:  # thousands of digits, or of brackets
            raise UserError(f"--set {item[:40]}...: too long to be read; give a shorter value") from error
    for rules in [FieldRules(method, config_class(method)) for method in methods]:
        fixed = rules.located(rules.in_own_terms(fixed), folder)
    return fixed
