"""Converts a checkpoint of Language-Codec (arXiv 2402.12208) into a model folder: encoder.onnx, decoder.onnx, manifest.json.

The model is not causal. Its manifest says so (`windows`): the runtime runs it over whole recordings in overlapped windows, and
refuses live sessions. Usage:

  import_languagecodec.py CHECKPOINT FOLDER --licence LICENCE
  import_languagecodec.py --check            seeded random weights through PyTorch and through Node, compared
"""

import argparse
import json
import os
import pickle
import sys
import zipfile
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import remove_weight_norm

from export import CONTRACT, export, write_manifest
from languagecodec import LanguageCodec, read_config

STORAGES = {
    "FloatStorage": torch.float32, "HalfStorage": torch.float16, "BFloat16Storage": torch.bfloat16, "DoubleStorage": torch.float64,
    "LongStorage": torch.int64, "IntStorage": torch.int32, "ByteStorage": torch.uint8, "BoolStorage": torch.bool,
}


class Inert:
    """Stands for an object of a class that is not wanted: Lightning's checkpoints hold some beside the tensors."""

    def __new__(cls, *_, **__):
        return object.__new__(cls)

    def __init__(self, *_, **__):
        pass

    def __call__(self, *_, **__):
        return self

    def __setstate__(self, _):
        pass

    def __setitem__(self, _, __):
        pass

    def append(self, _):
        pass

    def extend(self, _):
        pass


class TensorUnpickler(pickle.Unpickler):
    """Reads the tensors of a checkpoint, and runs nothing that is in it: it comes from strangers, and torch.load would."""

    def __init__(self, archive: zipfile.ZipFile):
        index = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
        super().__init__(archive.open(index))
        self.archive = archive
        self.root = index[: -len("data.pkl")]

    def persistent_load(self, reference: tuple) -> torch.Tensor:
        _, kind, key, _, count = reference
        content = bytearray(self.archive.read(f"{self.root}data/{key}"))
        return torch.frombuffer(content, dtype=kind) if count else torch.zeros(0, dtype=kind)

    def find_class(self, module: str, name: str):
        if module == "torch" and name in STORAGES:
            return STORAGES[name]
        return {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": lambda storage, offset, size, stride, *_: storage.as_strided(size, stride, offset),
            "torch._utils._rebuild_parameter": lambda tensor, *_: tensor,
        }.get(f"{module}.{name}", Inert)


def read_weights(path: str) -> dict:
    """The parameters of a checkpoint by name, in float32."""
    try:
        with zipfile.ZipFile(path) as archive:
            content = TensorUnpickler(archive).load()
        weights = content.get("state_dict", content)
        return {name: value.float() for name, value in weights.items() if isinstance(value, torch.Tensor)}
    except Exception as error:
        raise SystemExit(f"{path} cannot be read as a checkpoint of PyTorch 1.6 or later: {error!r}")


class EncoderGraph(nn.Module):
    """encoder(pcm [B, T * hop]) → codes [B, Q, T] int32, residual [B, Q, T]"""

    def __init__(self, codec: LanguageCodec):
        super().__init__()
        self.codec = codec
        # Mean energy of a code of the groups, all channels together: about that of a latent.
        self.residual_reference = float(torch.stack(codec.codebooks[: len(codec.masks)]).square().sum((0, 2)).mean())

    def forward(self, pcm: torch.Tensor):
        codes, energies = self.codec.quantize(self.codec.latents(pcm))
        return codes, energies / self.residual_reference


