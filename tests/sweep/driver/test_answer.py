"""The leaders are frozen on valid: named once, kept, and refused where there is nothing to choose by."""

from pathlib import Path
from typing import cast

import pandas as pd
import pytest

from sweep.driver.answer import Finalists, freeze_nominations
from sweep.stored import layout
from sweep.stored.rows import Rows
from tests.support.sweeps.result_rows import result_rows, scores
from tests.support.sweeps.small_sweep import make_plan
from trainables.base.errors import UserError
from trainables.base.storage.storage import Storage


def as_rows(table: pd.DataFrame) -> Rows:
    return cast(Rows, table.to_dict("records"))


def test_a_stored_nomination_never_changes(tmp_path: Path) -> None:
    plan, storage = make_plan(tmp_path), Storage(tmp_path)
    finalists = {group.name: Finalists((), ()) for group in plan.groups}

    def freeze(*means: float) -> dict[str, str]:
        table = result_rows(scores(means), seeds=plan.seeds, split="valid")
        both = [row | {"group": group.name} for group in plan.groups for row in as_rows(table)]
        return freeze_nominations(plan, storage, both, finalists)

    first = freeze(1.0, 1.2, 2.0, 1.5, 0.4)
    assert first == {"tera": "layer2", "wav2vec2": "layer2"}
    assert freeze(3.0, 1.2, 2.0, 1.5, 0.4) == first


def test_without_any_score_nothing_is_named_or_stored(tmp_path: Path) -> None:
    plan, storage = make_plan(tmp_path), Storage(tmp_path)
    table = result_rows(scores((1.0, 1.2, 2.0, 1.5, 0.4)), seeds=plan.seeds, split="valid", metric="stoi")
    with pytest.raises(UserError, match=f"no candidate has a valid {plan.metric} score"):
        freeze_nominations(plan, storage, as_rows(table), {g.name: Finalists((), ()) for g in plan.groups})
    assert not storage.exists(layout.NOMINATIONS)
