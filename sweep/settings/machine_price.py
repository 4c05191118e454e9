"""The price of a machine per hour, as typed after `--price`: 0.34/8, or 1.21/8/1 with a GPU."""

import math
from typing import NamedTuple


class MachinePrice(NamedTuple):
    """A rented machine: its price per hour, in any currency, its cores and GPUs."""

    hour: float
    cores: int
    gpus: int = 0

    @property
    def core_hour(self) -> float:
        return self.hour / self.cores

    @property
    def gpu_hour(self) -> float | None:
        """Price per GPU and hour; None without a GPU."""
        return self.hour / self.gpus if self.gpus else None


def read_price(text: str) -> MachinePrice:
    """PRICE/CORES or PRICE/CORES/GPUS. Raises `ValueError` for anything else."""
    hour, *counts = text.split("/")
    price = MachinePrice(float(hour), *map(int, counts)) if len(counts) in (1, 2) else None
    if price is None or not 0 <= price.hour < math.inf or price.cores < 1 or price.gpus < 0:
        raise ValueError(text)
    return price
