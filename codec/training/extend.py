"""Adds residual codebooks to a trained model: k-means over what its last quantizer leaves of training speech.

Encoder, decoder and the codebooks there are stay as they are, so tokens of the smaller model stay valid.

python3 extend.py packed.pt data 16 extended.pt
"""

import argparse
import dataclasses
import os

import numpy as np
import torch

from data import Crops
from evaluate import load
from model import Codec


@torch.no_grad()
def extend(codec: Codec, pcm: torch.Tensor, quantizers: int, minutes: float) -> Codec:
    """The codec with so many quantizers, fitted on so much of pcm [N] int16, levels and pitch varied as in training."""
    c = codec.config
    larger = Codec(dataclasses.replace(c, quantizers=quantizers)).eval()
    kept = {k: v for k, v in codec.state_dict().items() if not k.startswith("quantizer.")}
    larger.load_state_dict({**larger.state_dict(), **kept})
    for name in ("codebooks", "counts", "sums"):
        getattr(larger.quantizer, name)[: c.quantizers] = getattr(codec.quantizer, name)
    crops = Crops(pcm, 4 * c.sample_rate, 8)
    # The first frames of a crop follow silence that is not there.
    latents = torch.cat([larger.latents(crops())[:, 10:].flatten(0, 1) for _ in range(max(1, round(minutes * 60 / 32)))])
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
