"""Normalized SSL fine-tuning for speech enhancement (Yang & Kang): the method as the session sees it.

A body pre-trained on clean speech and a decoder are trained together; on the way through the body, features
at the chosen sites are moved towards clean statistics with a strength that falls to 0 (see
feature_normalization.py). What is deployed is the body and the decoder, nothing else; of the rivals, adapters are part
of the body, and the domain adversary is not deployed. Its gradient counts in the norm that is clipped.
"""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from trainables.audio.examples.mixing import training_batch
from trainables.audio.features import frame_count, rms, stft
from trainables.base.onednn import without_onednn
from trainables.base.padding import valid_mask, where_padded
from trainables.base.randomness import derive_seed
from trainables.losses.complex_mask import compress, ideal_mask
from trainables.losses.si_sdr import si_sdr_loss
from trainables.losses.stft import multi_resolution_stft_loss
from trainables.method import Method, When
from trainables.normalization.moments import Moments
from trainables.normalized_ssl.adaptation import unpack_adapters
from trainables.normalized_ssl.adapters import Adapters
from trainables.normalized_ssl.clean_statistics import unpack_moments
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.normalized_ssl.decoders import Decoded, Decoder, build_decoder
from trainables.normalized_ssl.domain_adversary import DomainAdversary, accuracy, item_statistics, reversal_at
from trainables.normalized_ssl.domain_probe import CROPS, probe_accuracy
from trainables.normalized_ssl.feature_normalization import FeatureNormalization, Walk
from trainables.normalized_ssl.layer_similarity import CleanReference
from trainables.normalized_ssl.noise_types import unpack_types
from trainables.normalized_ssl.readout import WeightedSum
from trainables.normalized_ssl.strength_schedule import strength_at
from trainables.ssl.bodies.body import Body, valid_frames
from trainables.ssl.bodies.upstreams import build_body, load_artifact
from trainables.training.muon import Muon

if TYPE_CHECKING:
    from trainables.audio.corpus.corpus import Corpus
    from trainables.audio.examples.mixing import Batch
    from trainables.job.assignment import DataSettings

_SMALLEST_RMS = 1e-6  # below 16-bit resolution: silence is not blown up
_MUON_MOMENTUM = 0.9  # the usual 0.95 averages over a fourth of the demo's steps
_MINIMUM_SAMPLES = 400  # one window, and one frame after seven convolutions


def build(config: NormalizedSSLConfig, artifacts: dict[str, bytes], seed: int) -> "NormalizedSSL":
    """The method with its weights set from `seed` and from the pre-training artifact, where it needs one."""
    body = build_body(config.ssl, seed)
    if config.needs_pretraining:
        load_artifact(body, artifacts["pretraining"], statistics_alone=config.init == "random")
    targets = unpack_moments(artifacts["clean_statistics"]) if "clean_statistics" in artifacts else None
    domains = len(unpack_types(artifacts["noise_types"])) if config.classifies_noise else 2
    decoder = build_decoder(config, body, seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "rivals of normalization"))
        method = NormalizedSSL(config, body, decoder, targets, domains)
    if method.adapters is not None and config.adapters == "draft":
        method.adapters.load_state_dict(unpack_adapters(artifacts["adaptation"]))
    return method


