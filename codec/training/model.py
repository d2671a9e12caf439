"""The codec's network: causal ConvNeXt on compressed complex spectra, 5 ms frames around 20 ms tokens.

Every layer works on [batch, time, channels] and comes in two forms that agree: `forward` over a whole stretch of audio,
and `stream` over a chunk with explicit state. Streams start from all-zero state.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

from config import Config
from quantizer import MaskedChannelRVQ

EPSILON = 1e-10  # power below which a spectral bin counts as silence (-100 dB)


class CausalDepthwise(nn.Module):
    """Depthwise convolution over the current and the last kernel - 1 frames. State: those frames, [B, K - 1, C]."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        self.kernel = kernel
        self.weight = nn.Parameter(torch.randn(kernel, channels) * (1.0 / math.sqrt(kernel)))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.pad(x.transpose(1, 2), (self.kernel - 1, 0))
        weight = self.weight.t().unsqueeze(1).to(x.dtype)
        return F.conv1d(x, weight, self.bias.to(x.dtype), groups=x.shape[1]).transpose(1, 2)

    def stream(self, x: torch.Tensor, past: torch.Tensor):
        x = torch.cat([past, x], 1)
        frames = x.shape[1] - (self.kernel - 1)
        y = self.bias
        for k in range(self.kernel):
            y = y + x[:, k : k + frames] * self.weight[k]
        return y, x[:, -(self.kernel - 1) :]


class Block(nn.Module):
    """ConvNeXt block: depthwise, LayerNorm, expand, GELU, project, layer scale, residual. Inner math in `compute`."""

    def __init__(self, channels: int, config: Config, scale: float):
        super().__init__()
        self.depthwise = CausalDepthwise(channels, config.kernel)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, channels * config.expansion)
        self.project = nn.Linear(channels * config.expansion, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))
        self.compute = torch.float32

    def inner(self, y: torch.Tensor) -> torch.Tensor:
        t = self.compute
        y = F.layer_norm(y, y.shape[-1:], self.norm.weight.to(t), self.norm.bias.to(t))
        y = F.gelu(F.linear(y, self.expand.weight.to(t), self.expand.bias.to(t)))
        return F.linear(y, self.project.weight.to(t), self.project.bias.to(t))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.scale * self.inner(self.depthwise(x.to(self.compute)))

    def stream(self, x: torch.Tensor, past: torch.Tensor):
        y, past = self.depthwise.stream(x, past)
        return x + self.scale * self.inner(y), past


def blocks(count: int, channels: int, config: Config, depth: int) -> nn.ModuleList:
    return nn.ModuleList(Block(channels, config, 1.0 / depth) for _ in range(count))


