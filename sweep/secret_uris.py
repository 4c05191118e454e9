"""Passwords in addresses: written nowhere, taken from flags and environment at every start.

A stored address has *** in place of its password, so two addresses are the same place if they agree so far.
"""

import argparse
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from trainables.errors import UserError

if TYPE_CHECKING:
    from sweep.plan import Plan

HIDDEN = "***"
_FIELDS = {"study_uri": "SPEECH_SWEEP_STUDY_URI", "tracking_uri": "MLFLOW_TRACKING_URI"}


def hide_password(uri: str) -> str:
    """The address without its password; of a web address also without the user, which may be a token."""
    if uri.startswith("http"):
        uri = re.sub(r"://.*@", f"://{HIDDEN}@", uri)
    uri = re.sub(r"(://[^:/@\s]*):.*@", rf"\1:{HIDDEN}@", uri)
    return re.sub(r"([?&][a-z]*password=)[^&\s]*", rf"\1{HIDDEN}", uri)


def known_secrets(arguments: argparse.Namespace, environ: Mapping[str, str]) -> dict[str, str]:
    """What this start says each address is."""
    given = {
        name: getattr(arguments, name, None) or environ.get(variable) for name, variable in _FIELDS.items()
    }
    return {name: uri for name, uri in given.items() if uri}


def restore_secrets(plan: "Plan", known: Mapping[str, str]) -> "Plan":
    """The plan with its passwords. Raises `UserError`, naming flag and variable, where one is not given."""
    for name, variable in _FIELDS.items():
        stored = getattr(plan, name)
        if HIDDEN not in stored:
            continue
        given = known.get(name, "")
        if hide_password(given) != stored:
            flag = "--" + name.replace("_", "-")
            raise UserError(
                f"sweep {plan.name!r} uses {stored}, whose password is not stored: give {flag} or {variable} "
                "with it again"
            )
        whole: dict[str, Any] = {name: given}
        plan = replace(plan, **whole)
    return plan
