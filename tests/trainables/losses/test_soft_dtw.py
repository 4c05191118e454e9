"""Soft-DTW: closed values, a plain double loop, the gradient, and what two other libraries compute.

Both recursions are held to the same tests, each on the CPU.
"""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from tests.support import REPOSITORY
from trainables.base.determinism import deterministic
from trainables.base.errors import UserError
from trainables.losses import soft_dtw_diagonals, soft_dtw_paths
from trainables.losses.soft_dtw import soft_dtw, soft_dtw_divergence, squared_distances
from trainables.losses.soft_dtw_band import require_band, smallest_band

GOLDEN = json.loads((Path(__file__).parent / "golden_soft_dtw.json").read_text())
Recursion = Callable[[Tensor, float, Tensor], Tensor]
RECURSIONS: list[Recursion] = [soft_dtw_paths.value, soft_dtw_diagonals.value]
both = pytest.mark.parametrize("recursion", RECURSIONS, ids=["paths", "diagonals"])


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def costs(batch: int, rows: int, columns: int, seed: int = 0) -> Tensor:
    """Of unit vectors, within [0, 4]."""
    first = functional.normalize(noise(batch, rows, 8, seed=seed), dim=-1)
    second = functional.normalize(noise(batch, columns, 8, seed=seed + 1), dim=-1)
    return squared_distances(first, second)


def whole(cost: Tensor) -> Tensor:
    return torch.tensor(cost.shape[1:]).expand(len(cost), 2)


def double_loop(cost: list[list[float]], gamma: float) -> float:
    """The definition, cell by cell."""
    rows, columns = len(cost), len(cost[0])
    values = [[math.inf] * (columns + 1) for _ in range(rows + 1)]
    values[0][0] = 0.0
    for i in range(1, rows + 1):
        for j in range(1, columns + 1):
            three = (values[i - 1][j - 1], values[i - 1][j], values[i][j - 1])
            least = min(three)
            if math.isinf(least):
                continue
            soft = least - gamma * math.log(sum(math.exp((least - each) / gamma) for each in three))
            values[i][j] = cost[i - 1][j - 1] + soft
    return values[rows][columns]


# gamma -> D(x, y), D(x, x), D(y, y), divergence of x = [0, 1, 2] and y = [0, 2]
VECTORS = {
    0.01: (0.993069, 0.000000, 0.000000, 0.993069),
    0.1: (0.930683, -0.000018, 0.000000, 0.930692),
    1.0: (0.122654, -1.190428, -0.035976, 0.735856),
}


@both
@pytest.mark.parametrize("gamma", VECTORS)
def test_known_values(recursion: Recursion, gamma: float) -> None:
    x, y = torch.tensor([0.0, 1, 2])[None, :, None], torch.tensor([0.0, 2])[None, :, None]
    found = [
        recursion(cost, gamma, whole(cost)).item()
        for cost in (squared_distances(first, second) for first, second in ((x, y), (x, x), (y, y)))
    ]
    assert found == pytest.approx(VECTORS[gamma][:3], abs=1e-5)
    assert soft_dtw_divergence(x, y, gamma).item() == pytest.approx(VECTORS[gamma][3], abs=1e-5)
    per_frame = soft_dtw_divergence(x, y, gamma, by_length=True).item()
    assert per_frame == pytest.approx(VECTORS[gamma][3] / 5, abs=1e-5)


@both
@pytest.mark.parametrize("gamma", [1e-3, 0.1, 1.0, 50.0])
@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 7), (7, 1), (6, 9), (40, 31)])
def test_values_are_those_of_the_definition(recursion: Recursion, gamma: float, rows: int, columns: int) -> None:
    cost = costs(2, rows, columns) - 0.05  # costs below 0 as well
    expected = [double_loop(each.tolist(), gamma) for each in cost]
    assert recursion(cost, gamma, whole(cost)).tolist() == pytest.approx(expected, rel=1e-9, abs=1e-9)


@both
@pytest.mark.parametrize("gamma", [0.1, 1.0])
def test_the_gradient_is_that_of_the_value(recursion: Recursion, gamma: float) -> None:
    cost = costs(3, 5, 7).requires_grad_()
    lengths = torch.tensor([[5, 7], [1, 4], [4, 2]])
    assert torch.autograd.gradcheck(lambda each: recursion(each, gamma, lengths), (cost,))


@pytest.mark.parametrize("band", [None, 0.4])
def test_the_gradient_of_the_divergence(band: float | None) -> None:
    x, y = noise(2, 5, 3, seed=3).requires_grad_(), noise(2, 6, 3, seed=4).requires_grad_()
    lengths = (torch.tensor([5, 3]), torch.tensor([6, 4]))
    assert torch.autograd.gradcheck(lambda a, b: soft_dtw_divergence(a, b, 0.5, lengths, band), (x, y))


def test_a_target_without_gradient_changes_no_other_gradient() -> None:
    x, y = noise(2, 5, 3, seed=3), noise(2, 6, 3, seed=4)
    gradients = []
    for wanted in (False, True):
        source = x.clone().requires_grad_()
        soft_dtw_divergence(source, y.clone().requires_grad_(wanted), 0.1).sum().backward()
        assert source.grad is not None
        gradients.append(source.grad)
    assert torch.equal(*gradients)


