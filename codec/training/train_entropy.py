"""Trains the probability model of the entropy coder and writes it as the integers that `codec/entropy` computes with.

A code is coded as the turns of a walk down a binary tree whose leaves are the codes, near ones side by side. The
probability of each turn is logistic in h, which a small network makes of two sums of learned code embeddings: those of the
lower codebooks of this frame, and those of the previous frame up to this codebook. So a stream that was cut to its first
k codebooks has all that its codes depend on.

python3 train_entropy.py packed.pt data ../model/entropy.bin
"""

import argparse
import os
import struct
import time

import numpy as np
import torch
from torch.nn import functional as F

from data import Crops
from evaluate import load

MAGIC = b"TSRE"
VERSION = 1
SQUASH_STEPS = 4096  # logits from -8 to 8
LOGIT_BITS = 8  # a logit of 1 is 256
LARGEST_BYTE = 127 / 128
PIECE_SECONDS = 20
WARM_UP_FRAMES = 10


def tree_order(book: np.ndarray) -> np.ndarray:
    """Leaf of each code of a codebook [K, C]: halves along the principal axis, again and again."""
    leaves = np.zeros(len(book), dtype=np.int64)

    def split(members: np.ndarray, first: int) -> None:
        if len(members) == 1:
            leaves[members[0]] = first
            return
        centred = book[members] - book[members].mean(0)
        axis = np.linalg.svd(centred, full_matrices=False)[2][0]
        ordered = members[np.argsort(centred @ axis, kind="stable")]
        half = len(members) // 2
        split(ordered[:half], first)
        split(ordered[half:], first + half)

    split(np.arange(len(book)), 0)
    return leaves


class Model(torch.nn.Module):
    def __init__(self, quantizers: int, size: int, embedding: int, hidden: int):
        super().__init__()
        self.quantizers, self.size, self.levels = quantizers, size, size.bit_length() - 1
        scale = embedding**-0.5
        self.embedding = torch.nn.Parameter(torch.randn(quantizers, size, embedding) * scale)
        self.lower = torch.nn.Parameter(torch.randn(quantizers, embedding, hidden) * scale)
        self.before = torch.nn.Parameter(torch.randn(quantizers, embedding, hidden) * scale)
        self.offset = torch.nn.Parameter(torch.full((quantizers, hidden), 0.5))
        self.node = torch.nn.Parameter(torch.randn(quantizers, size, hidden) * 0.05)
        self.bias = torch.nn.Parameter(torch.zeros(quantizers, size))

    def forward(self, codes: torch.Tensor, leaves: torch.Tensor, forget: torch.Tensor) -> torch.Tensor:
        """Nats of each code [B, F, Q] of codes and their leaves [B, Q, F]; `forget` [B, F]: no frame is before this one."""
        batch, _, frames = codes.shape
        lower = codes.new_zeros(batch, frames, self.embedding.shape[2], dtype=torch.float32)
        result = []
        for stage in range(self.quantizers):
            mine = F.embedding(codes[:, stage], self.embedding[stage])
            upto = lower + mine
            before = F.pad(upto, (0, 0, 1, 0))[:, :-1].masked_fill(forget[..., None], 0.0)
            h = F.relu(lower @ self.lower[stage] + before @ self.before[stage] + self.offset[stage])
            walk = leaves[:, stage, :, None] + self.size
            shifts = torch.arange(self.levels, 0, -1, device=codes.device)
            nodes = walk >> shifts
            turns = ((walk >> (shifts - 1)) & 1).float()
            logits = (F.embedding(nodes, self.node[stage]) * h[:, :, None]).sum(3) + self.bias[stage][nodes]
            result.append(F.binary_cross_entropy_with_logits(logits, turns, reduction="none").sum(2))
            lower = upto
        return torch.stack(result, 2)


