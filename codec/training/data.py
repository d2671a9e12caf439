"""The corpus as one int16 array: decoded once by opusdec, cropped and augmented where the model trains."""

import concurrent.futures
import os
import subprocess

import numpy as np
import torch

from split import read_table, training_rows

HERE = os.path.dirname(os.path.abspath(__file__))


def decode_opus(path: str, rate: int) -> np.ndarray:
    raw = subprocess.run(["opusdec", "--quiet", "--rate", str(rate), "--force-wav", path, "-"], capture_output=True, check=True).stdout
    start = raw.index(b"data") + 8
    return np.frombuffer(raw[start : start + (len(raw) - start) // 2 * 2], dtype="<i2")


def heldout() -> list:
    return read_table(os.path.join(HERE, "heldout.tsv"))


def build(corpus: str, index: str, out: str, rate: int, workers: int = 16, limit: int = 0) -> None:
    """Decodes every file below `corpus` whose speaker is not held out into out/train.npy, and the held-out ones beside it."""
    held = heldout()
    rows = [row for row in training_rows(read_table(index), held) if os.path.exists(os.path.join(corpus, row["path"]))]
    if limit:
        rows = rows[:: max(1, len(rows) // limit)][:limit]
    os.makedirs(out, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        parts = list(pool.map(lambda row: decode_opus(os.path.join(corpus, row["path"]), rate), rows))
        kept = [row for row in held if os.path.exists(os.path.join(corpus, row["path"]))]
        clips = list(pool.map(lambda row: decode_opus(os.path.join(corpus, row["path"]), rate), kept))
    np.save(os.path.join(out, "train.npy"), np.concatenate(parts))
    np.savez(os.path.join(out, "heldout.npz"), **{f"{row['set']}/{i}": clip for i, (row, clip) in enumerate(zip(kept, clips))})
    print(f"train {sum(map(len, parts)) / rate / 3600:.2f} h of {len(rows)} files, held out {len(kept)}")


class Crops:
    """Random crops [batch, samples] of the training audio, gathered and augmented on the device."""

    def __init__(self, pcm: torch.Tensor, samples: int, batch: int):
        self.pcm, self.samples, self.batch = pcm, samples, batch
        self.range = torch.arange(samples, device=pcm.device)

    def _gather(self, stretch: torch.Tensor) -> torch.Tensor:
        """Crops played at `stretch` [B] times their speed: a cheap change of pitch and vocal-tract length at once."""
        span = int(self.samples * 1.2) + 2
        start = torch.randint(len(self.pcm) - span, (self.batch,), device=self.pcm.device)
        position = self.range * stretch[:, None]
        whole = position.floor()
        part = position - whole
        index = start[:, None] + whole.long()
        take = lambda k: self.pcm[(index + k).clamp(0, len(self.pcm) - 1)].float()
        # Catmull-Rom interpolation; at stretch 1 it gives the samples themselves.
        a, b, c, d = take(-1), take(0), take(1), take(2)
        return (b + 0.5 * part * (c - a + part * (2 * a - 5 * b + 4 * c - d + part * (3 * (b - c) + d - a)))) / 32768.0

    def __call__(self) -> torch.Tensor:
        device, n = self.pcm.device, self.batch
        stretch = torch.where(torch.rand(n, device=device) < 0.4, 0.88 + 0.3 * torch.rand(n, device=device), torch.ones(n, device=device))
        x = self._gather(stretch)
        decibels = -14.0 + 20.0 * torch.rand(n, 1, device=device)
        sign = torch.where(torch.rand(n, 1, device=device) < 0.5, -1.0, 1.0)
        x = x * sign * 10.0 ** (decibels / 20.0)
        # One item in eight has a second voice or room noise behind it: its neighbour in the batch, 6 to 30 dB down.
        behind = (torch.rand(n, 1, device=device) < 0.125).float() * 10.0 ** (-(6.0 + 24.0 * torch.rand(n, 1, device=device)) / 20.0)
        x = x + behind * x.roll(1, 0)
        peak = x.abs().amax(1, keepdim=True)
        return x / (peak / 0.98).clamp(min=1.0)


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=build.__doc__)
    parser.add_argument("corpus")
    parser.add_argument("index")
    parser.add_argument("out")
    parser.add_argument("--rate", type=int, default=24_000)
    parser.add_argument("--limit", type=int, default=0, help="only so many training files, evenly spread")
    arguments = parser.parse_args()
    build(arguments.corpus, arguments.index, arguments.out, arguments.rate, os.cpu_count(), arguments.limit)
