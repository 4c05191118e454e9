"""wav2vec 2.0's pre-training objective: identify the true quantized latent among distractors.

Baevski et al., "wav2vec 2.0", NeurIPS 2020. Spans of the projected latents are replaced by a learned
embedding; at each masked frame the context must pick the frame's own quantized latent among distractors from
other masked frames of the same utterance. Constants are the paper's where a short crop allows them.
Randomness comes from the global generators of torch and numpy, which the caller seeds at every step.
"""

import torch
from torch import Tensor, nn
from transformers import Wav2Vec2Config
from transformers.models.wav2vec2.modeling_wav2vec2 import (
    Wav2Vec2GumbelVectorQuantizer,
    _compute_mask_indices,
    _sample_negative_indices,
)

from trainables.ssl.bodies.waveform_body import CONVOLUTIONS, WaveformBody

MASK_RATIO = 0.65  # nominal; overlaps leave about half of the frames masked
SPAN = 5  # frames of 20 ms; the paper's 10 would leave a 1 s crop two or three spans
DISTRACTORS = 20
CODEBOOKS, CODES, CODE_DIM = 2, 32, 64  # codebooks, entries in each, size of the concatenated code
SIMILARITY_TEMPERATURE = 0.1
DIVERSITY_WEIGHT = 0.1
GUMBEL_START, GUMBEL_END, GUMBEL_DECAY = 2.0, 0.5, 0.995  # per step, whatever the budget


class ContrastivePretraining(nn.Module):
    """The body with a quantizer, two projections and a mask embedding, all discarded afterwards."""

    def __init__(self, body: WaveformBody) -> None:
        super().__init__()
        self.body = body
        latent_channels, hidden = body.channels[CONVOLUTIONS], body.channels[-1]
        self.quantizer = _quantizer(latent_channels)
        self.project_context = nn.Linear(hidden, CODE_DIM)
        self.project_code = nn.Linear(CODE_DIM, CODE_DIM)
        self.mask_embedding = nn.Parameter(torch.rand(hidden))

    def forward(self, waveforms: Tensor, step: int) -> tuple[Tensor, dict[str, float]]:
        """(batch, samples) clean speech -> the loss (nats) and its monitors."""
        latents = self.body.latents(waveforms)
        mask, distractors = masks_and_distractors(latents)
        context = self.project_context(self.body.contextualize(latents, mask, self.mask_embedding))[mask]
        temperature = max(GUMBEL_END, GUMBEL_START * GUMBEL_DECAY**step)
        self.quantizer.temperature = temperature  # type: ignore[assignment]  # inferred from its first value, 2
        codes, perplexity = self.quantizer(latents, mask)
        logits = similarities(context, self.project_code(codes), mask, distractors)
        contrastive = nn.functional.cross_entropy(logits, logits.new_zeros(len(logits), dtype=torch.long))
        diversity = 1 - perplexity / (CODEBOOKS * CODES)
        monitors = {
            "loss": contrastive.item(),
            "accuracy": (logits.argmax(1) == 0).float().mean().item(),
            "chance": (1 / logits.isfinite().sum(1)).mean().item(),  # of guessing among the codes that differ
            "perplexity": perplexity.item() / CODEBOOKS,
        }
        return contrastive + DIVERSITY_WEIGHT * diversity, monitors


def masks_and_distractors(latents: Tensor) -> tuple[Tensor, Tensor]:
    """Masked frames (batch, frames), and the indices (masked, distractors) of each one's distractors.

    Indices count frames of the whole batch, flattened.
    """
    shape = (latents.shape[0], latents.shape[1])
    masked = _compute_mask_indices(shape, MASK_RATIO, min(SPAN, shape[1]), min_masks=2)
    distractors = _sample_negative_indices(shape, DISTRACTORS, masked)[masked]
    return torch.from_numpy(masked).to(latents.device), torch.from_numpy(distractors).to(latents.device)


def similarities(context: Tensor, codes: Tensor, mask: Tensor, distractors: Tensor) -> Tensor:
    """Cosine similarities over the temperature, the true code's in column 0.

    Args:
        context: (masked, dim) predictions at the masked frames.
        codes: (batch, frames, dim) quantized latents.
        mask: (batch, frames), True at the masked frames.
        distractors: (masked, distractors) indices into the codes flattened over batch and frames.

    Returns:
        (masked, 1 + distractors); -inf where a distractor is the true code itself.
    """
    true = codes[mask].unsqueeze(1)
    others = codes.flatten(0, 1)[distractors.long()]
    similarity = torch.cosine_similarity(context.unsqueeze(1), torch.cat([true, others], 1), dim=-1)
    same = torch.cat([torch.zeros_like(mask[mask]).unsqueeze(1), (others == true).all(-1)], 1)
    return (similarity / SIMILARITY_TEMPERATURE).masked_fill(same, float("-inf"))


class Quantizer(Wav2Vec2GumbelVectorQuantizer):
    """transformers' own but for the codes: a product of matrices, where theirs multiplies every entry by its weight.

    The same up to rounding, in a tenth of a pre-training step less.
    """

    def forward(self, hidden_states: Tensor, mask_time_indices: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """(batch, frames, channels), mask (batch, frames) -> codes (batch, frames, CODE_DIM); perplexity, summed."""
        logits = self.weight_proj(hidden_states).unflatten(-1, (CODEBOOKS, CODES)).flatten(0, 1)
        chosen = nn.functional.gumbel_softmax(logits, tau=self.temperature, hard=True)
        perplexity = self._compute_perplexity(torch.softmax(logits, dim=-1), mask_time_indices)
        entries = self.codevectors.view(CODEBOOKS, CODES, -1)
        codes = torch.bmm(chosen.transpose(0, 1), entries).transpose(0, 1)
        return codes.reshape(*hidden_states.shape[:2], -1), perplexity


def _quantizer(channels: int) -> Quantizer:
    config = Wav2Vec2Config(
        conv_dim=(channels,) * 7,
        num_codevector_groups=CODEBOOKS,
        num_codevectors_per_group=CODES,
        codevector_dim=CODE_DIM,
    )
    quantizer = Quantizer(config)
    nn.init.uniform_(quantizer.codevectors)
    nn.init.normal_(quantizer.weight_proj.weight, std=1)
    nn.init.zeros_(quantizer.weight_proj.bias)
    return quantizer
