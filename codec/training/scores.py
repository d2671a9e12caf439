"""Objective scores of speech: STOI, extended STOI, log-mel distance, waveform correlation and two more.

numpy and scipy only. codec/quality/ holds the same definitions in TypeScript; test/unit reads values made by this file
(codec/training/score_references.py) so that the two cannot drift apart.

Signals are one-dimensional float arrays in [-1, 1]. Everything but `resample` and `align` expects the two signals to
be aligned already; `score` does the whole of it.

    python3 scores.py REFERENCE.wav DEGRADED.wav        prints the scores as JSON
"""

import json
import math
import sys
import wave

import numpy as np
from scipy.signal import resample_poly

SCORING_RATE = 16000
"""Every score is taken at this rate, so that codecs of different bandwidth are compared on the same ground."""

MAX_LAG_SECONDS = 0.1
MIN_ALIGNING_CORRELATION = 0.1
EPSILON = np.finfo(np.float64).eps

STOI_RATE = 10000
STOI_FRAME, STOI_HOP, STOI_FFT = 256, 128, 512
STOI_BANDS, STOI_LOWEST_HZ = 15, 150.0
STOI_SEGMENT = 30
STOI_CLIP_DB = -15.0
STOI_SILENCE_DB = 40.0

MEL_WINDOW, MEL_HOP, MEL_BANDS, MEL_TOP_HZ, MEL_FLOOR = 1024, 256, 80, 8000.0, 1e-5

SNR_FRAME_SECONDS, SNR_LOW_DB, SNR_HIGH_DB = 0.02, -10.0, 35.0


def resample(signal, rate, target_rate):
    """Polyphase resampling with a 60 dB Kaiser filter whose transition is the last tenth below the lower Nyquist
    frequency: the design of Octave's `resample`, which reference implementations of STOI rely on."""
    signal = np.asarray(signal, np.float64)
    if rate == target_rate:
        return signal
    common = math.gcd(rate, target_rate)
    up, down = target_rate // common, rate // common
    stop = 1 / (2 * max(up, down))
    width = stop / 10
    rejection_db = 60.0
    half = math.ceil((rejection_db - 8) / (28.714 * width))
    cutoff = stop - width / 2
    time = np.arange(-half, half + 1)
    taps = np.kaiser(2 * half + 1, 0.1102 * (rejection_db - 8.7)) * np.sinc(2 * cutoff * time)
    return resample_poly(signal, up, down, window=taps / taps.sum())


def align(reference, degraded, rate, max_lag_seconds=MAX_LAG_SECONDS):
    """Shift by whole samples to the peak of the cross-correlation, within the lag given, and cut both to the part
    they share. Returns (reference, degraded, lag): a positive lag means that `degraded` came late.

    Where the peak stays under MIN_ALIGNING_CORRELATION there is no waveform to align by (a vocoder that makes up its
    phase): the peak would be chance, so the lag is taken as 0."""
    x, y = np.asarray(reference, np.float64), np.asarray(degraded, np.float64)
    bound = min(round(max_lag_seconds * rate), len(x) - 1, len(y) - 1)
    energy = math.sqrt(np.dot(x, x) * np.dot(y, y))
    lag = 0
    if bound > 0 and energy > 0:
        size = 1 << (max(len(x), len(y)) + bound).bit_length()
        product = np.fft.irfft(np.conj(np.fft.rfft(x, size)) * np.fft.rfft(y, size), size)
        lags = np.arange(-bound, bound + 1)
        best = int(np.argmax(product[lags]))
        if product[lags[best]] / energy >= MIN_ALIGNING_CORRELATION:
            lag = int(lags[best])
    x, y = (x, y[lag:]) if lag >= 0 else (x[-lag:], y)
    length = min(len(x), len(y))
    return x[:length], y[:length], lag


def _frames(signal, size, hop):
    if len(signal) < size:
        return np.zeros((0, size))
    return np.lib.stride_tricks.sliding_window_view(signal, size)[::hop]


def _stoi_frames(signal):
    """As in the authors' implementation, a frame that would end on the very last sample is not taken."""
    return _frames(signal[:-1], STOI_FRAME, STOI_HOP)