@torch.no_grad()
def encode_all(codec, pcm: torch.Tensor, limit: int, passes: int, device) -> torch.Tensor:
    """Codes [N, Q, F] of pieces of pcm [N] int16, on the CPU: all once, and as many again at random places, levels and speeds in
    each of `passes`.
    """
    length = PIECE_SECONDS * codec.config.sample_rate
    starts = np.random.default_rng(0).permutation(len(pcm) // length)[: limit or None] * length
    groups = np.array_split(starts, max(1, len(starts) // 32))
    encode = lambda x: codec.encode(x)[:, :, WARM_UP_FRAMES:].to(torch.int16).cpu()
    parts = [encode(torch.stack([pcm[start : start + length] for start in group]).to(device).float() / 32768) for group in groups]
    crops = Crops(pcm.to(device), length, 32)
    return torch.cat(parts + [encode(crops()) for _ in range(passes * len(groups))])


def train(model: Model, codes: torch.Tensor, leaf: torch.Tensor, minutes: float, batch: int, frames: int = 110) -> None:
    """Adam with a cosine to zero over `minutes`, on a CPU of its time; codes [N, Q, F] int16, leaf [Q, K], all on one device."""
    device = codes.device
    clock = time.process_time if device.type == "cpu" else time.monotonic
    pieces = codes.shape[2] // frames
    segments = codes[:, :, : pieces * frames].unflatten(2, (pieces, frames)).transpose(1, 2).flatten(0, 1)
    print(f"{len(segments)} segments of {frames} frames")
    optimizer = torch.optim.Adam(model.parameters(), 4e-3, (0.9, 0.99))
    start, step, shown = clock(), 0, 0.0
    order = torch.randperm(len(segments), device=device)
    while (done := (clock() - start) / 60 / minutes) < 1:
        at = step * batch % (len(segments) - batch)
        picked = segments[order[at : at + batch]].long()
        leaves = torch.stack([leaf[stage][picked[:, stage]] for stage in range(model.quantizers)], 1)
        forget = torch.rand(picked.shape[0], frames, device=device) < 0.03
        forget[:, 0] = True
        bits = model(picked, leaves, forget).mean((0, 1)) / np.log(2)
        for group in optimizer.param_groups:
            group["lr"] = 4e-3 * min(1, (step + 1) / 50) * 0.5 * (1 + np.cos(np.pi * done))
        optimizer.zero_grad()
        bits.sum().backward()
        optimizer.step()
        with torch.no_grad():
            # So that they keep 7 bits behind the point as bytes.
            model.embedding.clamp_(-LARGEST_BYTE, LARGEST_BYTE)
            model.node.clamp_(-LARGEST_BYTE, LARGEST_BYTE)
        shown = 0.98 * shown + 0.02 * bits.detach() if step else bits.detach()
        step += 1
        if step % 100 == 0:
            print(f"{step} {done:.2f} {shown.mean():.3f} bits a code:", " ".join(f"{b:.2f}" for b in shown.tolist()), flush=True)


def write(model: Model, leaf: torch.Tensor, path: str) -> None:
    """The integers, little-endian, in the order that `codec/entropy/tables.ts` reads."""
    with torch.no_grad():
        top = lambda x, bits: int(np.floor(np.log2((2 ** (bits - 1) - 1) / float(x.abs().max()))))
        embedding_bits = top(model.embedding, 8)
        node_bits = top(model.node, 8)
        weight_bits = min(top(model.lower, 13), top(model.before, 13))
        fixed = lambda x, bits, kind: (x * 2.0**bits).round().numpy().astype(kind).tobytes()
        squash = 65536.0 / (1.0 + np.exp(-(np.arange(SQUASH_STEPS) - SQUASH_STEPS / 2) / 2.0**LOGIT_BITS))
        body = struct.pack("<BBHHHbbb", VERSION, model.quantizers, model.size, model.embedding.shape[2], model.offset.shape[1],
                           embedding_bits, weight_bits, node_bits)
        body += squash.round().clip(32, 65536 - 32).astype("<u2").tobytes()
        body += leaf.numpy().astype("<u2").tobytes()
        body += fixed(model.bias, LOGIT_BITS, "<i2")
        body += fixed(model.lower.transpose(1, 2), weight_bits, "<i2") + fixed(model.before.transpose(1, 2), weight_bits, "<i2")
        body += fixed(model.offset, embedding_bits + weight_bits, "<i4")
        body += fixed(model.embedding, embedding_bits, "<i1") + fixed(model.node, node_bits, "<i1")
    with open(path, "wb") as file:
        file.write(MAGIC + body)
    print(f"{path}: {len(MAGIC + body)} bytes, bits {embedding_bits} {weight_bits} {node_bits}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint")
    parser.add_argument("data", help="folder made by data.py")
    parser.add_argument("out")
    parser.add_argument("--minutes", type=float, default=15.0, help="of training; without a GPU, of CPU time")
    parser.add_argument("--batch", type=int, default=64, help="segments of 2.2 s a step")
    parser.add_argument("--pieces", type=int, default=0, help="pieces of 20 s to train on; 0: all")
    parser.add_argument("--passes", type=int, default=0, help="times that all is encoded again, cropped and changed as when the model trains")
    parser.add_argument("--embedding", type=int, default=32)
    parser.add_argument("--hidden", type=int, default=32)
    parser.add_argument("--codes", help="file to keep the codes in, or to take them from")
    arguments = parser.parse_args()
    torch.manual_seed(1)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    codec = load(arguments.checkpoint, device)
    if arguments.codes and os.path.exists(arguments.codes):
        codes = torch.from_numpy(np.load(arguments.codes))
    else:
        pcm = torch.from_numpy(np.load(os.path.join(arguments.data, "train.npy")))
        codes = encode_all(codec, pcm, arguments.pieces, arguments.passes, device)
        if arguments.codes:
            np.save(arguments.codes, codes.numpy())
    books = codec.quantizer.codebooks.cpu().numpy()
    if books.shape[1] & (books.shape[1] - 1):
        raise SystemExit("The tree needs codebooks whose size is a power of two")
    leaf = torch.from_numpy(np.stack([tree_order(book) for book in books]))
    model = Model(books.shape[0], books.shape[1], arguments.embedding, arguments.hidden).to(device)
    train(model, codes.to(device), leaf.to(device), arguments.minutes, arguments.batch)
    write(model.cpu(), leaf, arguments.out)
