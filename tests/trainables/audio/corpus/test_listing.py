"""Splits without a manifest: a stable hash, no owner in two, none empty."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainables.audio.corpus.listing import SPLITS, assign_splits
from trainables.base.errors import UserError

OWNERS = st.sets(st.text("abcdefgh0123456789", min_size=1, max_size=6), min_size=3, max_size=60)


@settings(max_examples=50, deadline=None)
@given(OWNERS)
def test_every_owner_has_one_split_and_every_split_an_owner(owners: set[str]) -> None:
    split_of = assign_splits(owners, "speech", "here")
    assert split_of.keys() == owners
    assert set(split_of.values()) == set(SPLITS)


@settings(max_examples=20, deadline=None)
@given(OWNERS)
def test_train_is_never_the_smallest(owners: set[str]) -> None:
    splits = list(assign_splits(owners, "speech", "here").values())
    assert splits.count("train") >= splits.count("valid") == splits.count("test")


def test_the_hash_is_the_same_on_every_machine() -> None:
    split_of = assign_splits({f"p{number}" for number in range(10)}, "speech", "here")
    held_out = {split: owner for owner, split in split_of.items() if split != "train"}
    assert held_out == {"test": "p8", "valid": "p5"}


@pytest.mark.parametrize("owners", [set(), {"ann"}, {"ann", "bea"}])
def test_fewer_than_three_cannot_be_disjoint(owners: set[str]) -> None:
    with pytest.raises(UserError, match="at least 3"):
        assign_splits(owners, "speech", "here")
