"""Values in 8 bits: matrix products, at which processors are several times faster than in float32, and the past that layers
keep, of which every run copies all of every session.

Weights have 127 levels and a scale for each output. With 255, kernels for processors without VNNI would saturate: they
sum two products in 16 bits, and machines would disagree. What comes in has 256 levels over a fixed range, found once on training
speech: so a row's result depends on that row alone, whatever else is in its batch.

In the graphs products are QuantizeLinear and DequantizeLinear around plain products. The runtime's cpu provider makes one
8-bit product of them; elsewhere it is told to leave them out (codec/runtime/graph.ts). The past stays in 8 bits everywhere.
"""

import torch
from torch import nn

LEVELS = 63  # on each side of zero
TAIL = 1e-5  # share of values on each side that a range leaves out


class Levels(nn.Module):
    """One matrix [out, in] as the levels that it is computed with."""

    def __init__(self, matrix: torch.Tensor):
        super().__init__()
        scales = output_scales(matrix.detach())
        self.register_buffer("scales", scales)
        self.register_buffer("levels", (matrix.detach() / scales).round().to(torch.int8))

    def forward(self) -> torch.Tensor:
        return self.levels.float() * self.scales


def output_scales(matrix: torch.Tensor) -> torch.Tensor:
    """Steps of 127 levels over each row of [out, in], [out, 1]."""
    return (matrix.abs().amax(1, keepdim=True) / LEVELS).clamp(min=1e-6)


class Product(nn.Module):
    """x [.., in] times a matrix [out, in] that `stored` gives: in float32, widening its range, until `freeze`."""

    def __init__(self, stored):
        super().__init__()
        self.stored = stored
        self.low = self.high = 0.0
        self.frozen = False

    def freeze(self) -> None:
        """From now on in 8 bits, with the range that has been seen."""
        # Rounds what `stored` gives once more, which leaves Levels as they are.
        scales = output_scales(self.stored())
        step = torch.tensor((self.high - self.low) / 255.0)
        self.register_buffer("output_scales", scales.squeeze(1))
        self.register_buffer("zeros", torch.zeros(len(scales), dtype=torch.int32))
        self.register_buffer("step", step)
        self.register_buffer("zero", (-self.low / step).round().to(torch.int32))
        self.frozen = True

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        matrix = self.stored().t()
        if self.frozen:
            x = torch.fake_quantize_per_tensor_affine(x, self.step, self.zero, 0, 255)
            matrix = torch.fake_quantize_per_channel_affine(matrix, self.output_scales, self.zeros, 1, -128, 127)
        else:
            outermost = max(1, int(TAIL * x.numel()))
            self.low = min(self.low, -(-x).flatten().topk(outermost).values[-1].item())
            self.high = max(self.high, x.flatten().topk(outermost).values[-1].item())
        return torch.matmul(x, matrix)


class Quantize(torch.autograd.Function):
    @staticmethod
    def forward(context, x, step, zero):
        return (x / step).round().clamp(-128, 127).to(torch.int8)

    @staticmethod
    def symbolic(graph, x, step, zero):
        return graph.op("QuantizeLinear", x, step, zero)


class Past(nn.Module):
    """How a layer keeps its past frames: as int8 over a fixed range around zero, the ones of this run too, so that it makes no
    difference where a stream is cut into runs. Filters over it sum multiples of a power of two (`whole_multiples`), which float32 does exactly
    and so in any order: runtimes choose one by the shape of a run. Until `freeze` frames are kept as they are, widening the range.
    """

    def __init__(self):
        super().__init__()
        self.largest = 0.0
        self.frozen = False
        self.register_buffer("step", torch.tensor(1.0))

    def freeze(self) -> None:
        self.step = torch.tensor(self.largest / 127.0)
        self.register_buffer("zero", torch.tensor(0, dtype=torch.int8))
        self.frozen = True

    def narrow(self, x: torch.Tensor) -> torch.Tensor:
        if self.frozen:
            return Quantize.apply(x, self.step, self.zero)
        self.largest = max(self.largest, x.abs().flatten().topk(max(1, int(TAIL * x.numel()))).values[-1].item())
        return x


def whole_multiples(values: torch.Tensor, bits: int) -> torch.Tensor:
    """Rounded to integers of so many bits and a sign, times a power of two that is the same for all."""
    step = 2.0 ** torch.ceil(torch.log2(values.abs().max() / (2**bits - 1)))
    return (values / step).round() * step


def freeze_all(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, (Product, Past)):
            part.freeze()
