"""Small readings of a result object (what `--json` says) that its tables share."""

from collections.abc import Mapping, Sequence
from typing import Any


def group_name(group: Mapping[str, str]) -> str:
    """A group in one word: {"upstream": "tera"} -> "tera", {} -> "all"."""
    return "-".join(group.values()) or "all"


def by_score(candidates: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Best first; those without a score last."""
    return sorted(candidates, key=lambda item: (item["score"] is None, -(item["score"] or 0.0)))


def candidate_verdict(group: Mapping[str, Any], label: str) -> str:
    """One of winner, leader (of a tie), contender (not separated from the leader) and behind."""
    if label == group["leader"]["label"]:
        return "winner" if group["verdict"] == "winner" else "leader"
    return "contender" if label in group["contenders"] else "behind"
