"""Small float16 checkpoints that train.py --start and export.py read: from a run's best.pt, or from released ONNX files.

python3 weights.py pack runs/v1/best.pt packed.pt
python3 weights.py unpack ../model packed.pt
"""

import argparse
import dataclasses
import os

import torch

from config import PRESETS
from model import Codec


def pack(source: str, target: str) -> None:
    states = torch.load(source, map_location="cpu")
    # The running sums follow from codebooks and counts; float16 loses nothing that training does not blur anyway.
    weights = {k: v.half() for k, v in states["average"].items() if k != "quantizer.sums"}
    torch.save({"config": states["config"], "average": weights, "step": states["step"]}, target)


def unpack(model: str, target: str, preset: str) -> None:
    """Weights out of encoder.onnx and decoder.onnx, whose initializers keep their parameters' names."""
    import onnx  # python3-onnx; training itself does not need it
    from onnx.numpy_helper import to_array

    from streaming import EIGHT_BITS, eight_bit_matrices

    stored = {}
    for half in ("encoder", "decoder"):
        graph = onnx.load(os.path.join(model, f"{half}.onnx")).graph
        stored[half] = {tensor.name: torch.tensor(to_array(tensor)) for tensor in graph.initializer}
    config = dataclasses.replace(PRESETS[preset], quantizers=len(stored["encoder"]["codebooks"]))
    if "signs" in stored["decoder"]:
        noise_bins = stored["decoder"]["signs"].shape[1] // config.fine_per_token
        config = dataclasses.replace(config, noise_from_hz=(config.bins - noise_bins) * config.sample_rate // config.window)
    codec = Codec(config)
    weights = {k: v for k, v in codec.state_dict().items() if k != "quantizer.sums"}
    for half, tensors in stored.items():
        network = getattr(codec, half)
        for name, _ in network.named_parameters():
            if not name.endswith(EIGHT_BITS):
                tensor = tensors[f"weights.{name.replace('.', '_')}.values"]
                weights[f"{half}.{name}"] = tensor.reshape(weights[f"{half}.{name}"].shape)
        for name, _, _ in eight_bit_matrices(network):
            product = f"products.{name.replace('.', '_')}.stored"
            matrix = tensors[f"{product}.levels"].float() * tensors[f"{product}.scales"]
            if name.endswith("project"):
                matrix = matrix / weights[f"{half}.{name.replace('project', 'scale')}"].float().unsqueeze(1)
            weights[f"{half}.{name}.weight"] = matrix
    weights["quantizer.codebooks"] = stored["encoder"]["codebooks"].reshape(codec.quantizer.codebooks.shape)
    torch.save({"config": codec.config.to_dict(), "average": weights, "step": 0}, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("command", choices=["pack", "unpack"])
    parser.add_argument("source")
    parser.add_argument("target")
    parser.add_argument("--preset", default="default", choices=PRESETS, help="the shape of an unpacked model")
    options = parser.parse_args()
    if options.command == "pack":
        pack(options.source, options.target)
    else:
        unpack(options.source, options.target, options.preset)