class Spectrum(nn.Module):
    """Windowed DFT of fine frames and its inverse, scaled so that white noise of RMS r has bins of magnitude about r."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        window = torch.hann_window(config.window, periodic=True, dtype=torch.float64)
        self.scale = 1.0 / math.sqrt(float(window.square().sum()))
        # Hann squared over 4x overlap is constant: dividing by its mean makes analysis and synthesis inverse.
        self.gain = float(window.square().sum()) / config.step
        self.register_buffer("window", window.float(), persistent=False)

    def frames(self, pcm: torch.Tensor) -> torch.Tensor:
        """pcm [B, overlap + J * step] → windowed frames [B, J, window]."""
        return pcm.unfold(-1, self.config.window, self.config.step) * self.window

    def forward(self, pcm: torch.Tensor) -> torch.Tensor:
        """pcm [B, J * step] → complex spectra [B, J, bins], frame j ending at sample (j + 1) * step."""
        return torch.fft.rfft(self.frames(F.pad(pcm, (self.config.overlap, 0)))) * self.scale

    def compress(self, spectra: torch.Tensor):
        """Complex spectra → (compressed [.., 2 * bins], log power [.., bins])."""
        log_power = torch.log(spectra.real.square() + spectra.imag.square() + EPSILON)
        gain = torch.exp(0.5 * (self.config.power - 1.0) * log_power)
        return torch.cat([spectra.real * gain, spectra.imag * gain], -1), log_power

    def expand(self, compressed: torch.Tensor):
        """Inverse of compress: [.., 2 * bins] → (real, imaginary) [.., bins]."""
        real, imaginary = compressed.chunk(2, -1)
        log_power = torch.log(real.square() + imaginary.square() + EPSILON).clamp(max=3.0)
        gain = torch.exp(0.5 * (1.0 / self.config.power - 1.0) * log_power)
        return real * gain, imaginary * gain

    def synthesize(self, compressed: torch.Tensor) -> torch.Tensor:
        """Compressed spectra [B, J, 2 * bins] → pcm [B, J * step], lagging analysis by the overlap."""
        real, imaginary = self.expand(compressed)
        frames = torch.fft.irfft(torch.complex(real, imaginary), n=self.config.window) * (self.window / (self.scale * self.gain))
        return overlap_add(frames, self.config.step)[:, : compressed.shape[1] * self.config.step]

    def matrices(self):
        """The windowed DFT [window, 2 * bins] and inverse [2 * bins, window] as matrices, for export. The DFT is exact in float64."""
        n = torch.arange(self.config.window, dtype=torch.float64)
        k = torch.arange(self.config.bins, dtype=torch.float64)
        window = torch.hann_window(self.config.window, periodic=True, dtype=torch.float64)
        angle = 2 * math.pi * n[:, None] * k[None, :] / self.config.window
        analysis = torch.cat([torch.cos(angle), -torch.sin(angle)], 1) * window[:, None] * self.scale
        weight = torch.full((self.config.bins,), 2.0, dtype=torch.float64)
        weight[0] = weight[-1] = 1.0
        weight = weight[:, None] / self.config.window
        synthesis = torch.cat([torch.cos(angle.t()) * weight, -torch.sin(angle.t()) * weight], 0)
        return analysis.float(), (synthesis * window / (self.scale * self.gain)).float()


def overlap_add(frames: torch.Tensor, step: int) -> torch.Tensor:
    """Frames [B, J, W] at distance step → [B, J * step + W - step]."""
    batch, count, window = frames.shape
    parts = frames.reshape(batch, count, window // step, step)
    tail = window // step - 1
    total = sum(F.pad(parts[:, :, k], (0, 0, k, tail - k)) for k in range(tail + 1))
    return total.reshape(batch, -1)


class Encoder(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        depth = config.encoder_fine_blocks + config.encoder_blocks
        self.input = nn.Linear(3 * config.bins, config.encoder_fine_channels)
        self.fine = blocks(config.encoder_fine_blocks, config.encoder_fine_channels, config, depth)
        self.fold = nn.Linear(config.fine_per_token * config.encoder_fine_channels, config.encoder_channels)
        self.coarse = blocks(config.encoder_blocks, config.encoder_channels, config, depth)
        self.norm = nn.LayerNorm(config.encoder_channels)
        self.output = nn.Linear(config.encoder_channels, config.latent_channels)

    def features(self, compressed: torch.Tensor, log_power: torch.Tensor) -> torch.Tensor:
        return torch.cat([compressed, log_power * 0.15 + 1.0], -1)

    def forward(self, compressed: torch.Tensor, log_power: torch.Tensor) -> torch.Tensor:
        """Compressed spectra and log power of 4T fine frames → latents [B, T, C]."""
        x = self.input(self.features(compressed, log_power))
        for block in self.fine:
            x = block(x)
        x = self.fold(x.reshape(x.shape[0], -1, self.fold.in_features))
        for block in self.coarse:
            x = block(x)
        return self.output(self.norm(x))


class Decoder(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        depth = config.decoder_blocks + config.decoder_fine_blocks
        self.input = nn.Linear(config.latent_channels, config.decoder_channels)
        self.coarse = blocks(config.decoder_blocks, config.decoder_channels, config, depth)
        self.unfold = nn.Linear(config.decoder_channels, config.fine_per_token * config.decoder_fine_channels)
        self.fine = blocks(config.decoder_fine_blocks, config.decoder_fine_channels, config, depth)
        self.head = nn.Linear(config.decoder_fine_channels, 2 * config.bins)
        with torch.no_grad():
            self.head.weight.mul_(0.3)

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Latents [B, T, C] → compressed spectra of 4T fine frames [B, 4T, 2 * bins]."""
        x = self.input(latent)
        for block in self.coarse:
            x = block(x)
        x = self.unfold(x)
        x = x.reshape(x.shape[0], -1, self.head.in_features)
        for block in self.fine:
            x = block(x)
        return self.head(x)