class DecoderGraph(nn.Module):
    """decoder(codes [B, Q, T] int32, active [B, Q, T]) → pcm [B, T * hop]

    The inverse DFT, the window and overlap-add are one transposed convolution.
    """

    def __init__(self, codec: LanguageCodec):
        super().__init__()
        self.codec = codec
        self.register_buffer("table", torch.cat(codec.codebooks))
        c = codec.config
        turn = 2 * torch.pi * torch.arange(c.window, dtype=torch.float64) / c.window
        self.register_buffer("cosines", turn.cos().float())
        self.register_buffer("sines", turn.sin().float())
        self.register_buffer("window", torch.hann_window(c.window))
        self.register_buffer("bins", torch.arange(c.window // 2 + 1).unsqueeze(1))
        self.register_buffer("samples", torch.arange(c.window))
        counts = torch.full((c.window // 2 + 1,), 2.0 / c.window)
        counts[0] = counts[-1] = 1.0 / c.window
        self.register_buffer("counts", counts)

    def synthesis(self) -> torch.Tensor:
        """[window + 2, 1, window]; the graph makes it from one turn of cosine and sine when it is loaded, which keeps the file small."""
        angle = (self.bins * self.samples) % self.codec.config.window
        scale = self.counts.unsqueeze(1) * self.window
        rows = torch.cat([F.embedding(angle, self.cosines.unsqueeze(1)), -F.embedding(angle, self.sines.unsqueeze(1))])
        return rows.squeeze(2).mul(torch.cat([scale, scale])).unsqueeze(1)

    def forward(self, codes: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        c = self.codec.config
        index = codes + torch.arange(c.quantizers, dtype=torch.int32).unsqueeze(1) * c.codebook_size
        latents = (F.embedding(index, self.table) * active.unsqueeze(3)).sum(1).transpose(1, 2)
        spectra = torch.cat(self.codec.spectra(latents), 2).transpose(1, 2)
        cut = (c.window - c.hop) // 2
        sound = F.conv_transpose1d(spectra, self.synthesis(), stride=c.hop, padding=cut)
        ones = torch.ones_like(spectra[:1, :1])
        envelope = F.conv_transpose1d(ones, self.window.square().reshape(1, 1, -1), stride=c.hop, padding=cut)
        return (sound / envelope).squeeze(1).clamp(-1.0, 1.0)


def windows_of(frame_rate: float, window_seconds: float, margin_seconds: float) -> dict:
    frames, margin = round(window_seconds * frame_rate), round(margin_seconds * frame_rate)
    if not 0 <= 2 * margin < frames:
        raise SystemExit("the margins must leave something of the window")
    return {"frames": frames, "marginFrames": margin}


def delay_frames(windows: dict) -> int:
    """Longest way from a sample to its resynthesis: a step of both windows, their margins waited for in steps of the encoder's."""
    step = windows["frames"] - 2 * windows["marginFrames"]
    return step + -(-windows["marginFrames"] // step) * step + windows["marginFrames"]


@torch.no_grad()
def convert(weights: dict, out: str, arguments: argparse.Namespace) -> LanguageCodec:
    """Writes the folder. @returns the PyTorch model, as it was before conversion."""
    try:
        config = read_config(weights)
        codec = LanguageCodec(config, arguments.bandwidth_id).eval().load(weights)
        converted = LanguageCodec(config, arguments.bandwidth_id).eval().load(weights)
    except KeyError as error:
        raise SystemExit(f"This is no checkpoint of Language-Codec: it has no parameter {error}")
    except ValueError as error:
        raise SystemExit(str(error))
    for layer in list(converted.modules()):
        if hasattr(layer, "weight_v"):
            remove_weight_norm(layer)
    encoder, decoder = EncoderGraph(converted), DecoderGraph(converted)
    os.makedirs(out, exist_ok=True)
    frames = 5
    codes = torch.zeros(2, config.quantizers, frames, dtype=torch.int32)
    free = {0: "batch", 2: "frames"}
    samples = {0: "batch", 1: "samples"}
    encoder_hash = export(
        encoder, os.path.join(out, "encoder.onnx"), (torch.zeros(2, frames * config.hop),), ["pcm"], ["codes", "residual"],
        {"pcm": samples, "codes": free, "residual": free},
    )
    decoder_hash = export(
        decoder, os.path.join(out, "decoder.onnx"), (codes, torch.ones(2, config.quantizers, frames)), ["codes", "active"], ["pcm"],
        {"codes": free, "active": free, "pcm": samples},
    )
    windows = windows_of(arguments.sample_rate / config.hop, arguments.window_seconds, arguments.margin_seconds)
    write_manifest(out, {
        "contract": CONTRACT, "name": arguments.name, "version": arguments.version, "licence": arguments.licence,
        "sampleRate": arguments.sample_rate, "hop": config.hop, "delaySamples": delay_frames(windows) * config.hop, "decoderDelaySamples": 0,
        "quantizers": config.quantizers, "codebookSize": config.codebook_size, "latentChannels": config.latent_channels,
        "maskedGroups": config.group_channels, "windows": windows,
        "encoder": {
            "file": "encoder.onnx", "sha256": encoder_hash, "states": [],
            "residualEnergy": {"output": "residual", "reference": encoder.residual_reference},
        },
        "decoder": {"file": "decoder.onnx", "sha256": decoder_hash, "states": []},
        "trainingData": json.load(open(arguments.sources)) if arguments.sources else [],
    })
    return codec


def parse(arguments: list) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", nargs="?")
    parser.add_argument("out", nargs="?")
    parser.add_argument("--check", action="store_true", help="prove the conversion on seeded random weights; needs Node and a build")
    parser.add_argument("--name", default="language-codec-24k-75hz")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--licence", help="of the checkpoint")
    parser.add_argument("--sources", help="JSON list of training data: name, hours, licence, credit")
    parser.add_argument("--sample-rate", type=int, default=24000, help="in Hz; a checkpoint does not say it")
    parser.add_argument("--bandwidth-id", type=int, default=0, help="row of the decoder's norms; the paper's model was trained with one bandwidth")
    parser.add_argument("--window-seconds", type=float, default=10.0)
    parser.add_argument("--margin-seconds", type=float, default=1.0, help="of a window, at both ends, that is context only")
    result = parser.parse_args(arguments)
    if not result.check and not (result.checkpoint and result.out and result.licence):
        parser.error("give CHECKPOINT, FOLDER and --licence, or --check")
    return result


def main() -> None:
    arguments = parse(sys.argv[1:])
    if arguments.check:
        from check_languagecodec import check

        check()
        return
    convert(read_weights(arguments.checkpoint), arguments.out, arguments)
    sizes = {name: os.path.getsize(os.path.join(arguments.out, name)) for name in sorted(os.listdir(arguments.out))}
    print(json.dumps(sizes))


if __name__ == "__main__":
    main()
