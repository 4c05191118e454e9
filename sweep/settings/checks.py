"""Checks of arguments and of whole plans, made before anything starts."""

import argparse

from search_spaces import SPACES
from search_spaces.space import Candidate
from sweep.plan.plan import GroupPlan, Plan
from sweep.settings.further_metrics import check_further_metrics, identities
from sweep.settings.requirements import require_fit
from sweep.settings.settings import flag_of
from trainables.base.errors import UserError
from trainables.config.fields import rules_of
from trainables.config.registry import METHODS, check_weights, config_class


def refuse_empty(arguments: argparse.Namespace) -> None:
    """Raise `UserError` for a value that is empty.

    It is what an unset shell variable leaves: taken as "not given", it would start another sweep than was meant.
    """
    for name, value in vars(arguments).items():
        if value == "":
            raise UserError(f"{flag_of(name)} '' is empty, as an unset variable is: give a value, or leave it out")


def check_plan(plan: Plan) -> None:
    """Raise `UserError` unless every candidate's first configuration is valid and fits the corpus and the metrics."""
    _check_shared_fields(plan)
    for group in plan.groups:
        for candidate in group.candidates:
            _check_candidate(plan, group, candidate)
    check_further_metrics(plan)
    require_fit(plan)


def _check_shared_fields(plan: Plan) -> None:
    """Where there are several methods, each takes the fields it has: one that none has is a mistake.

    A preset may set more, for candidates that a space made from it has left out.
    """
    if not plan.mixed:
        return  # the method itself says so
    own, installed = plan.methods(), METHODS.usable()
    asked = [(field, own) for field in plan.fixed]
    asked += [(field, installed) for group in plan.groups for field in plan.shared_config(group.name)]
    for field, methods in asked:
        if not any(field in rules_of(info.config) for info in methods.values()):
            fields = "; ".join(f"{name}: {', '.join(sorted(rules_of(info.config)))}" for name, info in own.items())
            raise UserError(f"no method of space {plan.space} has a field {field!r}; their fields are {fields}")


def _check_candidate(plan: Plan, group: GroupPlan, candidate: Candidate) -> None:
    """Its first configuration is valid, and --set fixes nothing that the space compares."""
    space = plan.space_object()
    clash = sorted(set(plan.fixed) & (set(candidate.config) | set(group.group)))
    if clash:
        raise UserError(f"--set {clash[0]}=...: that is what space {space.name} compares; it cannot be fixed")
    config = plan.config(group.name, candidate.label, plan.anchor(group, candidate))
    parsed = config_class(plan.method_of(candidate)).from_dict(config)
    parsed.require_inputs()
    parsed.data_settings(plan.data_of(group.name))  # which may refuse its crops
    if plan.space_file or SPACES.added_by(plan.space):
        _check_suggestions(plan, group, candidate.label)


def _check_suggestions(plan: Plan, group: GroupPlan, label: str) -> None:
    """Call a user's own suggest function once per candidate."""
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


def weights_of(plan: Plan) -> dict[str, str]:
    """By stage that reads published weights, and metric with a model: a local file's SHA-256, or what identifies it.

    Raises `UserError` where a local file holds something else than is configured.
    """
    stages = plan.stages()
    for stage in stages:
        check_weights(stage)
    configs = {stage.name: stage.config for stage in stages}
    found = {name: config.get("identity", config.get("sha256")) for name, config in configs.items()}
    return {name: value for name, value in found.items() if value is not None} | identities(plan)
