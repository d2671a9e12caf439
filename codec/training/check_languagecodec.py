"""Proof of the Language-Codec importer on seeded random weights, and the tiny model of the runtime's tests.

  check_languagecodec.py fixture FOLDER RECORDING.wav     writes a tiny model and what PyTorch makes of the recording's samples
"""

import json
import os
import subprocess
import sys
import tempfile
import wave

import numpy as np
import torch

from import_languagecodec import convert, parse, read_weights
from languagecodec import CODEBOOKS, PAPER, TINY, LanguageCodec, LanguageCodecConfig

CLI = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../dist/scripts/tessera.js")
# What the importer promises.
MOST_CODES = 1e-3
MOST_ERROR = 1e-3
# Windows begin the encoder's LSTMs anew, so that they may differ a little more from the whole.
MOST_WINDOWED_CODES = 0.01
FIXTURE_FRAMES = 450


def sound(seconds: float, rate: int, seed: int) -> torch.Tensor:
    """[1, samples] of something like speech: pulses of gliding pitch and noise, in syllables, of 16-bit samples."""
    random = np.random.default_rng(seed)
    time = np.arange(int(seconds * rate)) / rate
    pitch = 120 + 40 * np.sin(2 * np.pi * 0.4 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    voiced = sum(np.sin(k * phase) / k for k in range(1, 20))
    syllables = np.clip(np.sin(2 * np.pi * 3.1 * time), 0, 1)
    mixed = 0.15 * voiced * syllables + 0.05 * random.standard_normal(len(time)) * (1 - syllables)
    return torch.from_numpy(np.round(np.clip(mixed, -1, 1) * 32767).astype(np.float32) / 32768).unsqueeze(0)


@torch.no_grad()
def random_checkpoint(path: str, config: LanguageCodecConfig, pcm: torch.Tensor, seed: int) -> None:
    """A file with the names and shapes of a checkpoint. The codebooks are of vectors that their stages see in `pcm`, so that codes spread."""
    torch.manual_seed(seed)
    codec = LanguageCodec(config).eval()
    for name, parameter in codec.named_parameters():
        # PyTorch's defaults let the signal fade between the layers, until rounding decides the codes.
        if name.endswith(".weight_g"):
            parameter.data *= 2
        elif name.endswith(".bias"):
            parameter.data *= 0.3
        # Rows of tables that are norms would be of any scale.
        elif ".scale." in name:
            parameter.data = 1 + 0.1 * torch.randn_like(parameter)
        elif ".shift." in name:
            parameter.data = 0.1 * torch.randn_like(parameter)
    # Latents of zero mean and unit variance, as a trained encoder's have about: random ones hardly move.
    latent = codec.latents(pcm)[0].t()
    last = codec.feature_extractor.encodec.encoder.model[-1].conv.conv
    last.weight_g /= latent.std(0).reshape(-1, 1, 1)
    last.bias.copy_((last.bias - latent.mean(0)) / latent.std(0))
    latent = codec.latents(pcm)[0].t()
    total = torch.zeros_like(latent)
    for stage, book in enumerate(codec.codebooks):
        seen = latent * codec.masks[stage] if stage < len(codec.masks) else latent - total
        rows = seen[torch.randint(len(seen), (config.codebook_size,))]
        book.copy_(rows + 0.2 * seen.std(0) * torch.randn_like(rows))
        total = total + torch.nn.functional.embedding(torch.cdist(seen, book).argmin(1), book)
    weights = codec.state_dict()
    # What else a real checkpoint holds.
    for stage in range(config.quantizers):
        weights[f"{CODEBOOKS}{stage}._codebook.inited"] = torch.ones(1)
        weights[f"{CODEBOOKS}{stage}._codebook.cluster_size"] = torch.ones(config.codebook_size)
        weights[f"{CODEBOOKS}{stage}._codebook.embed_avg"] = torch.zeros_like(codec.codebooks[stage])
    weights["feature_extractor.encodec.decoder.model.0.conv.conv.bias"] = torch.zeros(4)
    weights["head.istft.window"] = torch.hann_window(config.window)
    weights["multiperioddisc.discriminators.0.convs.0.bias"] = torch.zeros(4)
    torch.save({"state_dict": weights, "epoch": 0, "hyper_parameters": {"path": LanguageCodecConfig()}}, path)


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path: str):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def check_reader(folder: str) -> None:
    """Tensors of every layout come out as they went in, and nothing else in a file is run."""
    path, trap = os.path.join(folder, "hostile.ckpt"), os.path.join(folder, "trap")
    weights = {"a": torch.randn(3, 4).t(), "b": torch.randn(10)[4:7], "c": torch.randn(2).half(), "d": torch.zeros(0), "e": torch.nn.Parameter(torch.randn(5))}
    torch.save({"state_dict": weights, "trap": Hostile(trap)}, path)
    there = read_weights(path)
    if any(not torch.equal(there[name], value.float()) for name, value in weights.items()) or os.path.exists(trap):
        raise SystemExit("checkpoints are not read as they should be")


def write_wav(path: str, pcm: torch.Tensor, rate: int) -> None:
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes((pcm[0].numpy() * 32768).astype("<i2").tobytes())


def read_wav(path: str) -> torch.Tensor:
    with wave.open(path) as file:
        return torch.from_numpy(np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768).unsqueeze(0)


