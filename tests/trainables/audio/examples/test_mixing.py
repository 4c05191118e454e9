"""Mixtures: the SNR they say, the same bits in whatever order they are asked for, fair evaluation sets."""

import json
import math
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.audio.recordings import write_sound
from trainables.audio.corpus.corpus import Corpus
from trainables.audio.corpus.corpus_writer import write_corpus
from trainables.audio.examples.mixing import (
    FULL_SCALE,
    SNR_STEPS,
    evaluation_set,
    heard_batch,
    labelled_rows,
    mix,
    speech_batch,
    training_batch,
    view_batch,
)
from trainables.audio.levels import active_power, power
from trainables.audio.recipes import folder as folder_recipe
from trainables.audio.recipes.preparation import open_or_prepare
from trainables.base.errors import UserError
from trainables.job.assignment import DataSettings
from trainables.metrics.si_sdr import si_sdr

DATA = DataSettings(batch=4, crop_seconds=0.5, valid_seconds=3, test_seconds=3, evaluation_clip_seconds=1.2)


def decibels(clean: np.ndarray, noisy: np.ndarray) -> float:
    """SNR over the whole signal, in float64."""
    noise = noisy.astype(np.float64) - clean
    return float(10 * np.log10(np.sum(clean.astype(np.float64) ** 2) / np.sum(noise**2)))


def gaussian(seed: int, samples: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


# -- one mixture ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    snr_db=st.floats(-20, 30),
    speech_level=st.floats(1e-3, 0.5),
    noise_level=st.floats(1e-3, 0.5),
    samples=st.integers(321, 20_000),
)
def test_steady_noise_is_mixed_at_exactly_the_snr(
    snr_db: float, speech_level: float, noise_level: float, samples: int
) -> None:
    noisy, clean = mix(gaussian(0, samples, speech_level), gaussian(1, samples, noise_level), snr_db)
    assert decibels(clean, noisy) == pytest.approx(snr_db, abs=0.02)  # a last, short frame may not count as active


@settings(max_examples=30, deadline=None)
@given(snr_db=st.floats(-20, 30), level=st.floats(0.01, 1.0))
def test_no_mixture_passes_full_scale(snr_db: float, level: float) -> None:
    noisy, clean = mix(gaussian(0, 4000, level), gaussian(1, 4000, level), snr_db)
    assert max(np.abs(noisy).max(), np.abs(clean).max()) <= FULL_SCALE + 1e-6


def test_speech_that_fits_is_left_as_it_is() -> None:
    speech = gaussian(0, 4000, 0.05)
    _, clean = mix(speech, gaussian(1, 4000, 0.05), 0.0)
    assert np.array_equal(clean, speech)


def test_pauses_of_the_noise_do_not_count() -> None:
    """A bark in a tenth of the crop has the level of the bark, not of the crop."""
    bark = np.zeros(16_000, np.float32)
    bark[3200:4800] = gaussian(1, 1600, 0.2)
    expected = np.mean(bark[3200:4800].astype(np.float64) ** 2)
    assert active_power(bark) == pytest.approx(expected, rel=1e-5)
    speech = gaussian(0, 16_000, 0.05)
    noisy, clean = mix(speech, bark, 0.0)
    assert decibels(clean, noisy) == pytest.approx(10.0, abs=0.01)


def test_silence_as_noise_leaves_the_speech_alone() -> None:
    speech = gaussian(0, 4000, 0.05)
    noisy, clean = mix(speech, np.zeros(4000, np.float32), 0.0)
    assert np.array_equal(noisy, clean)


# -- training batches -------------------------------------------------------------------------------------


def test_a_batch_has_noisy_and_clean_of_the_asked_size(mixed_corpus: Corpus) -> None:
    batch = training_batch(mixed_corpus, DATA, seed=0, step=0)
    assert batch.noisy.shape == batch.clean.shape == (4, 8000)
    assert batch.noisy.dtype == batch.clean.dtype == torch.float32
    assert batch.lengths.tolist() == [8000] * 4


@settings(max_examples=15, deadline=None)
@given(steps=st.lists(st.integers(0, 50), min_size=1, max_size=5), seed=st.integers(0, 3))
def test_a_step_does_not_depend_on_what_was_drawn_before(steps: list[int], seed: int, mixed_corpus: Corpus) -> None:
    fresh = Corpus.open(mixed_corpus.uri)
    for step in steps:
        last = training_batch(mixed_corpus, DATA, seed, step)
    alone = training_batch(fresh, DATA, seed, steps[-1])
    assert torch.equal(last.noisy, alone.noisy)
    assert torch.equal(last.clean, alone.clean)