def _stoi_bands(reference, degraded, rate):
    """Third-octave magnitudes of both signals at 10 kHz, [bands, frames], frames where the reference is silent left out."""
    x, y = resample(reference, rate, STOI_RATE), resample(degraded, rate, STOI_RATE)
    length = min(len(x), len(y))
    window = np.hanning(STOI_FRAME + 2)[1:-1]
    x, y = (_stoi_frames(part[:length]) * window for part in (x, y))
    level = 20 * np.log10(np.linalg.norm(x, axis=1) + EPSILON)
    loud = level > level.max(initial=-np.inf) - STOI_SILENCE_DB
    spectra = []
    for frames in (x[loud], y[loud]):
        joined = np.zeros((len(frames) + 1) * STOI_HOP if len(frames) else 0)
        for number, frame in enumerate(frames):  # the kept frames overlap-add to a shorter signal
            joined[number * STOI_HOP:number * STOI_HOP + STOI_FRAME] += frame
        spectra.append(np.abs(np.fft.rfft(_stoi_frames(joined) * window, STOI_FFT)) ** 2)
    hz = np.arange(STOI_FFT // 2 + 1) * STOI_RATE / STOI_FFT
    bank = np.zeros((STOI_BANDS, len(hz)))
    for k in range(STOI_BANDS):
        low, high = (STOI_LOWEST_HZ * 2 ** ((2 * k + side) / 6) for side in (-1, 1))
        bank[k, np.argmin((hz - low) ** 2):np.argmin((hz - high) ** 2)] = 1
    x, y = (np.sqrt(bank @ power.T) for power in spectra)
    if x.shape[1] < STOI_SEGMENT:
        raise ValueError(f"STOI needs {STOI_SEGMENT} frames (0.4 s) of speech, got {x.shape[1]}")
    return x, y


def _segments(bands):
    """[segments, bands, 30]: every run of 30 frames."""
    return np.lib.stride_tricks.sliding_window_view(bands, STOI_SEGMENT, axis=1).transpose(1, 0, 2)


def _standardize(values, axis):
    values = values - values.mean(axis=axis, keepdims=True)
    return values / (np.linalg.norm(values, axis=axis, keepdims=True) + EPSILON)


def stoi(reference, degraded, rate):
    """Short-time objective intelligibility (Taal et al. 2011): 1 for identical signals, about 0 for unrelated ones."""
    x, y = (_segments(bands) for bands in _stoi_bands(reference, degraded, rate))
    y = y * np.linalg.norm(x, axis=2, keepdims=True) / (np.linalg.norm(y, axis=2, keepdims=True) + EPSILON)
    y = np.minimum(y, x * (1 + 10 ** (-STOI_CLIP_DB / 20)))
    return float(np.mean(np.sum(_standardize(x, 2) * _standardize(y, 2), axis=2)))


def estoi(reference, degraded, rate):
    """Extended STOI (Jensen and Taal 2016): bands normalized over time, then frames over bands."""
    x, y = (_segments(bands) for bands in _stoi_bands(reference, degraded, rate))
    x, y = (_standardize(_standardize(part, 2), 1) for part in (x, y))
    return float(np.mean(np.sum(x * y, axis=(1, 2)) / STOI_SEGMENT))


def _mel_bank():
    """Triangles on the HTK mel scale with peaks of 1, [bands, bins]."""
    top = 2595 * math.log10(1 + MEL_TOP_HZ / 700)
    edges = 700 * (10 ** (np.linspace(0, top, MEL_BANDS + 2) / 2595) - 1)
    hz = np.arange(MEL_WINDOW // 2 + 1) * SCORING_RATE / MEL_WINDOW
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    return np.maximum(0, np.minimum((hz - low) / (centre - low), (high - hz) / (high - centre)))


def _magnitudes(signal):
    """STFT magnitudes [frames, bins], Hann window, frames centred on multiples of the hop (edges reflected)."""
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(MEL_WINDOW) / MEL_WINDOW)
    padded = np.pad(signal, MEL_WINDOW // 2, mode="reflect")
    return np.abs(np.fft.rfft(_frames(padded, MEL_WINDOW, MEL_HOP) * window))


def _magnitude_pair(reference, degraded, rate):
    x, y = resample(reference, rate, SCORING_RATE), resample(degraded, rate, SCORING_RATE)
    length = min(len(x), len(y))
    if length <= MEL_WINDOW // 2:
        raise ValueError(f"needs more than {MEL_WINDOW // 2} samples at {SCORING_RATE} Hz, got {length}")
    return _magnitudes(x[:length]), _magnitudes(y[:length])


def log_mel_distance(reference, degraded, rate):
    """Mean absolute difference of log10 mel magnitudes (floor 1e-5), 80 bands to 8 kHz, at 16 kHz."""
    bank = _mel_bank().T
    x, y = (np.log10(np.maximum(part @ bank, MEL_FLOOR)) for part in _magnitude_pair(reference, degraded, rate))
    return float(np.mean(np.abs(x - y)))


def log_spectral_distance(reference, degraded, rate):
    """Root mean square over bins of the difference in dB (magnitude floor 1e-5), mean over frames, at 16 kHz."""
    x, y = (20 * np.log10(np.maximum(part, MEL_FLOOR)) for part in _magnitude_pair(reference, degraded, rate))
    return float(np.mean(np.sqrt(np.mean((x - y) ** 2, axis=1))))


def waveform_correlation(reference, degraded):
    """Pearson correlation of the samples over the length that both have; 0 where either is constant."""
    length = min(len(reference), len(degraded))
    x, y = (np.asarray(part[:length], np.float64) for part in (reference, degraded))
    x, y = x - x.mean(), y - y.mean()
    energy = math.sqrt(np.dot(x, x) * np.dot(y, y))
    return float(np.dot(x, y) / energy) if energy > 0 else 0.0


def segmental_snr(reference, degraded, rate):
    """Mean over 20 ms frames of the signal-to-noise ratio in dB, each held to -10..35 dB. Frames of the reference more
    than 40 dB under its loudest are left out."""
    size = round(SNR_FRAME_SECONDS * rate)
    length = min(len(reference), len(degraded)) // size * size
    x, y = (np.asarray(part[:length], np.float64).reshape(-1, size) for part in (reference, degraded))
    signal, noise = np.sum(x**2, axis=1), np.sum((x - y) ** 2, axis=1)
    active = signal > signal.max(initial=0) * 10 ** (-STOI_SILENCE_DB / 10)
    if not active.any():
        raise ValueError("segmental SNR needs a frame of 20 ms that is not silent")
    ratio = 10 * np.log10((signal[active] + EPSILON) / (noise[active] + EPSILON))
    return float(np.mean(np.clip(ratio, SNR_LOW_DB, SNR_HIGH_DB)))


def score(reference, degraded, rate, max_lag_seconds=MAX_LAG_SECONDS):
    """All scores of a pair at `rate`, at 16 kHz. The pair is aligned first, at its own rate: there a codec's delay is
    a whole number of samples. Returns a dict of floats: stoi, estoi, log_mel_distance, waveform_correlation,
    log_spectral_distance, segmental_snr, lag_seconds."""
    x, y, lag = align(reference, degraded, rate, max_lag_seconds)
    x, y = resample(x, rate, SCORING_RATE), resample(y, rate, SCORING_RATE)
    return {
        "stoi": stoi(x, y, SCORING_RATE),
        "estoi": estoi(x, y, SCORING_RATE),
        "log_mel_distance": log_mel_distance(x, y, SCORING_RATE),
        "waveform_correlation": waveform_correlation(x, y),
        "log_spectral_distance": log_spectral_distance(x, y, SCORING_RATE),
        "segmental_snr": segmental_snr(x, y, SCORING_RATE),
        "lag_seconds": lag / rate,
    }


def read_wav(path):
    """(samples in [-1, 1], rate) of a 16-bit mono WAV file."""
    with wave.open(path) as file:
        if file.getsampwidth() != 2 or file.getnchannels() != 1:
            raise ValueError(f"{path}: expected 16-bit mono")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768, file.getframerate()


if __name__ == "__main__":
    (first, rate), (second, second_rate) = (read_wav(path) for path in sys.argv[1:3])
    if rate != second_rate:
        raise SystemExit(f"sample rates differ: {rate} and {second_rate} Hz")
    print(json.dumps(score(first, second, rate), indent=2))
