"""A finished sweep's report: the real verdict, figures and pages over simulated rows and clips."""

import json
from pathlib import Path
from typing import Any

from sweep.report.findings.findings import findings
from sweep.report.findings.metric_means import scores_of
from sweep.report.publication import Publication
from sweep.storage.checkpoints import StoredCheckpoints
from tests.support.sweeps.finished_sweep import finished_sweep, rows_on_test
from tests.support.sweeps.kept_clips import keep_clips
from trainables.base.storage.storage import Storage


def published_report(base: Path) -> tuple[Path, dict[str, Any]]:
    """The folder that holds the report's files, and the result they show."""
    plan = finished_sweep(base)
    keep_clips(plan)
    storage = Storage(plan.output)
    rows = rows_on_test(plan)
    leaders = {group.name: "layer2" for group in plan.groups}
    result = json.loads(storage.read("result.json")) | findings(plan, scores_of(plan, rows), leaders, [])
    folder = base / "report"
    folder.mkdir()
    Publication(plan, result, rows, [], StoredCheckpoints(storage)).write(folder)
    return folder, result
