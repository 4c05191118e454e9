"""Assignments that outlive the step: of training mixtures, and of single voices.

Keyed by content, never by position in a batch or by order of reading: a voice is a digest of its utterance (or of its
speaker), a mixture the set of its voices. So a mixture that is drawn again, its voices in another order, cropped or
mixed at another level, finds its assignment, and a resumed run the same as one never stopped. Everything lies in
buffers, whose size is fixed before it is known how many different mixtures and voices there are.

An order is (sources,), order[r] = the output of voice r, as in `losses/permutation.py`.
"""

import torch
from torch import Tensor, nn

from trainables.base.padding import valid_mask
from trainables.base.randomness import derive_seed, generator
from trainables.losses.permutation import best_assignment, margin

DECAY = 0.9  # of a voice's shares at each of its visits
UNSURE = 0.05  # below this margin of the shares there is no assignment
_NONE = -1  # below every key and every output


class KeptAssignments(nn.Module):
    """One order for each of a fixed set of mixtures, known once it has been kept."""

    keys: Tensor
    outputs: Tensor

    def __init__(self, mixtures: int, sources: int):
        """There is room for so many mixtures; `expect` says which."""
        super().__init__()
        self.register_buffer("keys", _no_keys(mixtures))
        # Of each mixture's voices, sorted by key.
        self.register_buffer("outputs", torch.full((mixtures, sources), _NONE, dtype=torch.int8))

    def expect(self, voices: Tensor) -> None:
        """Forget all; the set is that of mixtures of `voices` (mixtures, sources), those of the same voices being one.

        Raises:
            ValueError: they are more than there is room for.
        """
        _fill(self.keys, _mixture_keys(voices))
        self.outputs.fill_(_NONE)

    def keep(self, voices: Tensor, orders: Tensor) -> None:
        """Remember (batch, sources) orders of mixtures of these voices, (batch, sources) keys; later ones replace.

        Raises:
            KeyError: a mixture is none of the set.
        """
        places, found = self._places(voices)
        if not found.all():
            raise KeyError("a mixture that is none of those whose assignments are kept")
        outputs = orders.gather(1, voices.argsort(dim=1)).to(self.outputs)
        for place, row in zip(places.tolist(), outputs, strict=True):  # in turn: a mixture may occur twice
            self.outputs[place] = row

    def look_up(self, voices: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, sources) orders and (batch,) whether they are known; unknown ones are the identity."""
        places, found = self._places(voices)
        kept = self.outputs[places].long()
        known = found & (kept != _NONE).all(dim=1)
        orders = kept.gather(1, voices.argsort(dim=1).argsort(dim=1))
        identity = torch.arange(voices.shape[1], device=orders.device)
        return torch.where(known[:, None], orders, identity), known

    def shuffle(self, seed: int) -> None:
        """Give every mixture the assignment of another one: a control, with as many of each order as before."""
        kept = self.outputs[self.keys != _NONE]
        drawn = torch.from_numpy(generator(seed, "shuffled assignments").permutation(len(kept)))
        self.outputs[self.keys != _NONE] = kept[drawn.to(kept.device)]

    def _places(self, voices: Tensor) -> tuple[Tensor, Tensor]:
        """(batch,) rows of these mixtures, and whether they are there."""
        keys = torch.tensor(_mixture_keys(voices), dtype=torch.int64, device=self.keys.device)
        places = torch.searchsorted(self.keys, keys).clamp(max=len(self.keys) - 1)
        return places, self.keys[places] == keys


class VoiceShares(nn.Module):
    """To which output each voice has gone, as shares that decay from visit to visit."""

    keys: Tensor
    shares: Tensor

    def __init__(self, voices: int, sources: int):
        """There is room for so many voices; `expect` says which."""
        super().__init__()
        self.register_buffer("keys", _no_keys(voices))
        self.register_buffer("shares", torch.zeros(voices, sources))

    def expect(self, voices: Tensor) -> None:
        """Forget all; `voices`, keys in any shape, are all that can be seen.

        Raises:
            ValueError: they are more than there is room for.
        """
        _fill(self.keys, voices.flatten().tolist())
        self.shares.zero_()

    def visit(self, voices: Tensor, orders: Tensor) -> None:
        """Move the shares of (batch, sources) voices towards the outputs that `orders` gave them."""
        outputs = nn.functional.one_hot(orders, self.shares.shape[1]).to(self.shares)
        # One after the other: an utterance may occur twice in a batch.
        for place, output in zip(self._places(voices).flatten().tolist(), outputs.flatten(0, 1), strict=True):
            self.shares[place].mul_(DECAY).add_(output, alpha=1 - DECAY)

    def look_up(self, voices: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, sources) orders of the largest shares, and (batch,) whether their lead is `UNSURE` or more."""
        shares = self.shares[self._places(voices)]  # (batch, sources, outputs): a matrix of scores like any other
        return best_assignment(shares).order, margin(shares) * shares.shape[1] >= UNSURE

    def _places(self, voices: Tensor) -> Tensor:
        """(batch, sources) rows of these voices. Raises KeyError for one that is none of the set."""
        voices = voices.to(self.keys.device)
        places = torch.searchsorted(self.keys, voices).clamp(max=len(self.keys) - 1)
        if not torch.equal(self.keys[places], voices):
            raise KeyError("a voice that is none of those whose shares are counted")
        return places


def loudest_first(references: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, sources) orders that give output 0 the voice of most energy, output 1 the next, and so on.

    Args:
        references: (batch, sources, samples).
        lengths: (batch,) valid samples of each item; None = all.
    """
    valid = valid_mask(references[:, 0], lengths)[:, None]
    energy = (references * valid).square().sum(dim=-1)
    return energy.argsort(dim=1, descending=True, stable=True).argsort(dim=1)


def where_known(kept: Tensor, known: Tensor, pairwise: Tensor) -> Tensor:
    """The kept orders, (batch, sources), and the best ones of the moment where none is known."""
    return torch.where(known[:, None], kept, best_assignment(pairwise).order)


def conflict_percent(kept: Tensor, known: Tensor, best: Tensor) -> float:
    """Percentage of the known assignments that PIT would choose otherwise now; 0 where none is known."""
    if not known.any():
        return 0.0
    return 100 * float((kept != best).any(dim=1)[known].float().mean())


def _no_keys(room: int) -> Tensor:
    return torch.full((room,), _NONE, dtype=torch.int64)


def _fill(keys: Tensor, found: list[int]) -> None:
    """Each of `found` once, ascending, behind the places that stay empty."""
    own = sorted(set(found))
    if len(own) > len(keys):
        raise ValueError(f"room for {len(keys)} keys, and {len(own)} were found")
    keys.fill_(_NONE)
    keys[len(keys) - len(own) :] = torch.tensor(own, dtype=torch.int64)


def _mixture_keys(voices: Tensor) -> list[int]:
    return [derive_seed("mixture", *sorted(each)) for each in voices.tolist()]
