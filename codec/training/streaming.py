"""The codec's two halves as streaming graphs for export: explicit packed state, most products in 8 bits (products.py).

encoder(pcm [B, T * hop], past [B, S] int8, tail [B, overlap]) → codes [B, Q, T] int32, past, tail, residual [B, Q, T]: energy of what
the first q codebooks leave of the latent, relative to `residual_reference`
decoder(codes [B, Q, T] int32, active [B, Q], past [B, S] int8, tail [B, overlap]) → pcm [B, T * hop], past, tail

The past is every layer's past frames flattened, laid end to end, so that it is one row to copy; the tail is of samples: those before
the encoder's first window, and what the decoder has yet to overlap. Zeros start a stream.
"""

from itertools import accumulate

import torch
import torch.nn.functional as F
from torch import nn

from model import EPSILON, Codec
from products import Levels, Past, Product
from quantizer import search
from storage import Full, Half, store_small

# The matrices of products in 8 bits; the first and last ones of each half are small, and the sound hangs on them.
EIGHT_BITS = ("expand.weight", "project.weight", "fold.weight")


def eight_bit_matrices(network: nn.Module):
    """(name, parameter, what each of its outputs is scaled by) of the matrices of a half's products in 8 bits. The layer scale
    of a block is part of its last product.
    """
    parameters = dict(network.named_parameters())
    for name, matrix in parameters.items():
        if name.endswith(EIGHT_BITS):
            scale = parameters[name.replace("project.weight", "scale")] if "project" in name else torch.ones(len(matrix))
            yield name[: -len(".weight")], matrix, scale.unsqueeze(1)


class Stored(nn.Module):
    """Module weights as the file keeps them (see storage.py), widened where they are used; without those of EIGHT_BITS."""

    def __init__(self, module: nn.Module, store):
        super().__init__()
        for name, parameter in module.named_parameters():
            if not name.endswith(EIGHT_BITS):
                self.add_module(name.replace(".", "_"), store(parameter))

    def __getitem__(self, name: str) -> torch.Tensor:
        return getattr(self, name.replace(".", "_"))()


class Packed:
    """Reads the past of layers out of one packed row and gathers their successors in the same order."""

    def __init__(self, past: torch.Tensor, shapes: list):
        ends = list(accumulate(rows * channels for rows, channels in shapes))
        # Slices, not a split, whose outputs are more than a shader of WebGPU may bind.
        parts = [past[:, first:end] for first, end in zip([0, *ends], ends)]
        self.parts = iter([part.reshape(-1, *shape) for part, shape in zip(parts, shapes)])
        self.next = []

    def take(self) -> torch.Tensor:
        return next(self.parts)

    def give(self, value: torch.Tensor) -> None:
        self.next.append(value.flatten(1))

    def result(self) -> torch.Tensor:
        return torch.cat(self.next, 1)


class StreamingHalf(nn.Module):
    """What the encoder's and the decoder's graphs share: stored weights and ConvNeXt blocks with packed state."""

    def __init__(self, codec: Codec, network: nn.Module, store=Half):
        super().__init__()
        self.config = codec.config
        self.weights = Stored(network, store)
        self.products, self.pasts = nn.ModuleDict(), nn.ModuleDict()
        for name, matrix, scale in eight_bit_matrices(network):
            self.products[name.replace(".", "_")] = Product(Levels(matrix * scale) if store is Half else store(matrix * scale))

        for name, _ in network.named_modules():
            if name.endswith("depthwise"):
                self.pasts[name[: -len(".depthwise")].replace(".", "_")] = Past()

    def product(self, x: torch.Tensor, name: str) -> torch.Tensor:
        key = name.replace(".", "_")
        return self.products[key](x) if key in self.products else torch.matmul(x, self.weights[f"{name}.weight"].t())

    def linear(self, x: torch.Tensor, name: str) -> torch.Tensor:
        return self.product(x, name) + self.weights[f"{name}.bias"]

    def windows(self, x: torch.Tensor) -> torch.Tensor:
        """Where the depthwise filters of blocks on x [B, T, C] look, [T, kernel], in what lies behind them and x."""
        return torch.arange(x.shape[1]).unsqueeze(1) + torch.arange(self.config.kernel)

    def block(self, x: torch.Tensor, name: str, channels: int, windows: torch.Tensor, packed: Packed) -> torch.Tensor:
        kernel = self.config.kernel
        w, past = self.weights, self.pasts[name.replace(".", "_")]
        padded = torch.cat([packed.take(), past.narrow(x)], 1)
        packed.give(padded[:, -(kernel - 1) :])
        # Not as a convolution: on CUDA the runtime plans one anew whenever its shape changes, for 10 ms each.
        y = (padded.float()[:, windows] * w[f"{name}.depthwise.weight"]).sum(2) * past.step + w[f"{name}.depthwise.bias"]
        y = F.layer_norm(y, (channels,), w[f"{name}.norm.weight"], w[f"{name}.norm.bias"])
        y = F.gelu(self.linear(y, f"{name}.expand"))
        # A product of constants, which the runtime computes once, when it loads the graph.
        return x + (self.product(y, f"{name}.project") + w[f"{name}.project.bias"] * w[f"{name}.scale"])


