"""How weights lie in the exported graphs.

Default: the levels of 8-bit products (products.py), the rest float16. Small: large matrices in 4 bits with a scale for every 32 inputs, other matrices in 8 bits with a scale
for every output, the rest float16. The graph widens them with plain arithmetic on constants, which the runtime does
once, when it loads the graph.
"""

import torch
from torch import nn

GROUP = 32  # inputs that share a scale at 4 bits
LARGE = 100_000  # weights from which 4 bits are worth their error


def pack_4bit(weight: torch.Tensor):
    """weight [rows, columns] → (two columns a byte [rows, columns / 2] uint8, scales [rows, columns / GROUP] float16).

    A group's scale is the one of several candidates that leaves the least squared error.
    """
    groups = weight.reshape(weight.shape[0], -1, GROUP)
    peak = groups.abs().amax(2, keepdim=True)
    best, scales, levels = torch.full_like(peak, torch.inf), torch.ones_like(peak), torch.zeros_like(groups)
    for share in torch.linspace(0.6, 1.1, 21):
        scale = (peak * share / 7.5).half().float().clamp(min=1e-7)
        # Levels -7.5 to 7.5 in steps of one: sixteen, symmetric, none wasted.
        level = ((groups / scale - 0.5).round() + 0.5).clamp(-7.5, 7.5)
        error = (groups - level * scale).square().sum(2, keepdim=True)
        better = error < best
        best, scales, levels = torch.where(better, error, best), torch.where(better, scale, scales), torch.where(better, level, levels)
    whole = (levels + 7.5).reshape(weight.shape).to(torch.uint8)
    return whole[:, 0::2] * 16 + whole[:, 1::2], scales.squeeze(2).half()


def unpack_4bit(packed: torch.Tensor, scales: torch.Tensor) -> torch.Tensor:
    """Inverse of pack_4bit, in operations that every runtime has."""
    both = packed.float()
    high = torch.floor(both / 16.0)
    levels = torch.stack([high, both - 16.0 * high], 2) - 7.5
    rows = packed.shape[0]
    return (levels.reshape(rows, -1, GROUP) * scales.float().unsqueeze(2)).reshape(rows, -1)


class Full(nn.Module):
    """One tensor in float32."""

    def __init__(self, tensor: torch.Tensor):
        super().__init__()
        self.register_buffer("values", tensor.detach())

    def forward(self) -> torch.Tensor:
        return self.values


class Half(nn.Module):
    """One tensor in float16."""

    def __init__(self, tensor: torch.Tensor):
        super().__init__()
        self.register_buffer("values", tensor.detach().half())

    def forward(self) -> torch.Tensor:
        return self.values.float()


class Byte(nn.Module):
    """One matrix in 8 bits."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        scales = (matrix.detach().abs().amax(1, keepdim=True) / 127.0).clamp(min=1e-7).half()
        self.register_buffer("scales", scales)
        self.register_buffer("levels", (matrix.detach() / scales.float()).round().clamp(-127, 127).to(torch.int8))

    def forward(self) -> torch.Tensor:
        return self.levels.float() * self.scales.float()


class Nibble(nn.Module):
    """One matrix in 4 bits."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        packed, scales = pack_4bit(matrix.detach())
        self.register_buffer("packed", packed)
        self.register_buffer("scales", scales)

    def forward(self) -> torch.Tensor:
        return unpack_4bit(self.packed, self.scales)


def store_small(tensor: torch.Tensor) -> nn.Module:
    """The smallest of these that keeps the tensor well enough."""
    if tensor.dim() != 2 or tensor.numel() < 10_000:
        return Half(tensor)
    return Nibble(tensor) if tensor.numel() >= LARGE and tensor.shape[1] % GROUP == 0 else Byte(tensor)