class Noise(nn.Module):
    """Signs for the bins whose phase the codes do not carry.

    Left to itself the decoder gives such bins the same phase in every fine frame, which sounds as a buzz of their rate.
    The table's row is chosen by the frame's own codes, so that no state is needed and cutting a stream changes nothing.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        width = config.bins - config.noise_bin
        generator = torch.Generator().manual_seed(7)
        signs = torch.randint(0, 2, (config.noise_rows, config.fine_per_token, width), generator=generator) * 2 - 1
        self.register_buffer("signs", signs.float(), persistent=False)
        self.register_buffer("factors", torch.arange(config.quantizers) * 2.0 + 1.0, persistent=False)

    def rows(self, codes: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        """codes [B, Q, T], active [B, Q] of 0 or 1 → rows of the table [B, T]. Floats: the sums are exact below 2^24."""
        total = (codes.float() * (active * self.factors).unsqueeze(2)).sum(1)
        return (total - torch.floor(total / self.config.noise_rows) * self.config.noise_rows).long()

    def apply_to(self, compressed: torch.Tensor, signs: torch.Tensor) -> torch.Tensor:
        """Compressed spectra [B, J, 2 * bins] with signs [B, J, bins - noise_bin] on their upper bins."""
        whole = F.pad(signs, (self.config.noise_bin, 0), value=1.0)
        return compressed * torch.cat([whole, whole], -1)

    def random(self, compressed: torch.Tensor) -> torch.Tensor:
        """Fresh signs, for training."""
        shape = (*compressed.shape[:2], self.config.bins - self.config.noise_bin)
        return self.apply_to(compressed, torch.randint(0, 2, shape, device=compressed.device) * 2.0 - 1.0)

    def forward(self, compressed: torch.Tensor, codes: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        return self.apply_to(compressed, self.signs[self.rows(codes, active)].flatten(1, 2))


class Codec(nn.Module):
    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.spectrum = Spectrum(config)
        self.encoder = Encoder(config)
        self.quantizer = MaskedChannelRVQ(config)
        self.decoder = Decoder(config)
        self.noise = Noise(config)

    def set_compute(self, dtype: torch.dtype) -> None:
        for module in self.modules():
            if isinstance(module, Block):
                module.compute = dtype

    def latents(self, pcm: torch.Tensor) -> torch.Tensor:
        return self.encoder(*self.spectrum.compress(self.spectrum(pcm)))

    def encode(self, pcm: torch.Tensor) -> torch.Tensor:
        """pcm [B, T * hop] → codes [B, Q, T]."""
        latent = self.latents(pcm)
        codes = self.quantizer.encode(latent.flatten(0, 1))
        return codes.reshape(codes.shape[0], latent.shape[0], latent.shape[1]).transpose(0, 1)

    def decode(self, codes: torch.Tensor, quantizers: int) -> torch.Tensor:
        """codes [B, Q, T] → pcm [B, T * hop], lagging the input by the overlap."""
        batch, depth, frames = codes.shape
        flat = codes.transpose(0, 1).reshape(depth, -1)
        active = (torch.arange(depth, device=codes.device) < quantizers).float()
        latent = self.quantizer.decode(flat, active[:, None].expand_as(flat)).reshape(batch, frames, -1)
        compressed = self.noise(self.decoder(latent), codes, active.expand(batch, depth))
        return self.spectrum.synthesize(compressed).clamp(-1, 1)
