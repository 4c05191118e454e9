"""A sweep whose jobs all are kept comes to its end without Ray: through interim looks, and until it is stopped."""

from dataclasses import replace
from pathlib import Path

import pytest

from sweep.core.listener import Event, JobEnded
from sweep.core.stopping import Interrupted, StopSignal
from sweep.engine.tune_run import run_sweep
from sweep.machines.workers import Workers
from tests.sweep.engine.test_reuse import PLAN, Sweep

LOOKED = replace(PLAN, seeds=(1001, 1002, 1003), looks=(2, 3))


class _Looks:
    """Undecided when first asked, as while finalists are being scored; then two candidates stay."""

    def __init__(self) -> None:
        self.asked = 0

    def staying(self, group: str, seeds: int) -> tuple[str, ...] | None:
        self.asked += 1
        return None if self.asked < 3 else ("none", "layer2")

    def until(self, group: str, seeds: int) -> int:
        return 3

    def given(self, group: str) -> int:
        raise AssertionError("the driver's question")

    def is_decided(self, group: str, seeds: int) -> bool:
        raise AssertionError("the driver's question")


def _no_ray() -> tuple[()]:
    raise AssertionError("Ray is started")


def _first(folder: Path) -> Sweep:
    sweep = Sweep(folder, LOOKED)
    sweep.simulation.contention = _Looks()
    return sweep.run()


def test_interim_looks_are_waited_for_and_no_machine_is_taken(tmp_path: Path) -> None:
    first = _first(tmp_path)
    again, looks = Sweep(tmp_path, replace(LOOKED, name="again")), _Looks()
    run_sweep(again.plan, again.store, {}, [again], None, None, None, looks, again.reuse, Workers(_no_ray))
    assert looks.asked == 3
    assert again.facts == first.facts
    assert sum("final" in job for job in again.facts) == 5 * 2 + 2


def test_a_request_to_stop_ends_it_between_two_jobs(tmp_path: Path) -> None:
    _first(tmp_path)
    again, stop = Sweep(tmp_path, replace(LOOKED, name="again")), StopSignal()

    class _CtrlC:
        def hear(self, event: Event) -> None:
            if isinstance(event, JobEnded):
                stop.ask("Ctrl-C")

    with pytest.raises(Interrupted, match=r"Ctrl-C"):
        run_sweep(again.plan, again.store, {}, [_CtrlC()], None, stop, None, _Looks(), again.reuse, Workers(_no_ray))
    assert [record.state for record in again.store.all_records(again.plan)] == ["complete"]


def test_the_first_job_that_must_be_trained_takes_the_machines(tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, LOOKED)
    with pytest.raises(AssertionError, match="Ray is started"):
        run_sweep(sweep.plan, sweep.store, {}, [], None, None, None, _Looks(), sweep.reuse, Workers(_no_ray))
    assert [record.state for record in sweep.store.all_records(sweep.plan)] == ["running"]