def tessera(*arguments: str) -> None:
    subprocess.run(["node", CLI, *arguments], check=True)


def encode_in_node(model: str, folder: str, pcm: torch.Tensor, rate: int) -> torch.Tensor:
    """Codes [1, Q, T] by the command line; leaves them as tokens.tsr in the folder."""
    name = lambda file: os.path.join(folder, file)
    write_wav(name("sound.wav"), pcm, rate)
    for output in ("codes.npy", "tokens.tsr"):
        tessera("encode", name("sound.wav"), "-o", name(output), "--model", model, "--quantizers", str(PAPER.quantizers), "--provider", "cpu")
    return torch.from_numpy(np.load(name("codes.npy")).astype(np.int32)).unsqueeze(0)


def differing(a: torch.Tensor, b: torch.Tensor) -> float:
    if a.shape != b.shape:
        raise SystemExit(f"the codes have the shapes {list(a.shape)} and {list(b.shape)}")
    return (a != b).float().mean().item()


@torch.no_grad()
def check() -> None:
    """The paper's architecture: exits with an error where a promise is broken."""
    failed = []

    def expect(what: str, value: float, bound: float) -> None:
        print(f"{what}: {value:.2e} (at most {bound:.0e})")
        if not value <= bound:
            failed.append(what)

    with tempfile.TemporaryDirectory() as folder:
        check_reader(folder)
        rate = 24000
        pcm = sound(24.0, rate, seed=1)
        checkpoint, model = os.path.join(folder, "random.ckpt"), os.path.join(folder, "model")
        random_checkpoint(checkpoint, PAPER, pcm[:, : 12 * rate], seed=1)
        codec = convert(read_weights(checkpoint), model, parse([checkpoint, model, "--licence", "none"]))
        sizes = {name: os.path.getsize(os.path.join(model, name)) for name in sorted(os.listdir(model))}
        print(json.dumps(sizes), f"{sum(p.numel() for p in codec.parameters())} parameters")

        whole = pcm[:, : 8 * rate]
        codes = codec.encode(whole)
        there = encode_in_node(model, folder, whole, rate)
        used = [len(codes[0, stage].unique()) for stage in range(PAPER.quantizers)]
        print(f"{codes.shape[2]} frames; codes in use by codebook: {used}")
        expect("8 s, whole: codes of PyTorch and Node that differ", differing(codes, there), MOST_CODES)
        for quantizers in (2, PAPER.quantizers):
            output = os.path.join(folder, "decoded.wav")
            tessera("decode", os.path.join(folder, "tokens.tsr"), "-o", output, "--model", model, "--quantizers", str(quantizers), "--provider", "cpu")
            decoded = codec.decode(there[:, :quantizers])
            print(f"level of the sound: {decoded.square().mean().sqrt().item():.3f}")
            expect(f"8 s, {quantizers} codebooks: largest difference of samples", (read_wav(output) - decoded).abs().max().item(), MOST_ERROR)

        codes = codec.encode(pcm)
        there = encode_in_node(model, folder, pcm, rate)
        expect("24 s, in windows of 10 s: codes that differ from PyTorch's of the whole", differing(codes, there), MOST_WINDOWED_CODES)
        tessera("decode", os.path.join(folder, "tokens.tsr"), "-o", output, "--model", model, "--provider", "cpu")
        expect("24 s, in windows of 10 s: largest difference of samples", (read_wav(output) - codec.decode(there)).abs().max().item(), MOST_ERROR)
        for count in (1, 2, 3, 5):
            short = whole[:, : count * PAPER.hop]
            expect(f"{count} frames: codes that differ", differing(codec.encode(short), encode_in_node(model, folder, short, rate)), 0)
    if failed:
        raise SystemExit(f"broken: {'; '.join(failed)}")
    print("The import keeps its promises.")


@torch.no_grad()
def write_fixture(folder: str, recording: str) -> None:
    """The tiny model, and PyTorch's codes and samples, from the recording's samples taken as they are."""
    rate = 8000
    pcm = read_wav(recording)[:, : FIXTURE_FRAMES * TINY.hop]
    with tempfile.TemporaryDirectory() as temporary:
        checkpoint = os.path.join(temporary, "random.ckpt")
        random_checkpoint(checkpoint, TINY, pcm, seed=1)
        options = ["--licence", "Apache-2.0", "--name", "language-codec-tiny", "--sample-rate", str(rate), "--window-seconds", "1.44", "--margin-seconds", "0.36"]
        codec = convert(read_weights(checkpoint), folder, parse([checkpoint, folder, *options]))
    codes = codec.encode(pcm)
    expected = {"recording": os.path.basename(recording), "samples": pcm.shape[1], "codes": codes[0].tolist(), "pcm": []}
    for quantizers in (2, TINY.quantizers):
        values = codec.decode(codes[:, :quantizers])[0, : 20 * TINY.hop]
        expected["pcm"].append({"quantizers": quantizers, "samples": [round(value, 5) for value in values.tolist()]})
    with open(os.path.join(folder, "expected.json"), "w") as file:
        json.dump(expected, file)
        file.write("\n")


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] != "fixture":
        raise SystemExit(__doc__)
    write_fixture(sys.argv[2], sys.argv[3])
