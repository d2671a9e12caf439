"""Adds residual codebooks to a trained model: k-means over what its last quantizer leaves of training speech.

Encoder, decoder and the codebooks there are stay as they are, so tokens of the smaller model stay valid.

python3 extend.py packed.pt data 16 extended.pt
"""

import argparse
import dataclasses
import os

import numpy as np
import torch

from evaluate import load
from model import Codec


SECONDS = 10
WARM_UP_FRAMES = 10  # the first frames of a piece follow silence that is not there


def pieces(pcm: torch.Tensor, rate: int, minutes: float):
    """Batches [8, N] of so much of pcm [N] int16, spread at random; half of it at levels of -14 to 6 dB, as in training."""
    length = SECONDS * rate
    starts = torch.randperm(len(pcm) // length)[: round(minutes * 60 / SECONDS)] * length
    for group in starts.split(8):
        x = torch.stack([pcm[start : start + length] for start in group]).float() / 32768
        decibels = torch.where(torch.rand(len(x), 1) < 0.5, torch.zeros(len(x), 1), 20.0 * torch.rand(len(x), 1) - 14.0)
        x = x * 10.0 ** (decibels / 20.0)
        yield x / (x.abs().amax(1, keepdim=True) / 0.98).clamp(min=1.0)


@torch.no_grad()
def extend(codec: Codec, pcm: torch.Tensor, quantizers: int, minutes: float) -> Codec:
    """The codec with so many quantizers, fitted on `minutes` of pcm [N] int16."""
    c = codec.config
    larger = Codec(dataclasses.replace(c, quantizers=quantizers)).eval()
    kept = {k: v for k, v in codec.state_dict().items() if not k.startswith("quantizer.")}
    larger.load_state_dict({**larger.state_dict(), **kept})
    for name in ("codebooks", "counts", "sums"):
        getattr(larger.quantizer, name)[: c.quantizers] = getattr(codec.quantizer, name)
    latents = torch.cat([larger.latents(piece)[:, WARM_UP_FRAMES:].flatten(0, 1) for piece in pieces(pcm, c.sample_rate, minutes)])
    larger.quantizer.initialize(latents, iterations=18, first=c.quantizers)
    energy, total = latents.square().mean(), torch.zeros_like(latents)
    for stage in range(quantizers):
        index = larger.quantizer.nearest(larger.quantizer.stage_input(latents, total, stage), stage)
        total = total + larger.quantizer.codebooks[stage][index]
        print(f"{stage + 1:2d} quantizers leave {10 * torch.log10((latents - total).square().mean() / energy):.2f} dB")
    return larger


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("data", help="folder made by data.py")
    parser.add_argument("quantizers", type=int)
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=60.0, help="of speech to fit on")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    pcm = torch.from_numpy(np.load(os.path.join(arguments.data, "train.npy"), mmap_mode="c"))
    codec = extend(load(arguments.checkpoint, "cpu"), pcm, arguments.quantizers, arguments.minutes)
    torch.save({"config": codec.config.to_dict(), "average": codec.state_dict(), "step": 0}, arguments.out)