class NormalizedSSL(Method):
    """Body, decoder and feature normalization.

    Every mixture is scaled to unit RMS first, its clean reference by the same gain, and the estimate is
    scaled back: waveform bodies are blind to level, and losses need a known one.
    """

    def __init__(
        self,
        config: NormalizedSSLConfig,
        body: Body,
        decoder: Decoder,
        corpus_targets: dict[int, Moments] | None = None,
        domains: int = 2,
    ):
        """`domains`: what an adversary tells apart, 2 for noisy and clean."""
        super().__init__()
        self.config = config
        self.body = body
        self.decoder = decoder
        self.normalization = FeatureNormalization(
            body,
            config.norm_sites,
            config.affine_stats,
            config.running_start,
            config.planted_site,
            corpus_targets,
        )
        measured = config.similarity_pairs > 0 and config.init == "pretrained"
        self._reference = CleanReference(body) if measured else None
        # Their fresh weights come from the global generator, which `build` seeds.
        self.adapters: Adapters | None = None
        if config.adapter_sites:
            self.adapters = Adapters(body.channels, config.adapter_sites, config.adapter_channels)
        self.adversary: DomainAdversary | None = None
        if config.adversary_site is not None:
            self.adversary = DomainAdversary(body.channels[config.adversary_site], domains)
        self.readout: WeightedSum | None = None
        if config.summed_sites:
            self.readout = WeightedSum(body.channels[-1], config.summed_sites, normed=config.readout != "weighted")
        if config.body_frozen:
            body.requires_grad_(False)

    def training_losses(self, batch: "Batch", when: When) -> dict[str, Tensor]:
        self._set_schedules(when)
        gain = _unit_gain(batch.noisy, batch.lengths)
        clean = batch.clean * gain
        walk = self._walk(batch.noisy * gain, clean, batch.lengths)
        losses = self._losses(self._decode(walk, batch.noisy * gain, batch.lengths), clean, batch.lengths)
        if self.adversary is None:
            return losses
        adversary = self._adversary_loss(self.adversary, walk, batch, when)
        return {**losses, "adversary": adversary, "total": losses["total"] + adversary}

    @torch.no_grad()
    def infer(self, mixture: Tensor) -> Tensor:
        gain = _unit_gain(mixture)
        with nullcontext() if self.config.size == "base" else without_onednn():
            return (self._enhance(mixture * gain).wave / gain)[:, None]

    def before_inference(self, when: When, ablate: bool = False) -> None:
        """Running statistics at the present strength, without clean input; `ablate` sets it to 0.

        Where a disturbance is planted, its repair is part of the network and is never ablated.
        """
        off = ablate and self.config.planted_layer is None
        self.normalization.set_strength(0.0 if off else strength_at(self.config, when.progress))

    def diagnostics(self) -> dict[str, float]:
        sizes = {} if self.adapters is None else self.adapters.sizes()
        shares = {} if self.readout is None else self.readout.shares()
        return {**self.normalization.diagnostics(), **sizes, **shares}

    @torch.no_grad()
    def observe(self, corpus: "Corpus", data: "DataSettings") -> dict[str, float]:
        """How well the adversary, and a probe that is new, tell the domains of a few training crops apart."""
        if self.adversary is None:
            return {}
        training = self.training
        self.eval()
        scores, statistics, domains, crops = [], [], [], []
        for number in range(-(-CROPS // data.batch)):
            batch = training_batch(corpus, data, 0, f"probe {number}").to(self.device)
            gain = _unit_gain(batch.noisy, batch.lengths)
            walk = self._walk(batch.noisy * gain, None, batch.lengths)
            features, domain, valid = self._domains(walk, batch)
            scores.append(self.adversary(features, valid))
            statistics.append(item_statistics(features, valid))
            domains.append(domain)
            crops.append(torch.arange(len(domain)) % data.batch + number * data.batch)
        self.train(training)
        domain = torch.cat(domains)
        return {
            "probe_accuracy": probe_accuracy(torch.cat(statistics), domain, torch.cat(crops)),
            "adversary_accuracy": accuracy(torch.cat(scores), domain),
        }

    @torch.no_grad()
    def validation_curves(self, pairs: Sequence[tuple[Tensor, Tensor]], when: When) -> dict[str, float]:
        """Similarity to the pre-trained upstream's clean features per site, with k = 0 and with the present k."""
        if self._reference is None:
            return {}
        gains = [_unit_gain(noisy[None])[0] for noisy, _ in pairs[: self.config.similarity_pairs]]
        leveled = [(noisy * gain, clean * gain) for gain, (noisy, clean) in zip(gains, pairs, strict=False)]
        curves: dict[str, float] = {}
        for name, ablate in (("similarity_k0", True), ("similarity", False)):
            self.before_inference(when, ablate=ablate)
            found = self._reference.similarity(self.body, self.normalization, leveled, self.adapters)
            curves |= {f"{name}/{site}": value for site, value in found.items()}
        return curves

    def parameter_groups(self) -> list[dict[str, Any]]:
        config, rate = self.config, self.config.lr_head
        groups: list[dict[str, Any]] = [{"params": list(self.decoder.parameters()), "lr": rate}]
        if not config.body_frozen:
            groups.append({"params": list(self.body.parameters()), "lr": rate * config.lr_body_ratio})
        if self.adapters is not None:
            groups.append({"params": list(self.adapters.parameters()), "lr": rate})
        if self.adversary is not None:
            groups.append({"params": list(self.adversary.parameters()), "lr": rate * config.lr_adversary_ratio})
        if self.readout is not None:
            groups.append({"params": list(self.readout.parameters()), "lr": rate * config.lr_readout_ratio})
        return groups

    def optimizer(self) -> torch.optim.Optimizer:
        return Muon(self.parameter_groups(), _MUON_MOMENTUM) if self.config.takes_muon else super().optimizer()

    def minimum_samples(self) -> int:
        return _MINIMUM_SAMPLES

    def train(self, mode: bool = True) -> "NormalizedSSL":
        """A frozen body stays in evaluation mode."""
        super().train(mode)
        if self.config.body_frozen:
            self.body.train(False)
        return self

    def _set_schedules(self, when: When) -> None:
        self.normalization.set_strength(strength_at(self.config, when.progress))
        # From the first step on: a start other than "corrected" is weighed by them.
        self.normalization.set_horizons(*self.config.horizons(when.steps))

    def _enhance(self, noisy: Tensor, clean: Tensor | None = None, lengths: Tensor | None = None) -> Decoded:
        return self._decode(self._walk(noisy, clean, lengths), noisy, lengths)

    def _walk(self, noisy: Tensor, clean: Tensor | None, lengths: Tensor | None) -> Walk:
        return self.normalization.walk(self.body, noisy, clean, lengths, self.adapters)

    def _decode(self, walk: Walk, noisy: Tensor, lengths: Tensor | None) -> Decoded:
        valid = self._valid(walk, noisy, where_padded(noisy, lengths))
        return self.decoder(self._read_by_decoder(walk.raw, walk.normalized), noisy, valid)

    def _adversary_loss(self, adversary: DomainAdversary, walk: Walk, batch: "Batch", when: When) -> Tensor:
        """The classifier's loss; after the decoder, so that its dropout leaves the other numbers of the step alone."""
        config = self.config
        share = strength_at(config, when.progress) / config.initial_strength  # its fields have their defaults here
        strength = reversal_at(when.progress, config.adversary_strength, config.adversary_schedule, share)
        features, domain, valid = self._domains(walk, batch)
        return adversary.loss(features, domain, strength, valid)

    def _domains(self, walk: Walk, batch: "Batch") -> tuple[Tensor, Tensor, Tensor | None]:
        """Features that an adversary reads, the domain of each item, and which frames are no padding.

        The walk's noisy features by their noise's type; or those, 1, and the same body's clean ones, 0, each of unit
        RMS.
        """
        site = self.config.adversary_site
        assert site is not None
        clean, noisy, lengths = batch.clean, walk.raw[site], where_padded(batch.clean, batch.lengths)
        valid = None if lengths is None else valid_frames(self.body, lengths, site, noisy)
        if self.config.classifies_noise:
            assert batch.noise_types is not None  # `require_corpus`
            return noisy, batch.noise_types, valid
        leveled = clean * _unit_gain(clean, batch.lengths)
        quiet = self.body.start(leveled, lengths)
        for below in range(site):
            quiet = self.body.advance(quiet, below, lengths)
            quiet = quiet if self.adapters is None else self.adapters(quiet, below + 1)
        domain = torch.cat([noisy.new_ones(len(noisy)), noisy.new_zeros(len(quiet))])
        return torch.cat([noisy, quiet]), domain, None if valid is None else valid.repeat(2, 1, 1)

    def _valid(self, walk: Walk, noisy: Tensor, lengths: Tensor | None) -> list[Tensor] | None:
        """Masks of the waveform and of every site after 0; None where no item is padded."""
        if lengths is None:
            return None
        sites = enumerate(walk.raw[1:], start=1)
        return [
            valid_mask(noisy, lengths)[:, None],
            *(valid_frames(self.body, lengths, site, features) for site, features in sites),
        ]

    def _read_by_decoder(self, raw: list[Tensor], normalized: list[Tensor]) -> list[Tensor]:
        """Skips read raw features where a layer's input is normalized, else the normalized output."""
        skips = raw if self.config.skips_read_raw else normalized
        return [*skips[:-1], normalized[-1] if self.readout is None else self.readout(normalized)]

    def _losses(self, decoded: Decoded, clean: Tensor, lengths: Tensor | None) -> dict[str, Tensor]:
        """Every loss with a weight, and their weighted sum."""
        config, wave = self.config, decoded.wave
        terms = {
            "time": (config.w_time, lambda: _waveform_loss(wave, clean, lengths)),
            "mstft": (config.w_mstft, lambda: multi_resolution_stft_loss(wave, clean, lengths)),
            "si_sdr": (config.w_si_sdr, lambda: si_sdr_loss(wave, clean, lengths)),
            "cirm": (config.w_cirm if config.predicts_mask else 0.0, lambda: _mask_loss(decoded, clean, lengths)),
        }
        losses = {name: loss() for name, (weight, loss) in terms.items() if weight > 0.0}
        weighted = [terms[name][0] * loss for name, loss in losses.items()]
        return {**losses, "total": torch.stack(weighted).sum()}


def _unit_gain(wave: Tensor, lengths: Tensor | None = None) -> Tensor:
    """(batch, 1): the gain that scales every waveform to an RMS of 1."""
    return 1.0 / rms(wave, lengths).clamp(min=_SMALLEST_RMS)


def _waveform_loss(estimate: Tensor, reference: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean squared error over each item's valid samples, averaged over items."""
    valid = valid_mask(reference, lengths)
    errors = ((estimate - reference) * valid).square().sum(dim=-1) / valid.sum(dim=-1)
    return errors.mean()


def _mask_loss(decoded: Decoded, clean: Tensor, lengths: Tensor | None) -> Tensor:
    """Mean squared error between compressed masks, real and imaginary averaged, over valid frames."""
    assert decoded.mask is not None
    assert decoded.spectrum is not None
    with torch.no_grad():
        ideal = ideal_mask(decoded.spectrum, stft(clean, where_padded(clean, lengths)))
        target = compress(torch.cat([ideal.real, ideal.imag], dim=1))
    errors = (decoded.mask - target).square().mean(dim=1)
    valid = valid_mask(errors, None if lengths is None else frame_count(lengths))
    return ((errors * valid).sum(dim=-1) / valid.sum(dim=-1)).mean()