class StreamingEncoder(StreamingHalf):
    def __init__(self, codec: Codec):
        super().__init__(codec, codec.encoder)
        c = self.config
        analysis, _ = codec.spectrum.matrices()
        self.register_buffer("analysis", analysis)
        self.register_buffer("codebooks", codec.quantizer.codebooks.detach().half())
        self.spans = codec.quantizer.spans
        spans = self.spans + [(0, c.latent_channels)] * (c.quantizers - len(self.spans))
        keys = lambda stage, first, end: lambda: self.codebooks[stage, :, first:end].float()
        self.scoring = nn.ModuleList(Product(keys(stage, *span)) for stage, span in enumerate(spans))
        # Mean energy of a code of the groups, all channels together: about that of a latent of speech.
        groups = codec.quantizer.codebooks[: len(self.spans)].detach()
        self.residual_reference = float(groups.square().sum((0, 2)).mean())
        fine, coarse = [(c.kernel - 1, c.encoder_fine_channels)], [(c.kernel - 1, c.encoder_channels)]
        self.past_shapes = fine * c.encoder_fine_blocks + coarse * c.encoder_blocks
        self.past_size = sum(rows * channels for rows, channels in self.past_shapes)

    def quantize(self, latent: torch.Tensor):
        """Latents [B, T, C] → codes [B, Q, T] and residual [B, Q, T]; see quantizer.py for what each stage sees.

        Channels that no quantizer has seen yet are part of the residual as they are.
        """
        c, (batch, frames) = self.config, latent.shape[:2]
        latent = latent.flatten(0, 1)
        codebooks = self.codebooks.float()
        codes = search(latent, codebooks, self.spans, c.search_paths, self.scoring)
        picked = F.embedding(codes + torch.arange(c.quantizers) * c.codebook_size, codebooks.flatten(0, 1))
        rest = latent.unsqueeze(1) - torch.matmul(torch.ones(c.quantizers, c.quantizers).tril(), picked)
        by_frame = lambda values: values.reshape(batch, frames, c.quantizers).transpose(1, 2)
        return by_frame(codes.int()), by_frame(rest.square().sum(2) / self.residual_reference)

    def forward(self, pcm: torch.Tensor, past: torch.Tensor, tail: torch.Tensor):
        c, packed = self.config, Packed(past, self.past_shapes)
        pcm = torch.cat([tail, pcm], 1)
        next_tail = pcm[:, -c.overlap :]
        # Windows four steps long, by laying four shifted views side by side.
        steps = pcm.reshape(pcm.shape[0], -1, c.step)
        before = c.overlap // c.step
        count = steps.shape[1] - before
        frames = torch.cat([steps[:, k : k + count] for k in range(before + 1)], -1)
        spectra = torch.matmul(frames, self.analysis)
        real, imaginary = spectra[..., : c.bins], spectra[..., c.bins :]
        log_power = torch.log(real * real + imaginary * imaginary + EPSILON)
        gain = torch.exp(0.5 * (c.power - 1.0) * log_power)
        x = self.linear(torch.cat([real * gain, imaginary * gain, log_power * 0.15 + 1.0], -1), "input")
        windows = self.windows(x)
        for i in range(c.encoder_fine_blocks):
            x = self.block(x, f"fine.{i}", c.encoder_fine_channels, windows, packed)
        x = self.linear(x.reshape(x.shape[0], -1, c.fine_per_token * c.encoder_fine_channels), "fold")
        windows = self.windows(x)
        for i in range(c.encoder_blocks):
            x = self.block(x, f"coarse.{i}", c.encoder_channels, windows, packed)
        x = F.layer_norm(x, (c.encoder_channels,), self.weights["norm.weight"], self.weights["norm.bias"])
        codes, residual = self.quantize(self.linear(x, "output"))
        return codes, packed.result(), next_tail, residual