@both
def test_padding_never_counts(recursion: Recursion) -> None:
    sizes = [(9, 12), (3, 12), (9, 1), (5, 5)]
    alone = [costs(1, *size, seed=number).requires_grad_() for number, size in enumerate(sizes)]
    padded = torch.full((4, 9, 12), torch.nan, dtype=torch.float64)
    for item, (rows, columns) in enumerate(sizes):
        padded[item, :rows, :columns] = alone[item][0].detach()
    padded.requires_grad_()
    together = recursion(padded, 0.1, torch.tensor(sizes))
    together.sum().backward()
    assert padded.grad is not None
    for item, (rows, columns) in enumerate(sizes):
        separate = recursion(alone[item], 0.1, whole(alone[item]))
        separate.sum().backward()
        own = alone[item].grad
        assert own is not None
        assert together[item].item() == pytest.approx(separate.item(), rel=1e-12)
        assert torch.allclose(padded.grad[item, :rows, :columns], own[0], atol=1e-12)
        rest = padded.grad[item].clone()
        rest[:rows, :columns] = 0
        assert torch.count_nonzero(rest) == 0


def test_both_recursions_agree_at_1500_frames() -> None:
    """Beyond the 1024 rows that one block of a GPU holds."""
    cost = costs(1, 1500, 1200).float()
    values, gradients = [], []
    for recursion in RECURSIONS:
        source = cost.clone().requires_grad_()
        found = recursion(source, 0.1, whole(source))
        found.sum().backward()
        assert source.grad is not None
        values.append(found.item())
        gradients.append(source.grad)
    assert values[0] == pytest.approx(values[1], rel=1e-6)
    assert (gradients[0] - gradients[1]).abs().max() < 1e-6
    assert gradients[0].max() <= 1 + 1e-6
    assert gradients[0][0, 0, 0].item() == pytest.approx(1, abs=1e-5)  # all paths pass the corners
    assert gradients[0][0, -1, -1].item() == pytest.approx(1, abs=1e-6)


@both
def test_no_gamma_is_too_small(recursion: Recursion) -> None:
    """Weights of exp(-4e9): the hard minimum is reached."""
    cost = (100 * costs(1, 30, 40)).requires_grad_()
    found = recursion(cost, 1e-6, whole(cost))
    found.sum().backward()
    assert found.item() == pytest.approx(double_loop(cost[0].tolist(), 1e-6), rel=1e-9)
    assert cost.grad is not None
    assert set(cost.grad.round(decimals=9).unique().tolist()) == {0.0, 1.0}


@both
def test_numbers_that_are_none_stay_visible(recursion: Recursion) -> None:
    cost = costs(3, 4, 4)
    cost[0, 1, 1] = torch.nan
    cost[1, 2] = torch.inf  # no path
    found = recursion(cost, 0.1, whole(cost))
    assert found[0].isnan()
    assert found[1] == torch.inf
    assert found[2].isfinite()


def test_a_gamma_beyond_all_exponents_gives_no_number() -> None:
    cost = torch.full((1, 3, 3), 1e6, dtype=torch.float64)
    assert soft_dtw(cost, 1e-8).isnan().all()


def test_the_divergence_is_zero_at_equality_and_not_below_elsewhere() -> None:
    for seed in range(20):
        x = functional.normalize(noise(4, 20, 8, seed=seed), dim=-1).float()
        y = functional.normalize(noise(4, 17, 8, seed=100 + seed), dim=-1).float()
        for gamma in (0.01, 0.1, 1.0):
            assert soft_dtw_divergence(x, x.clone(), gamma).abs().max() < 1e-4
            assert soft_dtw_divergence(x, y, gamma).min() >= -1e-4


def test_results_are_of_the_costs_type() -> None:
    cost = costs(1, 4, 4)
    assert soft_dtw(cost, 0.1).dtype == torch.float64
    assert soft_dtw(cost.float(), 0.1).dtype == torch.float32
    half = cost.to(torch.bfloat16).requires_grad_()
    found = soft_dtw(half, 0.1)
    found.sum().backward()
    assert found.dtype == torch.float32
    assert half.grad is not None
    assert half.grad.dtype == torch.bfloat16


def test_squared_distances() -> None:
    x, y = noise(2, 5, 3), noise(2, 6, 3, seed=1)
    assert torch.allclose(squared_distances(x, y), torch.cdist(x, y).square(), atol=1e-12)


def test_distances_are_not_rounded_by_autocast() -> None:
    x, y = (functional.normalize(noise(2, 9, 16, seed=seed), dim=-1).float() for seed in (1, 2))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(squared_distances(x, y), squared_distances(x.clone(), y.clone()))
        found = soft_dtw_divergence(x, y, 0.1)
        assert found.dtype == torch.float32
    assert torch.equal(found, soft_dtw_divergence(x, y, 0.1))


