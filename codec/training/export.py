"""Writes codec/model/ from a checkpoint: encoder.onnx, decoder.onnx and manifest.json, checked against the PyTorch model."""

import argparse
import hashlib
import json
import os

import numpy as np
import onnx
import torch

from data import Crops
from evaluate import load
from model import Codec
from products import Levels, freeze_all, whole_multiples
from storage import store_small
from streaming import StreamingDecoder, StreamingEncoder, eight_bit_matrices

CONTRACT = 1
OPSET = 17


def check(codec: Codec, encoder: StreamingEncoder, decoder: StreamingDecoder) -> None:
    """The streaming graphs over ragged chunks, before anything is in 8 bits, must equal the whole-file model."""
    c = codec.config
    torch.manual_seed(0)
    pcm = torch.randn(2, 30 * c.hop).cumsum(1) * 0.01
    whole = codec.encode(pcm)
    sound = codec.decode(whole, c.quantizers)
    start = lambda half: (torch.zeros(2, half.past_size), torch.zeros(2, c.overlap))
    state_e, state_d = start(encoder), start(decoder)
    codes, sounds, at = [], [], 0
    for frames in (1, 4, 2, 8, 3, 12):
        part, *state_e, _ = encoder(pcm[:, at * c.hop : (at + frames) * c.hop], *state_e)
        out, *state_d = decoder(whole[:, :, at : at + frames].int(), torch.ones(2, c.quantizers), *state_d)
        codes.append(part)
        sounds.append(out)
        at += frames
    differing = (torch.cat(codes, 2) != whole).float().mean().item()
    error = (torch.cat(sounds, 1) - sound).abs().max().item()
    print(f"streaming against whole: {differing:.5f} of codes differ, largest difference of samples {error:.2e}")
    if differing > 1e-3 or error > 1e-3:
        raise SystemExit("the streaming graphs disagree with the model")


def round_weights(codec: Codec) -> None:
    """Weights as the files keep them, so that every check is of what ships."""
    for tensor in [*codec.parameters(), codec.quantizer.codebooks]:
        tensor.data = tensor.data.half().float()
    # Sums of 16 codes, and of 7 frames of the past, stay below 24 bits: exact in float32.
    codec.quantizer.codebooks.data = whole_multiples(codec.quantizer.codebooks, 16)
    for network in (codec.encoder, codec.decoder):
        for _, matrix, scale in eight_bit_matrices(network):
            matrix.data = Levels(matrix * scale)() / scale
        for name, weight in network.named_parameters():
            if name.endswith("depthwise.weight"):
                weight.data = whole_multiples(weight, 14)


def calibrate(codec: Codec, encoder: StreamingEncoder, decoder: StreamingDecoder, pcm: torch.Tensor) -> None:
    """Finds the ranges of what is in 8 bits on two minutes of training speech, at several depths."""
    c = codec.config
    torch.manual_seed(0)
    crops = Crops(pcm, 100 * c.hop, 64)()
    start = lambda half: (torch.zeros(len(crops), half.past_size), torch.zeros(len(crops), c.overlap))
    codes, *_ = encoder(crops, *start(encoder))
    for depth in (1, 3, 8, c.quantizers):
        active = (torch.arange(c.quantizers) < depth).float().expand(len(crops), c.quantizers)
        decoder(codes, active, *start(decoder))
    for half in (encoder, decoder):
        freeze_all(half)


def digest(manifest: dict) -> str:
    """As codec/runtime/model.ts computes it: names a model's files."""
    return hashlib.sha256((manifest["encoder"]["sha256"] + manifest["decoder"]["sha256"]).encode()).hexdigest()


def file_digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def entropy_entry(folder: str) -> dict:
    """The manifest's part on the tables of train_entropy.py, where they lie in the model's folder."""
    path = os.path.join(folder, "entropy.bin")
    if not os.path.exists(path):
        return {}
    return {"entropy": {"file": "entropy.bin", "sha256": file_digest(path)}}


def write_manifest(folder: str, manifest: dict) -> None:
    with open(os.path.join(folder, "manifest.json"), "w") as file:
        json.dump(manifest, file, indent=2)
        file.write("\n")


def holds_doubles(model: onnx.ModelProto) -> bool:
    """Whether a constant is of double precision or widened to it. Browsers' GPUs have none, and onnxruntime-web's build
    for them refuses such a graph.
    """
    double = onnx.TensorProto.DOUBLE
    attributes = [a for node in model.graph.node for a in node.attribute]
    constants = [*model.graph.initializer, *(a.t for a in attributes if a.type == onnx.AttributeProto.TENSOR)]
    return any(t.data_type == double for t in constants) or any(a.name == "to" and a.i == double for a in attributes)