def test_steps_seeds_and_splits_differ(mixed_corpus: Corpus) -> None:
    drawn = [
        training_batch(mixed_corpus, DATA, seed, step, split).noisy
        for seed, step, split in [(0, 0, "train"), (0, 1, "train"), (1, 0, "train"), (0, 0, "valid")]
    ]
    assert not any(torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_snrs_fill_the_asked_range(mixed_corpus: Corpus) -> None:
    data = DataSettings(batch=64, crop_seconds=0.5, snr_low=-3, snr_high=12)
    batch = training_batch(mixed_corpus, data, 0, 0)
    snrs = [decibels(c.numpy(), n.numpy()) for c, n in zip(batch.clean, batch.noisy, strict=True)]
    assert -3.01 <= min(snrs) < 0
    assert 9 < max(snrs) <= 12.01


def test_speech_shorter_than_the_crop_is_padded_on_both_sides(mixed_corpus: Corpus) -> None:
    batch = training_batch(mixed_corpus, DataSettings(batch=8, crop_seconds=2.0), 0, 0)
    assert set(batch.lengths.tolist()) == {round(1.6 * 16_000), 32_000}
    for noisy, clean, length in zip(batch.noisy, batch.clean, batch.lengths, strict=True):
        assert not noisy[length:].any()
        assert not clean[length:].any()
        assert -5.01 <= decibels(clean[:length].numpy(), noisy[:length].numpy()) <= 5.01


def test_noise_shorter_than_the_crop_is_looped(tmp_path: Path) -> None:
    for speaker in ("ann", "bea", "cleo"):
        write_sound(tmp_path / "speech" / speaker / f"{speaker}.wav", seconds=2)
        write_sound(tmp_path / "noise" / speaker / f"{speaker}-noise.wav", seconds=0.25)
    corpus = write_corpus(folder_recipe.list_source(tmp_path), tmp_path / "corpus", cache=tmp_path)
    batch = training_batch(corpus, DataSettings(batch=1, crop_seconds=1.0), 0, 0)
    noise = (batch.noisy - batch.clean)[0]
    assert torch.allclose(noise[:4000], noise[4000:8000], atol=1e-6)
    assert noise[-4000:].abs().max() > 0


def test_half_of_the_crops_are_in_noise_at_the_levels_drawn(mixed_corpus: Corpus) -> None:
    clean, noisy = heard_batch(mixed_corpus, 3, 0, 200, 0.5, noisy_share=0.5, snr_db=(-5.0, 20.0))
    assert torch.equal(clean, speech_batch(mixed_corpus, 3, 0, 200, 0.5))
    disturbed = (clean != noisy).any(dim=1)
    assert 0.4 < disturbed.float().mean() < 0.6
    pairs = zip(clean[disturbed].numpy(), noisy[disturbed].numpy(), strict=True)
    levels = [10 * math.log10(power(speech) / active_power(mixture - speech)) for speech, mixture in pairs]
    assert -5.1 < min(levels) < -3.0
    assert 18.0 < max(levels) < 20.1
    assert np.mean(levels) == pytest.approx(7.5, abs=2.0)


def test_the_noise_of_a_crop_is_keyed_by_seed_and_step(mixed_corpus: Corpus) -> None:
    drawn = [heard_batch(mixed_corpus, 1, step, 4, 0.5, 0.5, (-5.0, 20.0))[1] for step in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_of_pairs_the_recordings_own_noise_is_heard(paired_corpus: Corpus) -> None:
    clean, noisy = heard_batch(paired_corpus, 1, 0, 16, 0.25, noisy_share=1.0, snr_db=(0.0, 0.0))
    table = paired_corpus.paired("train")
    sides = [(table.clean(row), table.noisy(row)) for row in range(len(table))]
    for one, other in zip(clean.numpy(), noisy.numpy(), strict=True):
        places = [(_place(whole, one), _place(recorded, other)) for whole, recorded in sides]
        assert any(speech == mixture >= 0 for speech, mixture in places)


def _place(whole: np.ndarray, part: np.ndarray) -> int:
    """Where the part lies in the whole, -1 if nowhere."""
    starts = [at for at in np.flatnonzero(whole == part[0]) if len(whole) - at >= len(part)]
    return next((int(at) for at in starts if np.array_equal(whole[at : at + len(part)], part)), -1)


def test_types_of_noise_are_counted_in_alphabetical_order(mixed_corpus: Corpus) -> None:
    """Each type's recordings are found again in the mixtures of its number."""
    batch = training_batch(mixed_corpus, replace(DATA, batch=64), 0, 0)
    names = sorted(set(mixed_corpus.noise("train").types))
    assert batch.noise_types is not None
    assert sorted(set(batch.noise_types.tolist())) == list(range(len(names)))
    assert torch.equal(batch.to(torch.device("cpu")).noise_types, batch.noise_types)  # type: ignore[arg-type]


def test_pairs_have_no_types_of_noise(paired_corpus: Corpus) -> None:
    assert training_batch(paired_corpus, DATA, 0, 0).noise_types is None


def test_paired_corpora_give_pairs_with_the_same_call(paired_corpus: Corpus) -> None:
    batch = training_batch(paired_corpus, DATA, 0, 0)
    assert batch.noisy.shape == batch.clean.shape == (4, 8000)
    for noisy, clean in zip(batch.noisy, batch.clean, strict=True):
        assert decibels(clean.numpy(), noisy.numpy()) == pytest.approx(20, abs=1)


def test_speech_batches_are_clean_crops(mixed_corpus: Corpus, paired_corpus: Corpus) -> None:
    for corpus in (mixed_corpus, paired_corpus):
        crops = speech_batch(corpus, seed=0, step=3, batch=5, crop_seconds=0.25)
        assert crops.shape == (5, 4000)
        assert torch.equal(crops, speech_batch(corpus, seed=0, step=3, batch=5, crop_seconds=0.25))
        speech = corpus.speech("train")
        whole = [speech.audio(row) for row in range(len(speech))]
        assert all(any(_contains(utterance, crop.numpy()) for utterance in whole) for crop in crops)


def test_an_utterance_shorter_than_the_crop_is_looped(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    longest = max(speech.samples(row) for row in range(len(speech)))
    (crop,) = speech_batch(mixed_corpus, seed=0, step=0, batch=1, crop_seconds=2 * longest / 16000)
    loops = [np.resize(speech.audio(row), 2 * longest) for row in range(len(speech))]
    assert any(np.array_equal(crop.numpy(), loop) for loop in loops)


def test_crops_hold_speech_even_in_long_silences(tmp_path: Path) -> None:
    """An utterance that speaks for half a second in twenty is never cropped to nothing."""
    for seed, speaker in enumerate(("ann", "bea", "cleo")):
        samples = np.zeros(320_000)
        samples[200_000:208_000] = 0.1 * np.random.default_rng(seed).standard_normal(8000)
        write_sound(tmp_path / "noise" / speaker / f"{speaker}.wav", seconds=1)
        _write(tmp_path / "speech" / speaker / "sparse.wav", samples)
    corpus = write_corpus(folder_recipe.list_source(tmp_path), tmp_path / "corpus", cache=tmp_path)
    crops = speech_batch(corpus, 0, 0, batch=16, crop_seconds=1.0)
    assert (crops.abs().amax(dim=1) > 0).all()


# -- few labels -------------------------------------------------------------------------------------------


def test_few_labelled_minutes_are_spread_over_speakers(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    speakers = len(set(speech.speakers))
    rows = labelled_rows(speech, speakers * 1.5 / 60)
    assert {speech.speakers[row] for row in rows} == set(speech.speakers)


@settings(max_examples=20, deadline=None)
@given(minutes=st.tuples(st.floats(0.001, 0.5), st.floats(0.001, 0.5)))
def test_fewer_minutes_are_a_subset_of_more(minutes: tuple[float, float], mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    few, many = sorted(minutes)
    assert set(labelled_rows(speech, few)) <= set(labelled_rows(speech, many))


def test_all_minutes_are_all_rows(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    assert labelled_rows(speech, None) == labelled_rows(speech, math.inf) == tuple(range(len(speech)))


def test_training_stays_within_the_labelled_rows(mixed_corpus: Corpus) -> None:
    speech = mixed_corpus.speech("train")
    (row,) = labelled_rows(speech, 0.001)
    batch = training_batch(mixed_corpus, DataSettings(batch=8, crop_seconds=0.25, labelled_minutes=0.001), 0, 0)
    utterance = speech.audio(row)
    for clean in batch.clean.numpy():
        scale = np.abs(clean).max()
        assert scale > 0
        assert _contains(utterance, clean) or scale == pytest.approx(FULL_SCALE, abs=1e-3)


# -- evaluation sets --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide_corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Twenty test speakers of two utterances, four test noise types."""
    folder = tmp_path_factory.mktemp("wide")
    rows = ["path,split"]
    for split, speakers, noises in (("train", 1, 1), ("valid", 1, 1), ("test", 20, 4)):
        for speaker in range(speakers):
            for take in range(2):
                rows.append(_add(folder, f"speech/{split}-{speaker}/{split}-{speaker}-{take}.wav", split, 1.3))
        rows += [_add(folder, f"noise/{split}-{n}/{split}-{n}.wav", split, 2.0) for n in range(noises)]
    (folder / "MANIFEST.csv").write_text("\n".join(rows))
    return write_corpus(folder_recipe.list_source(folder), folder / "corpus", cache=folder / "cache")


def test_the_set_is_the_same_for_every_job(wide_corpus: Corpus) -> None:
    ours = evaluation_set(wide_corpus, DATA, "test")
    theirs = evaluation_set(Corpus.open(wide_corpus.uri), DATA, "test")
    assert [clip.utterance for clip in ours] == [clip.utterance for clip in theirs]
    assert all(np.array_equal(a.noisy, b.noisy) for a, b in zip(ours, theirs, strict=True))


def test_speakers_noises_and_snrs_take_turns(wide_corpus: Corpus) -> None:
    clips = evaluation_set(wide_corpus, DataSettings(test_seconds=40 * 1.3), "test")
    assert len({clip.utterance for clip in clips}) == len(clips) == 40
    assert set(Counter(clip.speaker for clip in clips).values()) == {2}
    assert set(Counter(clip.noise_type for clip in clips).values()) == {10}
    assert Counter(clip.snr_db for clip in clips) == dict.fromkeys(np.linspace(-5, 5, SNR_STEPS), 8)
    assert len({(clip.noise_type, clip.snr_db) for clip in clips}) > 10


@pytest.mark.parametrize("split", ["valid", "test"])
def test_clips_have_the_snr_they_say_and_use_their_own_split(mixed_corpus: Corpus, split: str) -> None:
    for clip in evaluation_set(mixed_corpus, DATA, split):
        assert decibels(clip.clean, clip.noisy) == pytest.approx(clip.snr_db, abs=0.01)
        assert clip.speaker in mixed_corpus.speech(split).speakers
        assert clip.noise_type in mixed_corpus.noise(split).types
        assert clip.clean.dtype == clip.noisy.dtype == np.float32


def test_a_set_is_about_as_long_as_asked(wide_corpus: Corpus) -> None:
    data = DataSettings(test_seconds=20)
    total = sum(len(clip.clean) for clip in evaluation_set(wide_corpus, data, "test")) / 16_000
    assert 20 <= total < 20 + data.evaluation_clip_seconds


def test_long_utterances_are_cut_and_scraps_left_out(mixed_corpus: Corpus) -> None:
    clips = evaluation_set(mixed_corpus, DATA, "test")
    lengths = [len(clip.clean) / 16_000 for clip in clips]
    assert all(1.0 <= seconds <= 1.2 for seconds in lengths)
    assert any(clip.utterance.endswith("@1.2s") for clip in clips)


def test_paired_clips_tell_their_measured_snr(paired_corpus: Corpus) -> None:
    for clip in evaluation_set(paired_corpus, DATA, "test"):
        assert decibels(clip.clean, clip.noisy) == pytest.approx(clip.snr_db, abs=0.01)


def test_real_recordings_give_full_sets(real_recordings: Path, tmp_path: Path) -> None:
    corpus = open_or_prepare(real_recordings, cache=tmp_path)
    clips = evaluation_set(corpus, DataSettings(), "test")
    assert 75 <= sum(len(clip.clean) for clip in clips) / 16_000 < 79
    assert len({clip.speaker for clip in clips}) >= 18
    assert {clip.noise_type for clip in clips} == set(corpus.noise("test").types)
    assert all(np.isfinite(clip.noisy).all() and np.abs(clip.clean).max() > 0 for clip in clips)


def _contains(whole: np.ndarray, part: np.ndarray) -> bool:
    """Up to a constant offset, which crops are relieved of."""
    whole, part = (np.round(32768 * np.diff(signal.astype(np.float64))) for signal in (whole, part))
    starts = np.flatnonzero(whole[: len(whole) - len(part) + 1] == part[0])
    return any(np.array_equal(whole[start : start + len(part)], part) for start in starts)


def _add(folder: Path, name: str, split: str, seconds: float) -> str:
    write_sound(folder / name, seconds=seconds)
    return f"{name},{split}"


def _write(path: Path, samples: np.ndarray) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, 16_000)


# -- views of one clean crop ------------------------------------------------------------------------------


def test_views_share_the_clean_crop_and_not_the_noise(mixed_corpus: Corpus) -> None:
    batch = view_batch(mixed_corpus, DATA, seed=1, step=3, views=3)
    assert batch.noisy.shape == (3 * DATA.batch, 8000)
    noisy, clean = batch.noisy.unflatten(0, (3, -1)), batch.clean.unflatten(0, (3, -1))
    for view in (1, 2):
        cosine = torch.nn.functional.cosine_similarity(clean[0], clean[view])
        torch.testing.assert_close(cosine, torch.ones(DATA.batch))  # the same but for a peak's scale
        assert not torch.allclose(noisy[0] - clean[0], noisy[view] - clean[view])


def test_views_are_keyed_by_seed_and_step(mixed_corpus: Corpus) -> None:
    one = view_batch(mixed_corpus, DATA, seed=1, step=3, views=2)
    view_batch(mixed_corpus, DATA, seed=1, step=4, views=2)
    assert torch.equal(one.noisy, view_batch(mixed_corpus, DATA, seed=1, step=3, views=2).noisy)
    assert not torch.equal(one.noisy, view_batch(mixed_corpus, DATA, seed=2, step=3, views=2).noisy)


LISTED = replace(DATA, noise_level="crop", training_snrs=(-10.0, -5.0, 0.0, 5.0, 10.0))


@pytest.mark.parametrize("same_snr", [False, True])
def test_each_view_has_its_own_snr_unless_asked_otherwise(mixed_corpus: Corpus, same_snr: bool) -> None:
    equal = []
    for step in range(8):
        batch = view_batch(mixed_corpus, LISTED, seed=1, step=step, views=2, same_snr=same_snr)
        snrs = [decibels(c, n) for c, n in zip(batch.clean.numpy(), batch.noisy.numpy(), strict=True)]
        assert all(min(abs(snr - listed) for listed in LISTED.training_snrs) < 0.01 for snr in snrs)
        equal += [abs(a - b) < 0.01 for a, b in zip(snrs[: DATA.batch], snrs[DATA.batch :], strict=True)]
    assert all(equal) == same_snr


def test_pairs_cannot_be_mixed_with_another_noise(paired_corpus: Corpus) -> None:
    with pytest.raises(UserError, match="need speech and noise apart"):
        view_batch(paired_corpus, DATA, seed=1, step=0, views=2)


# -- listed SNRs ------------------------------------------------------------------------------------------

NOMINAL = (-7.5, -2.5, 2.5, 7.5)
TESTED = replace(DATA, noise_level="crop", evaluation_snrs=NOMINAL, test_seconds=60)


def test_noisy_clips_are_at_their_nominal_snr_to_a_hundredth(mixed_corpus: Corpus) -> None:
    clips = evaluation_set(mixed_corpus, TESTED, "test")
    assert {clip.snr_db for clip in clips} == set(NOMINAL)
    for clip in clips:
        assert decibels(clip.clean, clip.noisy) == pytest.approx(clip.snr_db, abs=0.01)


def test_the_noisy_rows_of_the_published_table() -> None:
    """With power over the whole crop the mean SI-SDR of the mixtures is the nominal SNR to 0.01 dB."""
    samples, clips = 32768, 300
    for snr_db in NOMINAL:
        scores = []
        for number in range(clips):
            clean, noise = gaussian(number, samples, 0.1), gaussian(10_000 + number, samples, 0.3)
            noisy, clean = mix(clean, noise, snr_db, noise_power=lambda crop: float(np.mean(np.square(crop))))
            scores.append(si_sdr(clean, noisy))
        error = np.std(scores) / np.sqrt(clips)
        assert np.mean(scores) == pytest.approx(snr_db, abs=0.01 + 2 * error)


def test_every_cut_is_heard_at_every_snr_once_there_is_room(mixed_corpus: Corpus) -> None:
    clips = evaluation_set(mixed_corpus, TESTED, "test")
    heard = Counter(clip.utterance.rpartition("@")[0] for clip in clips)
    assert set(heard.values()) == {4}
    assert len({clip.utterance for clip in clips}) == len(clips)


def test_a_small_set_has_other_utterances_at_each_snr(mixed_corpus: Corpus) -> None:
    clips = evaluation_set(mixed_corpus, replace(TESTED, test_seconds=2.4), "test")
    assert len({clip.utterance.rpartition("@")[0] for clip in clips}) == len(clips)


# -- exchanged roles --------------------------------------------------------------------------------------


def test_the_low_data_experiment_exchanges_train_and_test(mixed_corpus: Corpus) -> None:
    swapped = replace(DATA, swap_roles=True)
    speakers = {clip.speaker for clip in evaluation_set(mixed_corpus, swapped, "test")}
    assert speakers <= set(mixed_corpus.speech("train").speakers)
    ours = training_batch(mixed_corpus, swapped, seed=1, step=0)
    theirs = training_batch(mixed_corpus, DATA, seed=1, step=0, split="test")
    assert ours.noisy.shape == theirs.noisy.shape
    assert not torch.equal(ours.clean, training_batch(mixed_corpus, DATA, seed=1, step=0).clean)


def test_settings_survive_json() -> None:
    assert DataSettings(**json.loads(json.dumps(asdict(TESTED)))) == TESTED


# -- constant offsets -------------------------------------------------------------------------------------


def audible(clean: np.ndarray, noisy: np.ndarray) -> float:
    """SNR in dB of what can be heard: without constant offsets, in float64."""
    noise = noisy.astype(np.float64) - clean
    return float(10 * np.log10(np.var(clean.astype(np.float64)) / np.var(noise)))


@pytest.mark.parametrize("noise_offset", [0.0, 0.01, 0.3, -0.9])
@pytest.mark.parametrize("speech_offset", [0.0, 0.02, -0.4])
@pytest.mark.parametrize("noise_level", ["active", "crop"])
def test_the_snr_is_the_audible_one(noise_offset: float, speech_offset: float, noise_level: str) -> None:
    speech = gaussian(0, 16_000, 0.05) + np.float32(speech_offset)
    noise = gaussian(1, 16_000, 0.003) + np.float32(noise_offset)
    noisy, clean = mix(speech, noise, 3.0, {"active": active_power, "crop": power}[noise_level])
    assert audible(clean, noisy) == pytest.approx(3.0, abs=0.01)
    assert max(abs(noisy.mean()), abs(clean.mean())) < 0.002
    assert np.std(clean) == pytest.approx(0.05, rel=0.02)  # no offset takes away the room


@pytest.fixture(scope="module")
def offset_corpora(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Corpus]:
    """Recordings with offsets of up to a third of full scale: voices and noises apart, and in pairs."""
    folder = tmp_path_factory.mktemp("offsets")
    for number in range(4):
        speech, noise = gaussian(number, 24_000, 0.05), gaussian(10 + number, 48_000, 0.002)
        _write(folder / f"mixed/speech/s{number}/a{number}.wav", speech - 0.1 * number)
        _write(folder / f"mixed/noise/n{number}/b{number}.wav", noise + 0.3)
        _write(folder / f"pairs/clean/p{number}_1.wav", speech + 0.1 * number)
        _write(folder / f"pairs/noisy/p{number}_1.wav", speech + noise[:24_000] - 0.3)
    return {
        name: write_corpus(folder_recipe.list_source(folder / name), folder / f"corpus-{name}", cache=folder / "cache")
        for name in ("mixed", "pairs")
    }


@pytest.mark.parametrize("kind", ["mixed", "pairs"])
@pytest.mark.parametrize("split", ["valid", "test"])
def test_clips_of_recordings_with_offsets_have_the_audible_snr(
    offset_corpora: dict[str, Corpus], kind: str, split: str
) -> None:
    for clip in evaluation_set(offset_corpora[kind], DATA, split):
        assert audible(clip.clean, clip.noisy) == pytest.approx(clip.snr_db, abs=0.01)
        assert max(abs(clip.noisy.mean()), abs(clip.clean.mean())) < 0.002


@pytest.mark.parametrize("kind", ["mixed", "pairs"])
def test_training_on_recordings_with_offsets_sees_none(offset_corpora: dict[str, Corpus], kind: str) -> None:
    corpus = offset_corpora[kind]
    batch = training_batch(corpus, DATA, 0, 0)
    assert max(batch.noisy.mean(1).abs().max(), batch.clean.mean(1).abs().max()) < 0.003
    assert speech_batch(corpus, 0, 0, batch=8, crop_seconds=0.5).mean(1).abs().max() < 0.003
