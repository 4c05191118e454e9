"""Assignments keyed by content: whatever the order, the batch or the process, a mixture finds its own."""

from itertools import permutations

import pytest
import torch

from trainables.audio.examples.mixing import voice_key
from trainables.base.tensors import pack, unpack
from trainables.losses.permutation import assigned, best_assignment
from trainables.separation.kept_assignments import (
    DECAY,
    KeptAssignments,
    VoiceShares,
    conflict_percent,
    loudest_first,
    where_known,
)

A, B, C, D = (voice_key(name) for name in ("anna-1", "bert-7", "cora-2", "dora-9"))


def mixtures(*voices: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(voices, dtype=torch.int64)


def orders(*rows: tuple[int, ...]) -> torch.Tensor:
    return torch.tensor(rows)


def expecting(voices: torch.Tensor, spare: int = 0) -> KeptAssignments:
    """Room for these mixtures and `spare` others."""
    kept = KeptAssignments(len(voices) + spare, voices.shape[1])
    kept.expect(voices)
    return kept


def counting(*voices: int, spare: int = 0) -> VoiceShares:
    votes = VoiceShares(len(voices) + spare, 2)
    votes.expect(torch.tensor(voices))
    return votes


def test_keys_are_the_same_everywhere_and_fit_int64() -> None:
    assert A == 744_488_993_891_192_195
    assert len({A, B, C, D}) == 4
    assert all(0 <= key < 2**63 for key in (A, B, C, D))


def test_a_mixture_finds_its_assignment_whatever_the_order_of_its_voices() -> None:
    kept = expecting(mixtures((A, B), (C, D)))
    kept.keep(mixtures((A, B)), orders((1, 0)))
    found, known = kept.look_up(mixtures((B, A), (A, B), (C, D)))
    assert found.tolist() == [[0, 1], [1, 0], [0, 1]]  # A's voice is output 1's in both
    assert known.tolist() == [True, True, False]


@pytest.mark.parametrize("turn", list(permutations(range(3))))
def test_three_voices_in_any_order(turn: tuple[int, ...]) -> None:
    voices, given = (A, B, C), (2, 0, 1)
    kept = expecting(mixtures(voices))
    kept.keep(mixtures(voices), orders(given))
    found, known = kept.look_up(mixtures(tuple(voices[place] for place in turn)))
    assert found.tolist() == [[given[place] for place in turn]]
    assert known.all()


def test_what_is_kept_later_replaces_what_was_before() -> None:
    kept = expecting(mixtures((A, B)))
    kept.keep(mixtures((A, B)), orders((1, 0)))
    kept.keep(mixtures((B, A)), orders((1, 0)))
    assert kept.look_up(mixtures((A, B)))[0].tolist() == [[0, 1]]


def test_a_mixture_that_is_kept_twice_at_once_has_the_later_assignment() -> None:
    kept = expecting(mixtures((A, B)))
    kept.keep(mixtures((A, B), (B, A), (A, B)), orders((0, 1), (0, 1), (1, 0)))
    assert kept.look_up(mixtures((A, B)))[0].tolist() == [[1, 0]]


def test_a_mixture_of_no_pool_is_unknown_and_cannot_be_kept() -> None:
    kept = expecting(mixtures((A, B)))
    found, known = kept.look_up(mixtures((A, C), (A, D), (C, D)))
    assert not known.any()
    assert found.tolist() == [[0, 1]] * 3
    with pytest.raises(KeyError):
        kept.keep(mixtures((A, C)), orders((0, 1)))


def test_a_killed_run_finds_what_it_had_kept() -> None:
    pool = mixtures((A, B), (C, D), (B, C))
    before = expecting(pool)
    before.keep(pool[:2], orders((1, 0), (0, 1)))
    after = expecting(pool.flip(0))  # the pool may be read in another order
    after.load_state_dict(unpack(pack(before.state_dict())))
    for one, other in zip(after.look_up(pool), before.look_up(pool), strict=True):
        assert torch.equal(one, other)


def test_the_same_voices_twice_in_a_pool_are_one_mixture() -> None:
    kept = expecting(mixtures((A, B), (B, A), (A, B), (A, C)))
    assert int((kept.keys >= 0).sum()) == 2


def test_places_that_stay_empty_are_found_by_nothing_and_take_no_part_in_a_shuffle() -> None:
    full, spare = expecting(mixtures((A, B), (C, D))), expecting(mixtures((A, B), (C, D)), spare=3)
    for kept in (full, spare):
        kept.keep(mixtures((A, B), (C, D)), orders((0, 1), (1, 0)))
        kept.shuffle(seed=3)
    looked = mixtures((A, B), (C, D), (A, C))
    for one, other in zip(full.look_up(looked), spare.look_up(looked), strict=True):
        assert torch.equal(one, other)
    assert spare.look_up(looked)[1].tolist() == [True, True, False]


def test_another_pool_forgets_the_one_before() -> None:
    kept = expecting(mixtures((A, B), (C, D)))
    kept.keep(mixtures((A, B)), orders((1, 0)))
    kept.expect(mixtures((A, B), (A, C)))
    assert kept.look_up(mixtures((A, B), (C, D)))[1].tolist() == [False, False]
    votes = counting(A, B)
    votes.visit(mixtures((A, B)), orders((1, 0)))
    votes.expect(torch.tensor([A, B]))
    assert votes.look_up(mixtures((A, B)))[1].tolist() == [False]


def test_more_than_there_is_room_for_is_an_error() -> None:
    with pytest.raises(ValueError, match="room for 1 keys, and 2"):
        KeptAssignments(1, 2).expect(mixtures((A, B), (C, D)))
    with pytest.raises(ValueError, match="room for 1 keys, and 2"):
        VoiceShares(1, 2).expect(torch.tensor([A, B]))


def test_shuffled_assignments_are_as_many_of_each_and_the_same_for_a_seed() -> None:
    pool = torch.randint(2**62, (200, 2), generator=torch.Generator().manual_seed(1))
    given = orders((0, 1), (1, 0)).repeat(100, 1)
    straight, first, second, other = (expecting(pool) for _ in range(4))
    for kept, seed in ((straight, None), (first, 3), (second, 3), (other, 4)):
        kept.keep(pool, given)
        if seed is not None:
            kept.shuffle(seed)
    assert torch.equal(first.outputs, second.outputs)
    assert not torch.equal(first.outputs, other.outputs)
    assert torch.equal(first.outputs.sort(0).values, straight.outputs.sort(0).values)
    agree = float((first.look_up(pool)[0] == given).all(1).float().mean())
    assert 0.3 < agree < 0.7


def test_pit_decides_where_nothing_is_kept() -> None:
    pairwise = torch.tensor([[[1.0, 9.0], [8.0, 2.0]]]).repeat(2, 1, 1)  # PIT would swap
    kept, known = orders((0, 1), (0, 1)), torch.tensor([True, False])
    order = where_known(kept, known, pairwise)
    assert order.tolist() == [[0, 1], [1, 0]]
    assert assigned(pairwise, order).score.tolist() == [1.5, 8.5]
    assert conflict_percent(kept, known, best_assignment(pairwise).order) == 100.0
    assert conflict_percent(kept, ~known | ~known.flip(0), best_assignment(pairwise).order) == 100.0
    assert conflict_percent(kept, torch.zeros(2, dtype=torch.bool), best_assignment(pairwise).order) == 0.0


def test_conflicts_are_counted_among_the_known() -> None:
    kept, best = orders((0, 1), (0, 1), (0, 1), (0, 1)), orders((0, 1), (1, 0), (1, 0), (0, 1))
    assert conflict_percent(kept, torch.tensor([True, True, False, True]), best) == pytest.approx(100 / 3)


# -- single voices ----------------------------------------------------------------------------------------


def test_a_voice_goes_where_it_has_mostly_gone() -> None:
    votes = counting(A, B, C)
    for _ in range(3):
        votes.visit(mixtures((A, B)), orders((1, 0)))
    order, sure = votes.look_up(mixtures((A, B), (C, A), (B, A)))
    assert order.tolist() == [[1, 0], [0, 1], [0, 1]]  # C is new: A's share alone decides
    assert sure.tolist() == [True, True, True]


def test_a_voice_that_is_none_of_the_set_is_an_error() -> None:
    """A neighbour's shares would be a wrong assignment without a word."""
    votes = counting(A, B, spare=2)
    with pytest.raises(KeyError):
        votes.look_up(mixtures((A, C)))
    with pytest.raises(KeyError):
        votes.visit(mixtures((D, A)), orders((0, 1)))


def test_shares_decay_from_visit_to_visit() -> None:
    votes = counting(A, B)
    votes.visit(mixtures((A, B)), orders((0, 1)))
    votes.visit(mixtures((A, B)), orders((1, 0)))
    kept = votes.shares[votes.keys.tolist().index(A)].tolist()
    assert kept == pytest.approx([(1 - DECAY) * DECAY, 1 - DECAY])


def test_a_voice_twice_in_a_batch_counts_twice() -> None:
    once, twice = counting(A, B, C), counting(A, B, C)
    twice.visit(mixtures((A, B), (A, C)), orders((0, 1), (0, 1)))
    once.visit(mixtures((A, B)), orders((0, 1)))
    once.visit(mixtures((A, C)), orders((0, 1)))
    assert torch.equal(once.shares, twice.shares)


def test_voices_that_never_were_or_contradict_each_other_leave_it_to_pit() -> None:
    votes = counting(A, B, C, D)
    votes.visit(mixtures((A, C), (B, D)), orders((0, 1), (0, 1)))
    _, sure = votes.look_up(mixtures((C, D), (A, B), (A, D)))
    assert sure.tolist() == [False, False, True]
    _, fresh = counting(A, B).look_up(mixtures((A, B)))
    assert fresh.tolist() == [False]


# -- energy ------------------------------------------------------------------------------------------------


def test_louder_voices_come_first() -> None:
    references = torch.randn(2, 3, 100) * torch.tensor([[1.0, 9.0, 3.0], [5.0, 0.1, 1.0]])[:, :, None]
    assert loudest_first(references).tolist() == [[2, 0, 1], [0, 2, 1]]


def test_energy_is_of_valid_samples_alone() -> None:
    references = torch.ones(1, 2, 10)
    references[0, 1] = 0.5
    references[0, 1, 5:] = 100.0
    assert loudest_first(references).tolist() == [[1, 0]]
    assert loudest_first(references, torch.tensor([5])).tolist() == [[0, 1]]


def test_equal_voices_keep_their_order() -> None:
    assert loudest_first(torch.ones(1, 3, 5)).tolist() == [[0, 1, 2]]
