"""The self-supervised upstreams, one entry each; torch-free, for configurations and plans.

An upstream of one of the families (bodies/spectral_body.py, waveform_body.py) needs no more than its entry here;
`--upstreams`, every space, pre-training and the plan's cost follow from it. APC is a family of its own
(bodies/recurrent_body.py).
"""

from dataclasses import dataclass
from functools import partial

_TERA_FILE = "tera_logMelBase_T_F_M_AdamW_b32_1m_960hr_drop1/states-1000000.ckpt"


@dataclass(frozen=True, kw_only=True)
class Upstream:
    """What sets one upstream apart. Seconds are those of one core at tiny size."""

    spectral: bool  # reads log-mel frames, with three layers; else the waveform
    paper_strength: float  # the paper's k0
    published: str | None  # hub id of its weights, pinned to a revision; None = on no hub
    elsewhere: str = ""  # where to fetch them by hand
    model_types: tuple[str, ...] = ()  # of `transformers`, whose weights the waveform body can hold
    masks_time_only: bool = False  # spectral pre-training masks no mel bands
    predicts_units: bool = False  # waveform pre-training predicts k-means units, a stage of their own; else contrastive
    mixes_utterances: bool = False  # unit prediction hears a second utterance
    relative_bias: bool = False  # gated relative position bias in the transformer layer
    pre_norm: bool = False  # norms in every convolution and before attention, as in large models
    transformer: bool = True  # has transformer layers, behind which adapters stand
    step_seconds: tuple[float, float]  # of training: (whatever the batch, for each second of audio)
    pretraining_step_seconds: float
    pretraining_rate: float  # the peak, of "tiny": docs/experiments/normalized_ssl.md

    @property
    def own_input(self) -> str:
        """What it hears while it is pre-trained, by its own paper (ssl/pretraining/inputs.py)."""
        return "mixing" if self.mixes_utterances else "clean"


_spectral = partial(
    Upstream,
    spectral=True,
    step_seconds=(0.018, 0.0034),
    pretraining_step_seconds=0.028,
    pretraining_rate=4e-3,
)
_waveform = partial(
    Upstream,
    spectral=False,
    paper_strength=0.5,
    step_seconds=(0.035, 0.0102),
    pretraining_step_seconds=0.045,
    pretraining_rate=2e-3,
)

UPSTREAM_TABLE = {
    "mockingjay": _spectral(
        paper_strength=1.0,
        published=None,
        elsewhere="s3prl's mockingjay_logMelBase_T_AdamW_b32_1m_960hr_drop1/states-1000000.ckpt, a Dropbox share "
        "(s3prl's upstream/mockingjay/hubconf.py has the link)",
        masks_time_only=True,
        pretraining_rate=2e-3,  # at TERA's, one seed of three learns next to nothing
    ),
    "tera": _spectral(paper_strength=0.8, published=f"s3prl/tera:{_TERA_FILE}"),
    "wav2vec2": _waveform(
        published="facebook/wav2vec2-base@0b5b8e868dd84f03fd87d01f9c4ff0f080fecfe8",
        model_types=("wav2vec2", "hubert", "unispeech", "unispeech-sat"),
    ),
    "hubert": _waveform(
        published="facebook/hubert-base-ls960@dba3bb02fda4248b6e082697eee756de8fe8aa8a",
        model_types=("hubert",),
        predicts_units=True,
    ),
    "wavlm": _waveform(
        published="microsoft/wavlm-base@efa81aae7ff777e464159e0f877d54eac5b84f81",
        model_types=("wavlm",),
        predicts_units=True,
        mixes_utterances=True,
        relative_bias=True,
        step_seconds=(0.037, 0.0102),  # a little more for its bias
        pretraining_step_seconds=0.048,
    ),
    "apc": _spectral(
        paper_strength=0.8,  # TERA's: there is no published figure with normalization
        published="leo19941227/apc_series:apc_960hr.ckpt",
        transformer=False,  # but GRUs, pre-trained to predict frames ahead
        step_seconds=(0.044, 0.0036),
        pretraining_step_seconds=0.05,
    ),
    # Libri-Light, Common Voice, Switchboard and Fisher: read, prompted and telephone speech (Hsu et al., 2021).
    "wav2vec2-robust": _waveform(
        published="facebook/wav2vec2-large-robust",
        model_types=("wav2vec2", "hubert", "unispeech", "unispeech-sat"),
        pre_norm=True,
    ),
}