def inside(band: float, rows: int, columns: int) -> bool:
    """Whether a path from (1, 1) to (rows, columns) stays inside, by trying all."""
    allowed = [
        [
            0.0 if abs(i * columns - j * rows) <= band * rows * columns + 1e-9 else math.inf
            for j in range(1, columns + 1)
        ]
        for i in range(1, rows + 1)
    ]
    return math.isfinite(double_loop(allowed, 1.0))


@pytest.mark.parametrize("rows", range(1, 9))
@pytest.mark.parametrize("columns", range(1, 13))
def test_the_smallest_band_leaves_a_path_and_a_smaller_one_does_not(rows: int, columns: int) -> None:
    least = smallest_band(rows, columns)
    assert least == smallest_band(columns, rows)
    assert inside(least, rows, columns)
    require_band(least, rows, columns)
    assert soft_dtw(costs(1, rows, columns), 0.1, band=least).isfinite().all()
    smaller = least - 1 / (rows * columns)
    assert not inside(smaller, rows, columns)
    with pytest.raises(UserError):
        require_band(smaller, rows, columns)
    with pytest.raises(UserError):
        soft_dtw(costs(1, rows, columns), 0.1, band=smaller)


def test_a_band_is_that_of_each_items_own_diagonal() -> None:
    band = 0.15
    sizes = [(20, 25), (12, 24)]
    padded = torch.zeros(2, 20, 25, dtype=torch.float64)
    expected = []
    for item, (rows, columns) in enumerate(sizes):
        cost = costs(1, rows, columns, seed=item)[0]
        padded[item, :rows, :columns] = cost
        values = cost.tolist()
        for i in range(rows):
            for j in range(columns):
                if abs((i + 1) * columns - (j + 1) * rows) > band * rows * columns:
                    values[i][j] = math.inf
        expected.append(double_loop(values, 0.1))
    found = soft_dtw(padded, 0.1, torch.tensor(sizes), band)
    assert found.tolist() == pytest.approx(expected, rel=1e-9)
    assert (found > soft_dtw(padded, 0.1, torch.tensor(sizes))).all()


def test_a_wide_band_is_none() -> None:
    cost = costs(2, 14, 11)
    assert torch.equal(soft_dtw(cost, 0.1, band=1.0), soft_dtw(cost, 0.1))
    x, y = noise(2, 5, 3), noise(2, 6, 3, seed=1)
    assert torch.equal(soft_dtw_divergence(x, y, 0.1, band=1.0), soft_dtw_divergence(x, y, 0.1))


def test_what_makes_no_sense_is_refused() -> None:
    cost = costs(2, 4, 4)
    for gamma in (0.0, -1.0, math.nan):
        with pytest.raises(UserError, match="gamma"):
            soft_dtw(cost, gamma)
    for lengths in ([[4, 5], [4, 4]], [[0, 4], [4, 4]], [[4, 4]]):
        with pytest.raises(UserError, match="lengths"):
            soft_dtw(cost, 0.1, torch.tensor(lengths))
    with pytest.raises(UserError, match="band"):
        soft_dtw(cost, 0.1, band=math.nan)


def test_bits_do_not_depend_on_threads() -> None:
    found = []
    for threads in (1, 2):
        with deterministic(threads):
            x, y = noise(5, 30, 4).float().requires_grad_(), noise(5, 40, 4, seed=1).float()
            divergence = soft_dtw_divergence(x, y, 0.1)
            divergence.sum().backward()
            found.append((divergence.detach(), x.grad))
    for first, second in zip(*found, strict=True):
        assert torch.equal(first, second)


@pytest.mark.parametrize("case", GOLDEN["cases"], ids=lambda case: f"gamma {case['gamma']}")
def test_values_are_those_of_pysdtw_and_tslearn(case: dict[str, float]) -> None:
    """Golden: both libraries on the same sequences, in float64."""
    x = torch.tensor(GOLDEN["x"], dtype=torch.float64)[None]
    y = torch.tensor(GOLDEN["y"], dtype=torch.float64)[None]
    found = soft_dtw(squared_distances(x, y), case["gamma"]).item()
    assert found == pytest.approx(case["pysdtw"], abs=1e-4)
    assert found == pytest.approx(case["tslearn"], abs=1e-9)
    divergence = soft_dtw_divergence(x, y, case["gamma"]).item()
    assert divergence == pytest.approx(case["tslearn_normalized"], abs=1e-9)


def test_it_runs_where_no_compiled_code_can_be_kept(tmp_path: Path) -> None:
    """A home and caches that cannot be written to."""
    code = (
        "import numba.core.caching as caching\n"
        "def refuse(self): raise OSError('read only')\n"
        "caching._CacheLocator.ensure_cache_path = refuse\n"
        "import torch\n"
        "from trainables.losses.soft_dtw import soft_dtw\n"
        "print(soft_dtw(torch.tensor([[[2.0]]]), 0.1).item())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert float(done.stdout) == 2.0


def test_numba_is_imported_only_when_it_counts() -> None:
    code = "import sys, trainables.losses.soft_dtw, trainables.losses.soft_dtw_band as b; print('numba' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False"]
