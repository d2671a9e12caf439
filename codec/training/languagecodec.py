"""The network of Language-Codec (arXiv 2402.12208), with the parameter names of its checkpoints.

Encoder: EnCodec's SEANet (arXiv 2210.13438), not causal. Quantizer: MCRVQ. Decoder: Vocos (arXiv 2306.00814), an inverse STFT
of predicted magnitude and phase. Every size is read off the checkpoint. Shapes: samples [B, T * hop], latents [B, C, T],
codes [B, Q, T]. Recordings are whole frames long: fill up with silence first, as the runtime does.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import weight_norm

ENCODER = "feature_extractor.encodec.encoder.model."
CODEBOOKS = "feature_extractor.encodec.quantizer.vq.layers."
# In checkpoints, but without a part in coding: EnCodec's own decoder, statistics of training, the discriminators.
USED = (ENCODER, CODEBOOKS, "backbone.", "head.out.")
STATISTICS = (".inited", ".cluster_size", ".embed_avg")
MASKED_GROUPS = 3
KERNEL = 7


@dataclass
class LanguageCodecConfig:
    filters: int = 32
    ratios: tuple = (2, 4, 5, 8)
    lstm_layers: int = 2
    latent_channels: int = 128
    quantizers: int = 8
    codebook_size: int = 1024
    channels: int = 384
    expansion: int = 1152
    blocks: int = 12
    conditions: int = 4
    window: int = 1280

    @property
    def hop(self) -> int:
        return math.prod(self.ratios)

    @property
    def group_channels(self) -> list:
        """Latent channels that each masked quantizer sees: 42, 43, 43 of 128."""
        bounds = [group * self.latent_channels // MASKED_GROUPS for group in range(MASKED_GROUPS + 1)]
        return [end - start for start, end in zip(bounds, bounds[1:])]


PAPER = LanguageCodecConfig()
# The same in all but size, for a test that runs anywhere: its weights are small enough to lie in the repository.
TINY = LanguageCodecConfig(
    filters=2, ratios=(2, 4, 8), lstm_layers=2, latent_channels=16, quantizers=8, codebook_size=64, channels=16, expansion=32, blocks=3,
    window=256,
)


def read_config(weights: dict) -> LanguageCodecConfig:
    """The sizes of a checkpoint. KeyError names a parameter that is missing."""
    size = lambda name: weights[name].shape
    count = lambda pattern: next(n for n in range(1000) if pattern.format(n) not in weights)
    lstm_at = next((n for n in range(1000) if f"{ENCODER}{n}.lstm.weight_ih_l0" in weights), None)
    if lstm_at is None:
        raise KeyError(f"{ENCODER}N.lstm.weight_ih_l0")
    kernels = [size(f"{ENCODER}{n}.conv.conv.weight_v")[2] for n in range(3, lstm_at, 3)]
    return LanguageCodecConfig(
        filters=size(f"{ENCODER}0.conv.conv.weight_v")[0],
        ratios=tuple(kernel // 2 for kernel in kernels),
        lstm_layers=count(f"{ENCODER}{lstm_at}.lstm.weight_ih_l{{}}"),
        latent_channels=size(f"{ENCODER}{lstm_at + 2}.conv.conv.weight_v")[0],
        quantizers=count(CODEBOOKS + "{}._codebook.embed"),
        codebook_size=size(CODEBOOKS + "0._codebook.embed")[0],
        channels=size("backbone.embed.weight")[0],
        expansion=size("backbone.convnext.0.pwconv1.weight")[0],
        blocks=count("backbone.convnext.{}.gamma"),
        conditions=size("backbone.norm.scale.weight")[0],
        window=size("head.out.weight")[0] - 2,
    )


class Holder(nn.Module):
    """Gives its parts the names that they have in checkpoints."""

    def __init__(self, **parts: nn.Module):
        super().__init__()
        for name, part in parts.items():
            self.add_module(name, part)


def reflect(x: torch.Tensor, pad: int) -> torch.Tensor:
    """[B, C, T] with `pad` mirrored columns at both ends, for any T: where T is too short, zeros follow it before it is mirrored."""
    frames = torch.ones_like(x[0, 0]).cumsum(0)[-1].long()
    last = frames.clamp(min=pad + 1) - 1
    at = torch.cat([torch.arange(-pad, 0), torch.ones_like(x[0, 0]).cumsum(0).long() - 1, frames + torch.arange(pad)])
    at = (last - (last - at.abs()).abs()).abs()
    return F.pad(x, (0, pad)).index_select(2, at)


class PaddedConv(nn.Module):
    """A convolution that gives T / stride columns; weight-normalized, mirrored at the ends."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, any_length: bool = False):
        super().__init__()
        self.conv = Holder(conv=weight_norm(nn.Conv1d(inputs, outputs, kernel, stride)))
        self.right = (kernel - stride) // 2
        self.left = kernel - stride - self.right
        self.any_length = any_length

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.any_length:
            x = reflect(x, self.left)
        elif self.left:
            x = F.pad(x, (self.left, self.right), mode="reflect")
        return self.conv.conv(x)


class ResidualBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.block = nn.Sequential(nn.ELU(), PaddedConv(channels, channels // 2, 3), nn.ELU(), PaddedConv(channels // 2, channels, 1))
        self.shortcut = PaddedConv(channels, channels, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.shortcut(x) + self.block(x)


class SkippedLstm(nn.Module):
    def __init__(self, channels: int, layers: int):
        super().__init__()
        self.lstm = nn.LSTM(channels, channels, layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        steps = x.permute(2, 0, 1)
        return (self.lstm(steps)[0] + steps).permute(1, 2, 0)


def build_encoder(c: LanguageCodecConfig) -> nn.Sequential:
    layers, channels = [PaddedConv(1, c.filters, KERNEL)], c.filters
    for ratio in c.ratios:
        layers += [ResidualBlock(channels), nn.ELU(), PaddedConv(channels, 2 * channels, 2 * ratio, ratio)]
        channels *= 2
    return nn.Sequential(
        *layers, SkippedLstm(channels, c.lstm_layers), nn.ELU(), PaddedConv(channels, c.latent_channels, KERNEL, any_length=True)
    )


class Codebook(nn.Module):
    def __init__(self, size: int, channels: int):
        super().__init__()
        self.register_buffer("embed", torch.zeros(size, channels))


class AdaptiveNorm(nn.Module):
    """Layer norm whose scale and shift are rows of a table."""

    def __init__(self, conditions: int, channels: int):
        super().__init__()
        self.scale = nn.Embedding(conditions, channels)
        self.shift = nn.Embedding(conditions, channels)

    def forward(self, x: torch.Tensor, condition: int) -> torch.Tensor:
        return F.layer_norm(x, (self.scale.embedding_dim,), self.scale.weight[condition], self.shift.weight[condition], 1e-6)


class ConvNextBlock(nn.Module):
    def __init__(self, c: LanguageCodecConfig):
        super().__init__()
        self.dwconv = nn.Conv1d(c.channels, c.channels, KERNEL, padding=KERNEL // 2, groups=c.channels)
        self.norm = AdaptiveNorm(c.conditions, c.channels)
        self.pwconv1 = nn.Linear(c.channels, c.expansion)
        self.pwconv2 = nn.Linear(c.expansion, c.channels)
        self.gamma = nn.Parameter(torch.full((c.channels,), 1 / c.blocks))

    def forward(self, x: torch.Tensor, condition: int) -> torch.Tensor:
        y = self.norm(self.dwconv(x).transpose(1, 2), condition)
        return x + (self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))).transpose(1, 2)


class LanguageCodec(nn.Module):
    """The whole model, as PyTorch runs it."""

    def __init__(self, config: LanguageCodecConfig, condition: int = 0):
        super().__init__()
        c = self.config = config
        self.condition = condition
        books = [Holder(_codebook=Codebook(c.codebook_size, c.latent_channels)) for _ in range(c.quantizers)]
        self.feature_extractor = Holder(
            encodec=Holder(encoder=Holder(model=build_encoder(c)), quantizer=Holder(vq=Holder(layers=nn.ModuleList(books))))
        )
        self.backbone = Holder(
            embed=nn.Conv1d(c.latent_channels, c.channels, KERNEL, padding=KERNEL // 2),
            norm=AdaptiveNorm(c.conditions, c.channels),
            convnext=nn.ModuleList([ConvNextBlock(c) for _ in range(c.blocks)]),
            final_layer_norm=nn.LayerNorm(c.channels, eps=1e-6),
        )
        self.head = Holder(out=nn.Linear(c.channels, c.window + 2))
        spans = [torch.zeros(c.latent_channels) for _ in c.group_channels]
        start = 0
        for span, channels in zip(spans, c.group_channels):
            span[start : start + channels] = 1
            start += channels
        self.masks = spans

    @property
    def codebooks(self) -> list:
        return [layer._codebook.embed for layer in self.feature_extractor.encodec.quantizer.vq.layers]

    def load(self, weights: dict) -> "LanguageCodec":
        """Takes the parameters that coding needs. ValueError names what is missing or of another shape."""
        used = {name: value for name, value in weights.items() if name.startswith(USED) and not name.endswith(STATISTICS)}
        try:
            self.load_state_dict(used)
        except RuntimeError as error:
            raise ValueError(f"The checkpoint is not of Language-Codec's architecture: {error}") from error
        return self

    def latents(self, pcm: torch.Tensor) -> torch.Tensor:
        return self.feature_extractor.encodec.encoder.model(pcm.unsqueeze(1))

    def quantize(self, latents: torch.Tensor):
        """Codes [B, Q, T] and what the first q codebooks leave of the energy, [B, Q, T].

        As the model's forward pass: the masked quantizers see their channels of the latent, with zeros in the others, the
        next one the latent minus the sum of those. Its published `encode()` is plain residual quantization instead.
        """
        batch = latents.shape[0]
        latent = latents.transpose(1, 2).flatten(0, 1)
        total, codes, energies = None, [], []
        for stage, book in enumerate(self.codebooks):
            seen = latent * self.masks[stage] if stage < len(self.masks) else latent - total
            # The nearest code c to v has the greatest v . c - |c|^2 / 2.
            index = F.linear(seen, book, -0.5 * book.square().sum(1)).argmax(-1)
            codes.append(index.reshape(batch, -1))
            code = F.embedding(index, book)
            total = code if total is None else total + code
            energies.append((latent - total).square().sum(1).reshape(batch, -1))
        return torch.stack(codes, 1).int(), torch.stack(energies, 1)

    def spectra(self, latents: torch.Tensor):
        """Real and imaginary parts [B, T, window / 2 + 1] of each frame's spectrum."""
        backbone = self.backbone
        x = backbone.norm(backbone.embed(latents).transpose(1, 2), self.condition).transpose(1, 2)
        for block in backbone.convnext:
            x = block(x, self.condition)
        magnitude, phase = self.head.out(backbone.final_layer_norm(x.transpose(1, 2))).chunk(2, 2)
        magnitude = magnitude.exp().clamp(max=100.0)
        return magnitude * phase.cos(), magnitude * phase.sin()

    def encode(self, pcm: torch.Tensor) -> torch.Tensor:
        return self.quantize(self.latents(pcm))[0]

    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Samples of codes [B, q, T] of the first q codebooks."""
        c = self.config
        latents = sum(F.embedding(codes[:, stage].long(), self.codebooks[stage]) for stage in range(codes.shape[1])).transpose(1, 2)
        real, imaginary = self.spectra(latents)
        window = torch.hann_window(c.window)
        frames = torch.fft.irfft(torch.complex(real, imaginary), c.window) * window
        count = codes.shape[2]
        length = (count - 1) * c.hop + c.window
        cut = (c.window - c.hop) // 2
        lay = lambda columns: F.fold(columns, (1, length), (1, c.window), stride=(1, c.hop))[:, 0, 0, cut : length - cut]
        envelope = lay(window.square().reshape(1, -1, 1).expand(1, -1, count))
        return (lay(frames.transpose(1, 2)) / envelope).clamp(-1.0, 1.0)
