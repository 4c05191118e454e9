"""What a new sweep would not train: never more than what it then finds, and all of it where everything is kept."""

from dataclasses import replace
from pathlib import Path

from sweep.engine.forecast import known_jobs
from sweep.plan.cost import Known
from tests.sweep.engine.test_reuse import AGAIN, PLAN, Sweep, kept_files

CANDIDATES = len(PLAN.groups[0].candidates)


def test_nothing_is_known_before_the_first_sweep_and_everything_after_it(tmp_path: Path) -> None:
    second = Sweep(tmp_path, AGAIN)
    assert known_jobs(AGAIN, second.reuse) == Known()
    Sweep(tmp_path).run()
    whole = Known({"tera": PLAN.samples * CANDIDATES}, {"tera": len(PLAN.seeds) * CANDIDATES})
    assert known_jobs(AGAIN, second.reuse) == whole
    assert not (tmp_path / AGAIN.name).exists()


def test_more_seeds_are_not_known(tmp_path: Path) -> None:
    Sweep(tmp_path).run()
    more = replace(AGAIN, seeds=(*PLAN.seeds, 1003))
    assert known_jobs(more, Sweep(tmp_path, more).reuse).final == {"tera": len(PLAN.seeds) * CANDIDATES}


def test_it_never_promises_what_the_sweep_then_trains(tmp_path: Path) -> None:
    Sweep(tmp_path).run()
    for file in kept_files(tmp_path, "reports")[::4]:
        file.unlink()
    second = Sweep(tmp_path, AGAIN)
    known = known_jobs(AGAIN, second.reuse)
    found = len(list(AGAIN.all_jobs())) - len(set(second.run().trained))
    assert sum(known.search.values()) + sum(known.final.values()) <= found


def test_without_reuse_nothing_is_known(tmp_path: Path) -> None:
    Sweep(tmp_path).run()
    assert known_jobs(AGAIN, Sweep(tmp_path, AGAIN, reads=False).reuse) == Known()
