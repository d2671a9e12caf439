"""Write the scores that the TypeScript tests have to meet: every fixture recording under each degradation below.

    python3 score_references.py ../../test/fixtures

The degradations are built from integers and short formulas, so that test/support/degradations.ts makes the same ones.
"""

import json
import os
import sys

import numpy as np

import scores

FIXTURES = ["speech-de-1.wav", "speech-ja-1.wav"]


def noise(length, seed):
    """Uniform white noise in [-1, 1) from a 32-bit linear congruential generator (Numerical Recipes' constants)."""
    values = np.empty(length)
    state = seed
    for index in range(length):
        state = (1664525 * state + 1013904223) % 2**32
        values[index] = state / 2**31 - 1
    return values


def add_noise(signal, seed, snr_db):
    added = noise(len(signal), seed)
    return signal + added * np.sqrt(np.dot(signal, signal) / np.dot(added, added)) * 10 ** (-snr_db / 20)


def low_pass(signal, rate, cutoff_hz):
    """101 taps of a sinc under a Hann window."""
    time = np.arange(-50, 51)
    taps = np.sinc(2 * cutoff_hz / rate * time) * (0.5 + 0.5 * np.cos(np.pi * time / 51))
    return np.convolve(signal, taps / taps.sum(), mode="same")


def clip(signal, share_of_peak):
    bound = np.abs(signal).max() * share_of_peak
    return np.clip(signal, -bound, bound)


def delay(signal, samples):
    return np.concatenate([np.zeros(samples), signal])


DEGRADATIONS = {
    "none": lambda x, rate: x,
    "noise 20 dB": lambda x, rate: add_noise(x, 1, 20),
    "noise 10 dB": lambda x, rate: add_noise(x, 2, 10),
    "noise 0 dB": lambda x, rate: add_noise(x, 3, 0),
    "noise -10 dB": lambda x, rate: add_noise(x, 4, -10),
    "low-pass 2000 Hz": lambda x, rate: low_pass(x, rate, 2000),
    "clip 10%": lambda x, rate: clip(x, 0.1),
    "delay 840, noise 15 dB": lambda x, rate: delay(add_noise(x, 5, 15), 840),
}


def main(folder):
    rows = []
    for name in FIXTURES:
        signal, rate = scores.read_wav(os.path.join(folder, name))
        for degradation, apply in DEGRADATIONS.items():
            degraded = apply(signal, rate).astype(np.float32)
            values = scores.score(signal, degraded, rate)
            rows.append({"file": name, "degradation": degradation} | {k: round(v, 6) for k, v in values.items()})
    with open(os.path.join(folder, "reference-scores.json"), "w", encoding="utf-8") as file:
        file.write("[\n" + ",\n".join("  " + json.dumps(row) for row in rows) + "\n]\n")


if __name__ == "__main__":
    main(sys.argv[1])
