"""Do without oneDNN where it does not pay: it compiles every convolution anew for each length of its input.

Ten milliseconds for each, and evaluation clips all differ in length: the first validation of a process takes five times
as long as the next. The convolutions of a tiny model are as fast without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def without_onednn() -> Iterator[None]:
    """PyTorch's own convolutions in this block; they differ from oneDNN's by rounding. Changes nothing on a GPU."""
    import torch

    before = torch.backends.mkldnn.enabled
    torch.backends.mkldnn.enabled = False  # type: ignore[assignment]  # a property of the module
    try:
        yield
    finally:
        torch.backends.mkldnn.enabled = before
