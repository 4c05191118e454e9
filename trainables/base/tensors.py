"""Tensors and plain values as bytes: checkpoints and artifacts."""

import io
from typing import Any

import torch


def pack(value: Any) -> bytes:
    """What `unpack` reads."""
    file = io.BytesIO()
    torch.save(value, file)
    return file.getvalue()


def unpack(content: bytes, device: torch.device | str = "cpu") -> Any:
    """The value that was packed, tensors on `device`; never executes a pickle."""
    return torch.load(io.BytesIO(content), map_location=device, weights_only=True)
