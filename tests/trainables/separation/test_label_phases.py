"""The phases of the label strategies: one budget for all, and the same phases after a resume."""

import pytest

from trainables.separation.label_phases import (
    PHASES,
    STRATEGIES,
    counts_voices,
    keeps_labels,
    phase_number,
    phase_start,
    phase_starts,
    starts_anew,
)


def labels(strategy: str, steps: int) -> list[str]:
    return [PHASES[strategy][phase_number(strategy, step, steps)].labels for step in range(steps)]


def test_each_strategy_labels_every_step() -> None:
    assert labels("pit", 9) == ["pit"] * 9
    assert labels("fixed", 9) == ["pit"] * 3 + ["kept"] * 6
    assert labels("cascade", 9) == ["pit"] * 3 + ["kept"] * 3 + ["pit"] * 3
    assert labels("shuffled", 9) == ["pit"] * 3 + ["shuffled"] * 3 + ["pit"] * 3
    assert labels("anew", 9) == labels("warm", 9) == ["pit"] * 9
    assert labels("energy", 9) == ["energy"] * 9
    assert labels("voice", 9) == ["voice"] * 9


def test_controls_start_anew_where_their_models_do() -> None:
    anew = {name: [phase.start for phase in phases if phase.anew] for name, phases in PHASES.items()}
    assert anew["anew"] == anew["fixed"] == anew["cascade"] == anew["shuffled"] == [1 / 3]
    assert anew["pit"] == anew["warm"] == anew["energy"] == anew["voice"] == []
    assert phase_starts("warm", 300)[-1] == phase_starts("cascade", 300)[-1] == 200


@pytest.mark.parametrize("steps", [1, 2, 3, 7, 300, 1000, 100_000])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_phases_are_in_order_and_begin_once(strategy: str, steps: int) -> None:
    starts = phase_starts(strategy, steps)
    assert starts[0] == 0
    assert list(starts) == sorted(starts)
    numbers = [phase_number(strategy, step, steps) for step in range(min(steps, 2000))]
    assert numbers == sorted(numbers)
    assert numbers[0] == starts.count(0) - 1
    assert [step for step in range(min(steps, 2000)) if phase_start(strategy, step, steps) == step] == [
        step for step in sorted(set(starts)) if step < min(steps, 2000)
    ]


def test_a_third_is_whole_where_it_can_be() -> None:
    assert phase_starts("cascade", 300) == (0, 100, 200)
    assert phase_starts("cascade", 100) == (0, 34, 67)


def test_a_phase_began_where_its_steps_say() -> None:
    assert [phase_start("cascade", step, 9) for step in range(10)] == [0, 0, 0, 3, 3, 3, 6, 6, 6, 6]
    assert [phase_start("pit", step, 9) for step in range(10)] == [0] * 10


def test_who_keeps_labels() -> None:
    assert {name for name in STRATEGIES if keeps_labels(name)} == {"fixed", "cascade", "shuffled"}
    assert {name for name in STRATEGIES if counts_voices(name)} == {"voice"}
    assert {name for name in STRATEGIES if starts_anew(name)} == {"fixed", "cascade", "shuffled", "anew"}