class StreamingDecoder(StreamingHalf):
    def __init__(self, codec: Codec, store=Half):
        super().__init__(codec, codec.decoder, store)
        c = self.config
        _, synthesis = codec.spectrum.matrices()
        self.synthesis = Half(synthesis) if store is store_small else Full(synthesis)
        self.noise = codec.noise
        self.register_buffer("signs", codec.noise.signs.flatten(1).to(torch.int8))
        # One table of all codebooks: one look-up instead of one a codebook.
        self.codebooks = store(codec.quantizer.codebooks.flatten(0, 1))
        fine, coarse = [(c.kernel - 1, c.decoder_fine_channels)], [(c.kernel - 1, c.decoder_channels)]
        self.past_shapes = coarse * c.decoder_blocks + fine * c.decoder_fine_blocks
        self.past_size = sum(rows * channels for rows, channels in self.past_shapes)

    def forward(self, codes: torch.Tensor, active: torch.Tensor, past: torch.Tensor, tail: torch.Tensor):
        c, packed = self.config, Packed(past, self.past_shapes)
        index = codes + torch.arange(c.quantizers, dtype=torch.int32).unsqueeze(1) * c.codebook_size
        chosen = F.embedding(index, self.codebooks())
        latent = (chosen * active.unsqueeze(2).unsqueeze(3)).sum(1)
        x = self.linear(latent, "input")
        windows = self.windows(x)
        for i in range(c.decoder_blocks):
            x = self.block(x, f"coarse.{i}", c.decoder_channels, windows, packed)
        x = self.linear(x, "unfold")
        x = x.reshape(x.shape[0], -1, c.decoder_fine_channels)
        windows = self.windows(x)
        for i in range(c.decoder_fine_blocks):
            x = self.block(x, f"fine.{i}", c.decoder_fine_channels, windows, packed)
        x = self.linear(x, "head")
        real, imaginary = x[..., : c.bins], x[..., c.bins :]
        log_power = torch.log(real * real + imaginary * imaginary + EPSILON).minimum(torch.tensor(3.0))
        gain = torch.exp(0.5 * (1.0 / c.power - 1.0) * log_power)
        if c.noise_bin < c.bins:
            signs = F.embedding(self.noise.rows(codes, active), self.signs.float())
            signs = signs.reshape(gain.shape[0], -1, c.bins - c.noise_bin)
            gain = torch.cat([gain[..., : c.noise_bin], gain[..., c.noise_bin :] * signs], -1)
        frames = torch.matmul(torch.cat([real * gain, imaginary * gain], -1), self.synthesis())
        ahead = c.overlap // c.step
        parts = [F.pad(frames[..., k * c.step : (k + 1) * c.step], (0, 0, k, ahead - k)) for k in range(ahead + 1)]
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        total = total.flatten(1)
        total = torch.cat([tail + total[:, : c.overlap], total[:, c.overlap :]], 1)
        pcm = total[:, : -c.overlap]
        return pcm.minimum(torch.tensor(1.0)).maximum(torch.tensor(-1.0)), packed.result(), total[:, -c.overlap :]
