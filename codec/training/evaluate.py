"""Scores a checkpoint on held-out recordings, whole files through the codec at several depths."""

import argparse
import json
import multiprocessing
import os

import numpy as np
import torch

from config import Config
from model import Codec
from scores import score


@torch.no_grad()
def reconstruct(codec: Codec, clip: np.ndarray, depths: list, device) -> list:
    """The clip [N] float32 through the codec at each depth (0: without the quantizer), aligned and of the same length."""
    config = codec.config
    frames = -(-(len(clip) + config.overlap) // config.hop)
    pcm = torch.zeros(1, frames * config.hop, device=device)
    pcm[0, : len(clip)] = torch.from_numpy(clip)
    if depths:
        codes = codec.encode(pcm)
        outputs = [codec.decode(codes, depth) for depth in depths]
    else:
        outputs = [codec.spectrum.synthesize(codec.decoder(codec.latents(pcm))).clamp(-1, 1)]
    return [y[0, config.overlap : config.overlap + len(clip)].cpu().numpy() for y in outputs]


def _score(job) -> dict:
    return score(*job)


class Scores:
    """Scores under way: mean over clips by depth, {"q6": {"stoi": ...}}; {"q0": ...} without the quantizer."""

    def __init__(self, names: list, pending):
        self.names, self.pending = names, pending

    def done(self) -> bool:
        return self.pending.ready()

    def result(self) -> dict:
        rows = self.pending.get()
        mean = lambda part: {key: round(float(np.mean([row[key] for row in part])), 4) for key in rows[0]}
        return {name: mean(rows[i :: len(self.names)]) for i, name in enumerate(self.names)}


class Scorer:
    """Processes that score while the GPU goes on. They are forked: make one before the first use of CUDA."""

    def __init__(self, processes: int):
        self.pool = multiprocessing.get_context("fork").Pool(max(1, processes))

    def submit(self, codec: Codec, clips: list, depths: list, device) -> Scores:
        names = [f"q{d}" for d in depths] or ["q0"]
        rate = codec.config.sample_rate
        jobs = [(clip, output, rate) for clip in clips for output in reconstruct(codec, clip, depths, device)]
        return Scores(names, self.pool.map_async(_score, jobs, chunksize=4))


def load(path: str, device) -> Codec:
    states = torch.load(path, map_location=device)
    codec = Codec(Config.from_dict(states["config"])).to(device).eval()
    codec.load_state_dict({k: v.float() for k, v in states["average"].items()}, strict="quantizer.sums" in states["average"])
    return codec


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("data", help="folder made by data.py")
    parser.add_argument("--set", default="test", choices=["test", "validation"])
    parser.add_argument("--depths", type=int, nargs="+", default=[1, 2, 3, 6, 9, 12])
    arguments = parser.parse_args()
    scorer = Scorer(os.cpu_count())
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    held = np.load(os.path.join(arguments.data, "heldout.npz"))
    clips = [held[k].astype(np.float32) / 32768 for k in held.files if k.startswith(arguments.set)]
    print(json.dumps(scorer.submit(load(arguments.checkpoint, device), clips, arguments.depths, device).result(), indent=1))