def export(module, path: str, inputs: tuple, names: list, outputs: list, axes: dict) -> str:
    torch.onnx.export(
        module, inputs, path, input_names=names, output_names=outputs, dynamic_axes=axes, opset_version=OPSET,
        do_constant_folding=False, **({"dynamo": False} if torch.__version__ >= "2.5" else {}),
    )
    if holds_doubles(onnx.load(path)):
        raise SystemExit(f"{path}: something in it is of double precision")
    return file_digest(path)


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkpoint")
    parser.add_argument("data", help="folder made by data.py: the ranges of products in 8 bits are found there")
    parser.add_argument("out")
    parser.add_argument("--name", default="tessera-speech-24k-50hz")
    parser.add_argument("--version", default="1.0.0")
    parser.add_argument("--sources", help="JSON list of training data: name, hours, licence, credit")
    parser.add_argument("--decodes", nargs="*", default=[], help="digests of models whose tokens this one decodes too")
    parser.add_argument("--small", help="folder of the model of the same weights beside `out`: write its small decoder only, for its encoder")
    arguments = parser.parse_args()
    codec = load(arguments.checkpoint, "cpu")
    round_weights(codec)
    c = codec.config
    encoder, decoder = StreamingEncoder(codec).eval(), StreamingDecoder(codec).eval()
    check(codec, encoder, decoder)
    if arguments.small:
        decoder = StreamingDecoder(codec, store_small).eval()
    calibrate(codec, encoder, decoder, torch.from_numpy(np.load(os.path.join(arguments.data, "train.npy"), mmap_mode="r")))
    os.makedirs(arguments.out, exist_ok=True)
    frames = 3
    batch = {0: "batch"}
    sibling = json.load(open(os.path.join(arguments.small, "manifest.json"))) if arguments.small else None
    start = lambda half: (torch.zeros(2, half.past_size, dtype=torch.int8), torch.zeros(2, c.overlap))
    states, next_states = ["past", "tail"], ["past_out", "tail_out"]
    free = {name: batch for name in [*states, *next_states]}
    encoder_hash = sibling["encoder"]["sha256"] if sibling else export(
        encoder, os.path.join(arguments.out, "encoder.onnx"), (torch.zeros(2, frames * c.hop), *start(encoder)),
        ["pcm", *states], ["codes", *next_states, "residual"],
        {"pcm": {0: "batch", 1: "samples"}, "codes": {0: "batch", 2: "frames"}, "residual": {0: "batch", 2: "frames"}, **free},
    )
    codes = torch.zeros(2, c.quantizers, frames, dtype=torch.int32)
    decoder_hash = export(
        decoder, os.path.join(arguments.out, "decoder.onnx"), (codes, torch.ones(2, c.quantizers), *start(decoder)),
        ["codes", "active", *states], ["pcm", *next_states],
        {"codes": {0: "batch", 2: "frames"}, "active": batch, "pcm": {0: "batch", 1: "samples"}, **free},
    )
    state = lambda half: [
        {"input": "past", "output": "past_out", "shape": [half.past_size], "type": "int8"},
        {"input": "tail", "output": "tail_out", "shape": [c.overlap], "type": "float32"},
    ]
    manifest = {
        "contract": CONTRACT, "name": arguments.name, "version": arguments.version, "licence": "Apache-2.0",
        "sampleRate": c.sample_rate, "hop": c.hop, "delaySamples": c.hop + c.overlap, "decoderDelaySamples": c.overlap,
        "quantizers": c.quantizers, "codebookSize": c.codebook_size, "latentChannels": c.latent_channels,
        "maskedGroups": list(c.group_channels),
        "encoder": {
            "file": "encoder.onnx", "sha256": encoder_hash, "states": state(encoder),
            "residualEnergy": {"output": "residual", "reference": encoder.residual_reference},
        },
        "decoder": {"file": "decoder.onnx", "sha256": decoder_hash, "states": state(decoder)},
        **entropy_entry(arguments.out),
        "decodesTokensOf": arguments.decodes,
        "trainingData": json.load(open(arguments.sources)) if arguments.sources else [],
    }
    if sibling:
        beside = lambda entry: {**entry, "file": f"../{os.path.basename(os.path.normpath(arguments.small))}/{entry['file']}"}
        manifest["encoder"] = beside(sibling["encoder"])
        if "entropy" in sibling:
            manifest["entropy"] = beside(sibling["entropy"])
        manifest["decodesTokensOf"] = [*sibling.get("decodesTokensOf", []), digest(sibling)]
        sibling["decodesTokensOf"] = [*sibling.get("decodesTokensOf", []), digest(manifest)]
        write_manifest(arguments.small, sibling)
    write_manifest(arguments.out, manifest)
    sizes = {name: os.path.getsize(os.path.join(arguments.out, name)) for name in sorted(os.listdir(arguments.out))}
    print(json.dumps(sizes))


if __name__ == "__main__":
    main()
