"""Files of DEMUCS: both of its authors' forms load, and whatever they say differently is refused by name."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from trainables.base.errors import UserError
from trainables.networks.demucs import Demucs
from trainables.networks.demucs_weights import read_demucs

SIZES = {"hidden": 2, "depth": 3}


@pytest.fixture(scope="module", autouse=True)
def denoiser() -> Iterator[None]:
    """A module and a class of the authors' names: a package pickles its network's class."""
    module = ModuleType("denoiser.demucs")
    module.Demucs = type("Demucs", (), {"__module__": "denoiser.demucs"})  # type: ignore[attr-defined]
    sys.modules |= {"denoiser": ModuleType("denoiser"), "denoiser.demucs": module}
    yield
    del sys.modules["denoiser"], sys.modules["denoiser.demucs"]


def network(**sizes: int) -> Demucs:
    torch.manual_seed(0)
    return Demucs(**{**SIZES, **sizes}, causal=True)


def package(*args: Any, state: dict[str, Any] | None = None, **kwargs: Any) -> dict[str, Any]:
    """As denoiser's `serialize_model` makes it."""
    return {
        "class": sys.modules["denoiser.demucs"].Demucs,
        "args": args,
        "kwargs": {**SIZES, "sample_rate": 16_000, **kwargs},
        "state": state or network().state_dict(),
    }


def write(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def read(path: Path, sample_rate: int = 16_000, **sizes: Any) -> dict[str, torch.Tensor]:
    return read_demucs(path, path.read_bytes(), {**SIZES, **sizes}, sample_rate)


def refusal(path: Path, **changes: Any) -> str:
    with pytest.raises(UserError) as found:
        read(path, **changes)
    message = str(found.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@pytest.mark.parametrize("form", ["state", "package", "checkpoint", "best"])
def test_every_form_gives_its_weights(form: str, tmp_path: Path) -> None:
    wanted = network().state_dict()
    other = {key: value + 1 for key, value in wanted.items()}
    trained = {"history": [{"valid": 0.1}], "optimizer": {"state": {}}, "args": object}
    content = {
        "state": wanted,
        "package": package(),
        "checkpoint": {"model": package(), **trained},
        "best": {"model": package(state=other), "best_state": wanted, **trained},
    }[form]
    found = read(write(tmp_path / "model.th", content))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    network().load_state_dict(found)


# Of every argument of the authors' constructor but `rescale` a value that changes the network or its audio.
OTHER: dict[str, Any] = {
    "chin": 2, "chout": 2, "hidden": 4, "depth": 2, "kernel_size": 6, "stride": 2, "causal": False, "resample": 2,
    "growth": 1.5, "max_hidden": 4, "normalize": False, "glu": False, "floor": 1e-2, "sample_rate": 8000,
    "num_frames": 4, "dry": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("name", OTHER)
def test_every_argument_that_differs_is_refused_by_name(name: str, tmp_path: Path) -> None:
    message = refusal(write(tmp_path / "model.th", package(**{name: OTHER[name]})))
    assert f"{name}={OTHER[name]!r}" in message
    assert message.count("here ") <= 2  # no other


def test_silence_means_the_authors_default(tmp_path: Path) -> None:
    content = package()
    del content["kwargs"]["hidden"], content["kwargs"]["sample_rate"]
    assert "hidden is not given and means 48, here 2" in refusal(write(tmp_path / "model.th", content))
    content["kwargs"]["hidden"] = 2
    path = write(tmp_path / "model.th", content)
    assert read(path)
    assert "sample_rate is not given" in refusal(path, sample_rate=8000)


def test_positional_arguments_are_read_in_their_order(tmp_path: Path) -> None:
    content = package(1, 1)
    content["args"] = (1, 1, 2, 3, 8, 4, True, 4, 2, 10_000, True, True, 0.5, 1e-3, 16_000)
    content["kwargs"] = {}
    assert read(write(tmp_path / "model.th", content))
    content["args"] = (1, 1, 2, 3, 8, 4, False)
    assert "causal=False, here True" in refusal(write(tmp_path / "model.th", content))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [({"hidden": 4}, "hidden=4, here 2"), ({"depth": 2}, "depth=2, here 3"), ({"kernel": 6}, "kernel_size=6, here 8")],
)
def test_a_state_of_another_size_is_refused(sizes: dict[str, int], said: str, tmp_path: Path) -> None:
    assert said in refusal(write(tmp_path / "model.th", network(**sizes).state_dict()))
    arguments = {name.replace("kernel", "kernel_size"): value for name, value in SIZES.items()}
    assert said in refusal(write(tmp_path / "model.th", package(**arguments, state=network(**sizes).state_dict())))


def test_a_state_alone_is_of_the_hubs_kind(tmp_path: Path) -> None:
    """Shapes do not tell by how much the input is upsampled, nor a stride."""
    path = write(tmp_path / "model.th", network().state_dict())
    assert "resample=4, here 2" in refusal(path, resample=2)
    assert "stride=4, here 2" in refusal(path, stride=2)
    assert "sample_rate=16000, here 8000" in refusal(path, sample_rate=8000)
    path = write(path, Demucs(**SIZES, causal=False).state_dict())
    assert "causal=False, here True" in refusal(path)


def test_the_hubs_network_that_is_not_causal_has_half_the_stride(tmp_path: Path) -> None:
    """valentini_nc; the program that wrote it says so, its tensors do not."""
    wanted = Demucs(**SIZES, stride=2, resample=2, causal=False).state_dict()
    path = write(tmp_path / "model.th", wanted)
    found = read(path, stride=2, resample=2, causal=False)
    assert found.keys() == wanted.keys()
    assert sum("_reverse" in key for key in found) == 8
    assert "stride=2, here 4" in refusal(path, causal=False)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.th"
    assert "denoiser's format" in refusal(write(path, [1]))
    assert "denoiser's format" in refusal(write(path, {}))
    assert "denoiser's format" in refusal(write(path, {"model": package(), "best_state": None}))
    assert "denoiser's format" in refusal(write(path, {"weights": [1]}))
    assert "denoiser's format" in refusal(write(path, {**package(), "quantizer": 1}))
    assert "denoiser's format" in refusal(write(path, {**package(), "kwargs": None}))
    assert "another network" in refusal(write(path, {"conv.weight": torch.ones(1)}))
    state = network().state_dict()
    assert "lstm.lstm.extra" in refusal(write(path, {**state, "lstm.lstm.extra": torch.ones(1)}))
    del state["decoder.0.0.bias"]
    assert "decoder.0.0.bias" in refusal(write(path, state))
    path.write_bytes(b"PK")
    assert "cannot be read" in refusal(path)


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    state = network().state_dict()
    state["encoder.1.0.bias"][0] = torch.nan
    assert "encoder.1.0.bias" in refusal(write(tmp_path / "model.th", state))


def test_a_package_runs_none_of_its_code(tmp_path: Path) -> None:
    class Harmful:
        def __reduce__(self) -> tuple[Any, ...]:
            return exec, (f"open({str(tmp_path / 'ran')!r}, 'w')",)

    path = write(tmp_path / "model.th", {**package(), "class": Harmful()})
    assert read(path)
    assert not (tmp_path / "ran").exists()
