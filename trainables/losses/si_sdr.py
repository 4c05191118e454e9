"""Scale-invariant signal-to-distortion ratio, as a loss.

Le Roux et al., "SDR: half-baked or well done?", 2019. Where nothing is to be divided, the guards are those of
asteroid's `singlesrc_neg_sisdr` and `pairwise_neg_sisdr`, so that losses are the same numbers from the first step
on, when outputs are still quiet:

    10 log10(c / (d + eps) + eps),  c the energy of the projection on the reference, d that of the residual

A silent estimate and a silent reference both give -80 dB, without a gradient.
"""

import torch
from torch import Tensor

from trainables.base.padding import valid_mask

EPS = 1e-8  # asteroid's


def si_sdr(estimate: Tensor, reference: Tensor, lengths: Tensor | None = None, zero_mean: bool = True) -> Tensor:
    """SI-SDR of each item in dB, both signals made zero-mean first unless `zero_mean` is False.

    s = <e, r> r / ||r||^2;  SI-SDR = 10 log10(||s||^2 / ||e - s||^2)

    Args:
        estimate: (batch, samples).
        reference: (batch, samples).
        lengths: (batch,) valid samples of each item; what lies beyond is ignored. None = all.

    Returns:
        (batch,) in dB.
    """
    return masked_si_sdr(estimate, reference, valid_mask(reference, lengths), zero_mean)


def masked_si_sdr(estimate: Tensor, reference: Tensor, mask: Tensor, zero_mean: bool = True) -> Tensor:
    """(batch,) SI-SDR in dB of the samples where `mask` (batch, samples) is 1, as if they were one signal."""
    place = _zero_mean if zero_mean else torch.mul
    estimate, reference = place(estimate, mask), place(reference, mask)
    energy = reference.square().sum(-1, keepdim=True)
    target = (estimate * reference).sum(-1, keepdim=True) / (energy + EPS) * reference
    return decibels(target.square().sum(-1), (estimate - target).square().sum(-1))


def decibels(target: Tensor, distortion: Tensor) -> Tensor:
    """10 log10 of two energies' ratio, with the guards above; any shape."""
    return 10 * torch.log10(target / (distortion + EPS) + EPS)


def si_sdr_loss(estimate: Tensor, reference: Tensor, lengths: Tensor | None = None, zero_mean: bool = True) -> Tensor:
    """Negative mean SI-SDR (dB) over the batch; arguments as in `si_sdr`."""
    return -si_sdr(estimate, reference, lengths, zero_mean).mean()


def _zero_mean(signal: Tensor, mask: Tensor) -> Tensor:
    """Subtract the mean over the masked samples; the rest becomes zero."""
    mean = (signal * mask).sum(-1, keepdim=True) / mask.sum(-1, keepdim=True).clamp_min(1)
    return (signal - mean) * mask
