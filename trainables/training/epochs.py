"""How many times a training has gone through its corpus; torch-free, for schedules and for figures."""

from trainables.job.assignment import DataSettings


def epochs_at(step: float, data: DataSettings, seconds: float, utterances: int, stored_mixtures: bool) -> float:
    """Epochs after `step`, given the speech in s and the utterances, or stored mixtures, of the training split.

    One voice at a time: the seconds of audio drawn, over those there are. Mixtures of voices: one crop of each mixture
    is an epoch, however long it is (Huang et al., Interspeech 2021, as in asteroid's recipes); where mixtures are drawn
    on the fly there are as many as put every utterance into one.
    """
    used = seconds if data.labelled_minutes is None else min(seconds, 60 * data.labelled_minutes)
    if data.speakers == 1:
        return step * data.batch * data.crop_seconds / used
    mixtures = utterances if stored_mixtures else utterances / data.speakers
    return step * data.batch / (mixtures * used / seconds)
