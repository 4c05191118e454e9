"""Keys of the shared stages: artifacts that are stored stay valid, and two methods share them."""

import pytest

from trainables.base.errors import UserError
from trainables.job import stages as job_stages
from trainables.job.stages import StagePlace, in_order
from trainables.normalized_ssl.config import NormalizedSSLConfig
from trainables.ssl.description import SSLModel
from trainables.ssl.stages import body_stage, require_weights

PLACE: StagePlace = {"corpus_uri": "/c", "corpus_fingerprint": "f"}


@pytest.mark.parametrize(
    ("values", "keys"),
    [
        ({"upstream": "tera"}, ["pretraining-344fd96c54949588f7440bc36e86de89"]),
        ({"upstream": "wav2vec2", "pretraining_steps": 3}, ["pretraining-6d4ffd749cac65e9a880e839f1eb4688"]),
        (
            {"upstream": "wavlm"},
            ["speech_units-09797fb26b23711c1674e8f73e26d956", "pretraining-a7f50882bf7ca55bf5c36017cc4604ff"],
        ),
        ({"upstream": "tera", "size": "base"}, ["pretraining-343c9ca98904da6ad9c4a0014d7d3beb"]),
        (
            {"upstream": "hubert", "size": "base", "checkpoint": "owner/name"},
            ["pretraining-f8f0b471afe20c74043c21961421da00"],
        ),
        (
            {"upstream": "mockingjay", "norm_layers": [1], "clean_stats": "corpus", "cmvn": "corpus"},
            ["pretraining-6220e8e1bbf634c45798e39bb52bc31c", "clean_statistics-7405ef13a79f1bee196b9ac6eb2a6f5f"],
        ),
    ],
)
def test_keys_are_what_they_were_before_methods_shared_them(
    values: dict[str, object], keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the versions of libraries, which are part of a key."""
    monkeypatch.setattr(job_stages, "library_versions", dict)
    stages = NormalizedSSLConfig.from_dict(values).stages(5, **PLACE)
    assert [stage.key for stage in in_order(stages)] == keys


def test_depth_is_part_of_a_key_only_where_it_is_not_one() -> None:
    shallow, deep = (body_stage(SSLModel(upstream="hubert", layers=layers), 1, **PLACE) for layers in (1, 3))
    assert "layers" not in shallow.config
    assert SSLModel.from_stage(deep.config).layers == 3
    assert shallow.rests_on == deep.rests_on


def test_weights_that_are_not_there_are_refused() -> None:
    with pytest.raises(UserError):
        require_weights(SSLModel(upstream="hubert", size="base", checkpoint="/absent/model"))
    require_weights(SSLModel(upstream="hubert"))
