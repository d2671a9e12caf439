"""Losses between a synthesized waveform and its source, both [B, N] float32 in [-1, 1]."""

import math

import torch
import torch.nn.functional as F
from torch import nn

POWER_FLOOR = 1e-10


def stft(x: torch.Tensor, window: torch.Tensor, hop: int) -> torch.Tensor:
    """Complex spectra [B, frames, bins], scaled to unit gain for noise; frames lie wholly inside the signal."""
    return torch.fft.rfft(x.unfold(-1, window.shape[0], hop) * window) / window.square().sum().sqrt()


def compressed(spectra: torch.Tensor, power: float):
    level = torch.log(spectra.real.square() + spectra.imag.square() + POWER_FLOOR)
    gain = torch.exp(0.5 * (power - 1.0) * level)
    return spectra.real * gain, spectra.imag * gain, torch.exp(0.5 * power * level)


def mel_filters(rate: int, window: int, bands: int, top_hz: float) -> torch.Tensor:
    """Triangular mel filters [bins, bands], peak 1, mel scale of O'Shaughnessy (2595 log10(1 + f / 700))."""
    to_mel = lambda hz: 2595.0 * math.log10(1.0 + hz / 700.0)
    edges = torch.linspace(0.0, to_mel(top_hz), bands + 2, dtype=torch.float64)
    edges = 700.0 * (10.0 ** (edges / 2595.0) - 1.0)
    bins = torch.arange(window // 2 + 1, dtype=torch.float64) * rate / window
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    filters = torch.minimum(rising, falling).clamp(min=0.0)
    # Narrow bands at small windows may fall between bins: give each at least its nearest bin.
    nearest = (edges[1:-1] * window / rate).round().long().clamp(max=window // 2)
    empty = filters.sum(0) == 0
    filters[nearest[empty], torch.arange(bands)[empty]] = 1.0
    return filters.float()


class SpectralLoss(nn.Module):
    """Two losses from one set of spectra, each a mean over several windows.

    Complex: squared error of compressed complex spectra plus half the absolute error of compressed magnitudes, both
    relative to the source, below `complex_below_hz`. It keeps the waveform. Mel: mean absolute difference of log10 mel magnitudes.
    """

    def __init__(
        self, rate: int, windows=((256, 20), (512, 40), (1024, 80), (2048, 160)), power: float = 0.3, floor: float = 1e-5,
        complex_below_hz: float = math.inf,
    ):
        super().__init__()
        self.windows, self.power, self.floor = windows, power, floor
        self.bins = {size: min(size // 2 + 1, int(min(complex_below_hz, rate) * size / rate)) for size, _ in windows}
        for size, bands in windows:
            self.register_buffer(f"window{size}", torch.hann_window(size), persistent=False)
            self.register_buffer(f"filters{size}", mel_filters(rate, size, bands, rate / 2), persistent=False)

    def views(self, x: torch.Tensor, size: int):
        window = getattr(self, f"window{size}")
        spectra = stft(x, window, size // 4)
        real, imaginary, magnitude = compressed(spectra, self.power)
        level = (spectra.real.square() + spectra.imag.square() + POWER_FLOOR).sqrt() * window.square().sum().sqrt()
        return real, imaginary, magnitude, (level @ getattr(self, f"filters{size}")).clamp(min=self.floor).log10()

    def forward(self, y: torch.Tensor, x: torch.Tensor):
        complex_loss, mel_loss = 0.0, 0.0
        for size, _ in self.windows:
            *y_complex, y_mel = self.views(y, size)
            with torch.no_grad():
                *x_complex, x_mel = self.views(x, size)
            yr, yi, ym, xr, xi, xm = (part[..., : self.bins[size]] for part in (*y_complex, *x_complex))
            error = ((yr - xr).square() + (yi - xi).square()).mean() / xm.square().mean()
            complex_loss = complex_loss + error + 0.5 * (ym - xm).abs().mean() / xm.mean()
            mel_loss = mel_loss + (y_mel - x_mel).abs().mean()
        return complex_loss / len(self.windows), mel_loss / len(self.windows)


class EnvelopeLoss(nn.Module):
    """One minus the correlation of third-octave envelopes over 384 ms, the quantity behind STOI (Taal 2011)."""

    def __init__(self, rate: int, segment: int = 30):
        super().__init__()
        self.size, self.segment = int(rate * 0.0256) // 2 * 2, segment
        self.register_buffer("window", torch.hann_window(self.size), persistent=False)
        bins = torch.arange(self.size // 2 + 1, dtype=torch.float64) * rate / self.size
        centres = 150.0 * 2.0 ** (torch.arange(15, dtype=torch.float64) / 3.0)
        inside = (bins[:, None] >= centres * 2 ** (-1 / 6)) & (bins[:, None] < centres * 2 ** (1 / 6))
        self.register_buffer("filters", inside.float(), persistent=False)

    def bands(self, x: torch.Tensor) -> torch.Tensor:
        spectra = torch.fft.rfft(x.unfold(-1, self.size, self.size // 2) * self.window)
        power = spectra.real.square() + spectra.imag.square()
        return (power @ self.filters + 1e-7).sqrt()

    @staticmethod
    def _unit(v: torch.Tensor, dim: int) -> torch.Tensor:
        v = v - v.mean(dim, keepdim=True)
        return v / (v.square().sum(dim, keepdim=True) + 1e-6).sqrt()

    def forward(self, y: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        a = self.bands(y).unfold(1, self.segment, self.segment // 3)  # [B, segments, bands, frames]
        b = self.bands(x).unfold(1, self.segment, self.segment // 3)
        # Segments of near silence carry no envelope worth matching.
        loud = (b.square().sum((2, 3), keepdim=True) > 1e-2).float()
        a, b = self._unit(a, 3), self._unit(b, 3)
        temporal = ((a * b).sum(3, keepdim=True) * loud).sum() / (loud.sum() * a.shape[2]).clamp(min=1.0)
        spectral = ((self._unit(a, 2) * self._unit(b, 2)).sum(2, keepdim=True) * loud).sum() / (loud.sum() * a.shape[3]).clamp(min=1.0)
        return 1.0 - 0.5 * (temporal + spectral)


class VoiceLoss(nn.Module):
    """What the spectral losses weigh too little: frames of speech that are far from loud, and the period of voices.

    Both signals are brought to `RATE` first: above, codes carry no phase. Frames more than 40 dB under the loudest of their item do not count.

    Segmental: mean log10 of error over signal in frames of 20 ms, each held to -10 to 35 dB; a tenth of the segmental SNR with
    its sign turned. Periodicity: mean absolute difference of the cumulative mean normalized differences of YIN (de
    Cheveigné 2002) over lags of 60 to 500 Hz, weighted to where the source has its dips: they decide on pitch and voicing.
    """

    RATE = 8_000
    SILENCE = 1e-4
    LAGS = (16, 134)
    WINDOW = 200

    def __init__(self, rate: int, taps: int = 49):
        super().__init__()
        self.factor = rate // self.RATE
        n = torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2
        kernel = torch.sinc(n * 0.9 / self.factor) * torch.hann_window(taps + 2, periodic=False, dtype=torch.float64)[1:-1]
        self.register_buffer("kernel", (kernel / kernel.sum()).float()[None, None], persistent=False)

    def segmental(self, y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        size = self.RATE // 50
        frames = lambda s: s[:, : s.shape[1] // size * size].reshape(len(s), -1, size).square().sum(2)
        signal, error = frames(x), frames(x - y)
        heard = (signal > self.SILENCE * signal.amax(1, keepdim=True)).float() * weights[:, None]
        ratio = (error / (signal + 1e-9)).clamp(max=10.0) + 10**-3.5
        return (ratio.log10() * heard).sum() / heard.sum().clamp(min=1.0)

    def differences(self, x: torch.Tensor):
        """Cumulative mean normalized differences [B, frames, lags] and each frame's energy [B, frames]."""
        longest = self.LAGS[1]
        frames = x.unfold(1, self.WINDOW + longest, self.RATE // 100)
        window = frames[..., : self.WINDOW]
        size = 512  # as much as lags and frame need
        products = torch.fft.irfft(torch.fft.rfft(window, size).conj() * torch.fft.rfft(frames, size), size)[..., : longest + 1]
        sums = F.pad(frames.square().cumsum(2), (1, 0))
        energies = sums[..., self.WINDOW :] - sums[..., : longest + 1]
        difference = (energies[..., :1] + energies - 2 * products)[..., 1:].clamp(min=0.0)
        lags = torch.arange(1, longest + 1, device=x.device)
        normalized = difference * lags / (difference.cumsum(2) + 1e-6)
        return normalized[..., self.LAGS[0] - 1 :], energies[..., 0]

    def periodicity(self, y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            wanted, energy = self.differences(x)
            heard = (energy > self.SILENCE * energy.amax(1, keepdim=True)).float() * weights[:, None]
            dips = heard.unsqueeze(2) * (0.1 + torch.exp(-wanted / 0.2))
        given, _ = self.differences(y)
        return ((given - wanted).abs() * dips).sum() / dips.sum().clamp(min=1.0)

    def forward(self, y: torch.Tensor, x: torch.Tensor, weights: torch.Tensor):
        """(segmental, periodicity) of signals [B, N]; `weights` [B] says how much each item counts."""
        low = F.conv1d(torch.stack([y, x]).flatten(0, 1).unsqueeze(1), self.kernel, stride=self.factor).squeeze(1)
        y, x = low.chunk(2)
        return self.segmental(y, x, weights), self.periodicity(y, x, weights)


class SpectrogramDiscriminator(nn.Module):
    """A few plain 2-D convolutions over one resolution of complex spectra (real and imaginary as channels)."""

    def __init__(self, size: int, channels: int = 32):
        super().__init__()
        self.size = size
        self.register_buffer("window", torch.hann_window(size), persistent=False)
        widths = [2, channels, channels, 2 * channels, 2 * channels]
        strides = [(1, 2), (1, 2), (2, 2), (1, 2)]
        self.layers = nn.ModuleList(
            nn.Conv2d(a, b, (3, 7), s, padding=(1, 3)) for a, b, s in zip(widths, widths[1:], strides)
        )
        self.output = nn.Conv2d(widths[-1], 1, 3, padding=1)

    def forward(self, x: torch.Tensor):
        real, imaginary, _ = compressed(stft(x, self.window, self.size // 4), 0.3)
        h, features = torch.stack([real, imaginary], 1), []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.1)
            features.append(h)
        return self.output(h), features


class PeriodDiscriminator(nn.Module):
    """Convolutions over the waveform folded at one period (HiFi-GAN)."""

    def __init__(self, period: int, channels: int = 24):
        super().__init__()
        self.period = period
        widths = [1, channels, 2 * channels, 4 * channels, 4 * channels]
        self.layers = nn.ModuleList(nn.Conv2d(a, b, (5, 1), (3, 1), padding=(2, 0)) for a, b in zip(widths, widths[1:]))
        self.output = nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0))

    def forward(self, x: torch.Tensor):
        x = x[:, : x.shape[1] // self.period * self.period]
        h, features = x.reshape(x.shape[0], 1, -1, self.period), []
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.1)
            features.append(h)
        return self.output(h), features


class Discriminators(nn.Module):
    def __init__(self, sizes=(384, 768, 1536), periods=(2, 3, 5, 7, 11)):
        super().__init__()
        self.parts = nn.ModuleList(
            [SpectrogramDiscriminator(s) for s in sizes] + [PeriodDiscriminator(p) for p in periods]
        )

    def forward(self, x: torch.Tensor):
        return [part(x) for part in self.parts]

    def judge_loss(self, real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
        """Least-squares loss of the discriminators, real and fake in one batch."""
        total = 0.0
        for score, _ in self(torch.cat([real, fake])):
            r, f = score.float().chunk(2)
            total = total + (r - 1).square().mean() + f.square().mean()
        return total / len(self.parts)

    def fool_loss(self, real: torch.Tensor, fake: torch.Tensor):
        """Least-squares loss of the generator and the feature-matching loss."""
        adversarial, matching = 0.0, 0.0
        for score, features in self(torch.cat([real, fake])):
            adversarial = adversarial + (score.float().chunk(2)[1] - 1).square().mean()
            for feature in features:
                r, f = feature.float().chunk(2)
                matching = matching + (f - r.detach()).abs().mean() / (r.detach().abs().mean() + 1e-3) / len(features)
        return adversarial / len(self.parts), matching / len(self.parts)
