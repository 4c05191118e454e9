"""Which metrics are better when lower, by name, and the difference of each that is worth a claim."""

import re
from itertools import pairwise

from trainables.base.errors import UserError
from trainables.metrics.catalogue import METRICS

# Words of a metric's name. Error rates and distances:
_LOWER = {
    *("wer", "cer", "per", "ter", "ser", "mer", "wil", "tcpwer", "cpwer", "der", "jer", "eer", "err", "error"),
    *("lsd", "mcd", "mse", "rmse", "mae", "f0rmse", "llr", "wss", "itd", "ild", "mrstft", "fad", "warpq", "loss"),
    *("lps_distance", "distance", "levenshtein", "perplexity", "ppl", "nll", "latency", "rtf"),
    *("errors", "deletions", "insertions", "substitutions"),
}
_HIGHER = {
    *("pesq", "stoi", "estoi", "sdr", "sisdr", "sisdri", "sdri", "snr", "sisnr", "sisnri", "sir", "sar", "isr"),
    *("ssnr", "segsnr", "fwsegsnr", "csig", "cbak", "covl", "mos", "dnsmos", "ovrl", "ovr", "sig", "bak", "p808"),
    *("utmos", "utmosv2", "nisqa", "plcmos", "visqol", "scoreq", "srmr", "accuracy", "acc", "bleu", "similarity"),
    *("sim", "speechbertscore", "bertscore", "haspi", "hasqi", "f0corr", "mbstoi", "wip"),
}
_TURNED = {"improvement", "reduction", "gain", "delta", "decrease"}
_ALIASES = {"pesq": "wb_pesq", "pesqwb": "wb_pesq", "pesqnb": "nb_pesq", "sisnr": "si_sdr", "sisnri": "si_sdri"}


def is_metric(name: str) -> bool:
    """Whether a column of this name holds scores of a known metric."""
    return catalogued(name) is not None or bool(_words(name) & (_LOWER | _HIGHER))


def direction(name: str | None, lower: bool, higher: bool) -> tuple[bool, str]:
    """(lower is better, how that is known). Raises `UserError` where the name says both, or the flag contradicts it."""
    words = _words(name or "")
    known = catalogued(name or "")
    if known:
        is_lower = METRICS[known].lower
        better = "lower" if is_lower else "higher"
        if (higher and is_lower) or (lower and not is_lower):
            raise UserError(f"--{'lower' if lower else 'higher'}: of {name}, {better} is better; leave it out")
        return is_lower, f"{better} is better"
    if lower or higher:
        return lower, f"{'lower' if lower else 'higher'} is better, as asked"
    if words & _LOWER and words & (_TURNED | _HIGHER):
        raise UserError(f"metric {name!r}: is lower better or higher? say --lower or --higher")
    if words & _LOWER:
        return True, "lower is better"
    return False, "higher is better" if words & _HIGHER else "higher is better is assumed: else --lower"


def catalogued(name: str) -> str | None:
    """The catalogue's name of the metric: "SI-SDR" is si_sdr."""
    plain = re.sub(r"[^a-z0-9]", "", name.lower())
    if plain in _ALIASES:
        return _ALIASES[plain]
    return {re.sub(r"[^a-z0-9]", "", known): known for known in METRICS}.get(plain)


def _words(name: str) -> set[str]:
    """ "si-snr_i" gives si, snr, i and sisnri: what a name may be recognized by."""
    parts = re.findall(r"[a-z]+\d*|\d+", name.lower())
    if "per" in parts[:-1]:  # "pesq_per_utterance", not a phone error rate
        parts = parts[: parts.index("per")]
    return {*parts, "".join(parts), *(left + right for left, right in pairwise(parts))}
