"""Trains the codec in three phases: waveform (no quantizer), quantized, adversarial. See README.md for the commands.

On a GPU each phase's whole step (crops, losses, both optimizers, averages) is one CUDA graph: the step is bound by kernel
launches otherwise. Phases and the learning rate follow the share of the time budget that is spent, so that one budget fits
any machine. A run stops at --minutes, keeps its checkpoint, and goes on from it when called again.
"""

import argparse
import dataclasses
import json
import math
import os
import time

import numpy as np
import torch

from config import PRESETS, Config
from data import Crops
from evaluate import Scorer
from losses import Discriminators, EnvelopeLoss, SpectralLoss, VoiceLoss
from model import Codec

PHASES = ("waveform", "quantized", "adversarial")


class Trainer:
    def __init__(self, options):
        self.options = options
        self.scorer = Scorer(options.scorers)  # forks, so it comes before the first use of the GPU
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.graphed = self.device.type == "cuda" and not options.eager
        if self.device.type == "cuda":
            torch.backends.cuda.matmul.allow_tf32 = True
            torch.backends.cudnn.allow_tf32 = True
            torch.backends.cudnn.benchmark = True
        torch.manual_seed(options.seed)
        start = torch.load(options.start, map_location=self.device) if options.start else None
        self.config: Config = Config.from_dict(start["config"]) if start else PRESETS[options.preset]
        if options.noise_from_hz:
            self.config = dataclasses.replace(self.config, noise_from_hz=options.noise_from_hz)
        self.codec = Codec(self.config).to(self.device).train()
        self.average = Codec(self.config).to(self.device).eval()
        self.average.load_state_dict(self.codec.state_dict())
        self.judges = Discriminators().to(self.device)
        if self.device.type == "cuda":
            self.codec.set_compute(torch.bfloat16)
        phase_below_hz = options.noise_from_hz or math.inf
        self.spectral = SpectralLoss(self.config.sample_rate, complex_below_hz=phase_below_hz).to(self.device)
        self.envelope = EnvelopeLoss(self.config.sample_rate).to(self.device)
        self.voice = VoiceLoss(self.config.sample_rate).to(self.device)
        self.rate = torch.tensor(0.0, device=self.device)
        fused = dict(fused=True, capturable=True) if self.device.type == "cuda" else {}
        # A tensor as the rate lets a captured graph follow the schedule; the CPU's AdamW wants a number.
        rate = self.rate if self.device.type == "cuda" else 0.0
        self.trained = self.choose_trained()
        decay = 0.0 if options.train == "noise" else 0.01
        self.optimizer = torch.optim.AdamW(self.trained, lr=rate, betas=(0.8, 0.99), weight_decay=decay, **fused)
        self.judge_optimizer = torch.optim.AdamW(self.judges.parameters(), lr=rate, betas=(0.8, 0.99), **fused)
        pcm = torch.from_numpy(np.load(os.path.join(options.data, "train.npy"))).to(self.device)
        self.crops = Crops(pcm, int(options.seconds * self.config.sample_rate) // self.config.hop * self.config.hop, options.batch)
        held = np.load(os.path.join(options.data, "heldout.npz"))
        self.validation = [held[k].astype(np.float32) / 32768 for k in held.files if k.startswith("validation")][: options.clips]
        self.step, self.spent, self.phase, self.best = 0, 0.0, "waveform", -1.0
        self.metrics: dict = {}
        self.pending = None
        os.makedirs(options.run, exist_ok=True)
        self.checkpoint = os.path.join(options.run, "checkpoint.pt")
        if os.path.exists(self.checkpoint):
            self.restore()
        elif start:
            weights = {k: v.float() for k, v in start["average"].items()}
            for codec in (self.codec, self.average):
                codec.load_state_dict(weights, strict="quantizer.sums" in weights)
                codec.quantizer.sums.copy_(codec.quantizer.codebooks * codec.quantizer.counts[:, :, None])
            self.phase = "quantized"

    def choose_trained(self) -> list:
        """The parameters of --train. Unless that is "all", encoder and codebooks stay, and the codes with them."""
        part = {"all": self.codec, "decoder": self.codec.decoder, "noise": self.codec.decoder.head}[self.options.train]
        if part is not self.codec:
            self.codec.requires_grad_(False)
            part.requires_grad_(True)
            self.codec.quantizer.eval()
        return list(part.parameters())

    def keep_phase(self, gradients: list) -> list:
        """Of the head's gradients, only the rows of bins whose level alone counts: the others stay as they are to the bit."""
        bins = torch.arange(self.config.bins, device=self.device) >= self.config.noise_bin
        rows = torch.cat([bins, bins]).float()
        return [gradient * rows.reshape(-1, *[1] * (gradient.dim() - 1)) for gradient in gradients]

    # One step -------------------------------------------------------------------------------------------------------

    def losses(self, phase: str):
        """Forward pass: (generator loss, source, synthesis, metrics)."""
        o, overlap = self.options, self.config.overlap
        x = self.crops()
        target, log_power = self.codec.spectrum.compress(self.codec.spectrum(x))
        latent = self.codec.encoder(target, log_power)
        metrics = {}
        commitment, weights = 0.0, torch.ones(len(x), device=self.device)
        if phase != "waveform":
            batch, frames, channels = latent.shape
            depth = self.depths(batch)
            # At few codebooks there is no waveform to keep: what is left is better spent on envelopes.
            weights = depth / self.config.quantizers
            latent, commitment, used = self.codec.quantizer(latent.reshape(-1, channels), depth.repeat_interleave(frames))
            latent = latent.reshape(batch, frames, channels)
            metrics.update(commitment=commitment, used=used)
        spectra = self.codec.decoder(latent)
        y = self.codec.spectrum.synthesize(self.codec.noise.random(spectra))[:, overlap:]
        x = x[:, : y.shape[1]]
        bins = self.config.noise_bin
        phased = [part[..., :bins] for whole in (spectra, target) for part in whole.chunk(2, -1)]
        error = (phased[0] - phased[2]).square().mean() + (phased[1] - phased[3]).square().mean()
        head = error / (phased[2].square().mean() + phased[3].square().mean())
        (spectral, mel), envelope = self.spectral(y, x), self.envelope(y, x)
        segmental, periodicity = self.voice(y, x, weights)
        mel_weight = o.mel * (0.1 if phase == "waveform" else 1.0)
        loss = o.head * head + o.spectral * spectral + mel_weight * mel + o.envelope * envelope + o.commitment * commitment
        loss = loss + o.segmental * segmental + o.periodicity * periodicity
        correlation = (x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1) + 1e-6)
        metrics.update(head=head, spectral=spectral, mel=mel, envelope=envelope, segmental=segmental, periodicity=periodicity)
        metrics.update(correlation=correlation.mean())
        return loss, x, y, metrics

    def depths(self, batch: int) -> torch.Tensor:
        """How many quantizers each item of a batch is decoded from: 30% all, the rest evenly; half by --depths if given."""
        most = self.config.quantizers
        depth = torch.randint(1, most + 1, (batch,), device=self.device)
        depth = torch.where(torch.rand(batch, device=self.device) < 0.3, torch.full_like(depth, most), depth)
        if not self.options.depths:
            return depth
        wanted = torch.tensor(self.options.depths, device=self.device)[torch.randint(len(self.options.depths), (batch,), device=self.device)]
        return torch.where(torch.rand(batch, device=self.device) < 0.5, wanted, depth)

    def train_step(self, phase: str) -> None:
        loss, x, y, metrics = self.losses(phase)
        if phase == "adversarial":
            with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
                # A third of the batch is plenty for the discriminators.
                part = max(1, len(x) // 3)
                judge = self.judges.judge_loss(x[:part], y[:part].detach())
            self.apply(judge, list(self.judges.parameters()), self.judge_optimizer)
            with torch.autocast(self.device.type, torch.bfloat16, cache_enabled=False):
                adversarial, matching = self.judges.fool_loss(x[:part], y[:part])
            loss = loss + self.options.adversarial * adversarial + self.options.matching * matching
            metrics.update(judge=judge, adversarial=adversarial, matching=matching)
        metrics.update(loss=loss, norm=self.apply(loss, self.trained, self.optimizer))
        with torch.no_grad():
            decay = self.options.average
            averages = list(self.average.parameters())
            torch._foreach_mul_(averages, decay)
            torch._foreach_add_(averages, list(self.codec.parameters()), alpha=1.0 - decay)
            for a, b in zip(self.average.buffers(), self.codec.buffers()):
                a.copy_(b)
            if not self.metrics:
                self.metrics = {k: torch.zeros((), device=self.device) for k in metrics}
            for key, value in metrics.items():
                # Not a copy of a number to the device, which a graph cannot capture.
                value = value.detach().float() if torch.is_tensor(value) else torch.full((), float(value), device=self.device)
                self.metrics[key].lerp_(value, 0.02)

    def apply(self, loss: torch.Tensor, parameters: list, optimizer) -> torch.Tensor:
        gradients = torch.autograd.grad(loss, parameters)
        if optimizer is self.optimizer and self.options.train == "noise":
            gradients = self.keep_phase(gradients)
        for parameter, gradient in zip(parameters, gradients):
            parameter.grad = gradient.contiguous()  # the fused optimizer wants one layout
        norm = torch.nn.utils.clip_grad_norm_(parameters, self.options.clip)
        optimizer.step()
        return norm

    # The run --------------------------------------------------------------------------------------------------------

    def wanted_phase(self, share: float) -> str:
        if share < self.options.waveform_share and self.phase == "waveform":
            return "waveform"
        if share < 1.0 - self.options.adversarial_share:
            return "quantized"
        return "adversarial"

    def enter(self, phase: str) -> None:
        """Prepares a phase and returns its step: on a GPU a replayed graph."""
        if self.phase == "waveform" and phase != "waveform":
            self.start_quantizer()
        self.phase, self.metrics = phase, {}
        self.run_step = lambda: self.train_step(phase)
        if not self.graphed:
            return
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(4):
                self.run_step()
        torch.cuda.current_stream().wait_stream(side)
        for module in (self.codec, self.judges):
            module.zero_grad(set_to_none=True)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.train_step(phase)
        self.run_step = graph.replay

    @torch.no_grad()
    def start_quantizer(self) -> None:
        rounds = max(1, 128 * self.config.codebook_size // (self.crops.batch * self.crops.samples // self.config.hop))
        latents = torch.cat([self.codec.latents(self.crops()).flatten(0, 1) for _ in range(min(rounds, 60))])
        self.codec.quantizer.initialize(latents)
        self.average.quantizer.load_state_dict(self.codec.quantizer.state_dict())
        self.log(event="k-means", vectors=len(latents))

    def schedule(self, share: float) -> float:
        o = self.options
        warm = min(1.0, (self.step + 1) / o.warm_up)
        falling = 0.5 * (1 + np.cos(np.pi * min(1.0, max(0.0, (share - o.hold) / (1.0 - o.hold)))))
        return o.rate * warm * max(falling, 0.01)

    def run(self) -> None:
        o = self.options
        started, base, entered, evaluated, logged = time.time(), self.spent, None, time.time(), 0.0
        while True:
            now = time.time()
            self.spent = base + now - started
            share = self.step / o.total_steps if o.total_steps else self.spent / (60 * o.total_minutes)
            if now - started > 60 * o.minutes or share >= 1.0 or (o.steps and self.step >= o.steps):
                break
            phase = self.wanted_phase(share)
            if phase != entered:
                self.enter(phase)
                entered = phase
            rate = self.schedule(share)
            self.rate.fill_(rate)
            if self.device.type == "cpu":
                for group in self.optimizer.param_groups + self.judge_optimizer.param_groups:
                    group["lr"] = rate
            for _ in range(o.chunk):
                self.run_step()
            self.step += o.chunk
            if time.time() - logged > o.log_every:
                values = self.finite_metrics()
                self.log(step=self.step, spent=round(self.spent, 1), phase=phase, rate=round(rate, 6), **values)
                logged = time.time()
            if time.time() - evaluated > o.evaluate_every:
                self.evaluate()
                evaluated = time.time()
            self.collect()
        self.evaluate(wait=True)

    def finite_metrics(self) -> dict:
        """The running means. Ends the run where one is not finite (it stays so), before anything is saved."""
        values = {k: round(float(v), 4) for k, v in self.metrics.items()}
        if not all(np.isfinite(v) for v in values.values()):
            self.log(event="not finite", step=self.step, **{k: str(v) for k, v in values.items()})
            raise SystemExit(f"step {self.step}: a loss is not finite; the checkpoint before it stands")
        return values

    def evaluate(self, wait: bool = False) -> None:
        """Sends the averaged model's output on the validation recordings to be scored, and saves; results are logged later."""
        self.finite_metrics()
        self.collect(wait=True)
        depths = [1, 3, 6, self.config.quantizers] if self.phase != "waveform" else []
        weights = {k: v.detach().cpu().clone() for k, v in self.average.state_dict().items()}
        self.pending = (self.scorer.submit(self.average, self.validation, depths, self.device), weights, self.step, self.spent)
        self.save()
        self.collect(wait)

    def collect(self, wait: bool = False) -> None:
        if self.pending is None or not (wait or self.pending[0].done()):
            return
        scores, weights, step, spent = self.pending
        self.pending, result = None, scores.result()
        self.log(event="validation", step=step, spent=round(spent, 1), **result)
        if "q0" in result:
            return
        # One figure to choose by: intelligibility, envelope and waveform at half and at full rate.
        value = sum(
            result[q]["stoi"] - result[q]["log_mel_distance"] + 0.3 * result[q]["waveform_correlation"]
            for q in ("q6", f"q{self.config.quantizers}")
        )
        # The best by these scores need not be the best to listen to, after discriminators above all: the last is kept too.
        states = {"config": self.config.to_dict(), "average": weights, "step": step}
        torch.save(states, os.path.join(self.options.run, "last.pt"))
        if value > self.best:
            self.best = value
            torch.save({**states, "value": value}, os.path.join(self.options.run, "best.pt"))

    def save(self) -> None:
        states = dict(
            config=self.config.to_dict(), codec=self.codec.state_dict(), average=self.average.state_dict(), judges=self.judges.state_dict(),
            optimizer=self.optimizer.state_dict(), judge_optimizer=self.judge_optimizer.state_dict(), step=self.step, spent=self.spent,
            phase=self.phase, random=torch.get_rng_state(),
            random_cuda=torch.cuda.get_rng_state() if self.device.type == "cuda" else None,
        )
        torch.save(states, self.checkpoint + ".new")
        os.replace(self.checkpoint + ".new", self.checkpoint)

    def restore(self) -> None:
        states = torch.load(self.checkpoint, map_location=self.device, weights_only=False) if torch.__version__ >= "2" else torch.load(self.checkpoint, map_location=self.device)
        for name in ("codec", "average", "judges", "optimizer", "judge_optimizer"):
            getattr(self, name).load_state_dict(states[name])
        if self.device.type == "cuda":
            for optimizer in (self.optimizer, self.judge_optimizer):
                for group in optimizer.param_groups:
                    group["lr"] = self.rate
            torch.cuda.set_rng_state(states["random_cuda"].cpu())
        torch.set_rng_state(states["random"].cpu())
        self.step, self.spent, self.phase = states["step"], states["spent"], states["phase"]
        # Scores come after the checkpoint that they are of, so the best is read where it was written.
        best = os.path.join(self.options.run, "best.pt")
        if os.path.exists(best):
            self.best = torch.load(best, map_location="cpu")["value"]

    def log(self, **values) -> None:
        line = json.dumps(values)
        print(line, flush=True)
        with open(os.path.join(self.options.run, "log.jsonl"), "a") as file:
            file.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add("--data", required=True, help="folder made by data.py")
    add("--run", required=True, help="folder of this run: checkpoints and log")
    add("--preset", default="default", choices=PRESETS, help="shape of a run without --start")
    add("--start", help="checkpoint whose shape and averaged weights a new run starts from")
    add("--train", default="all", choices=["all", "decoder", "noise"], help="noise: only the levels from --noise-from-hz on")
    add("--noise-from-hz", type=int, default=0, help="from here on signs stand in for phase, and no loss asks for phase")
    add("--depths", type=int, nargs="+", default=[], help="numbers of quantizers that half of the items are trained at")
    add("--minutes", type=float, default=1e9, help="stop after this long; call again to go on")
    add("--total-minutes", type=float, default=25.0, help="the whole run's budget, which phases and rate follow")
    add("--steps", type=int, default=0, help="stop at this step (0: by time alone)")
    add("--total-steps", type=int, default=0, help="the budget in steps instead: a run cut in pieces is then the same to the bit")
    add("--waveform-share", type=float, default=0.1)
    add("--adversarial-share", type=float, default=0.0)
    add("--batch", type=int, default=64)
    add("--seconds", type=float, default=1.5)
    add("--rate", type=float, default=5e-4)
    add("--warm-up", type=int, default=300, help="steps until the rate is full")
    add("--hold", type=float, default=0.3, help="share of the budget before the rate falls along a cosine")
    add("--clip", type=float, default=10.0)
    add("--average", type=float, default=0.9995)
    add("--head", type=float, default=5.0)
    add("--spectral", type=float, default=5.0)
    add("--mel", type=float, default=5.0)
    add("--envelope", type=float, default=2.0)
    add("--segmental", type=float, default=0.0)
    add("--periodicity", type=float, default=0.0)
    add("--commitment", type=float, default=1.0)
    add("--adversarial", type=float, default=0.3)
    add("--matching", type=float, default=1.0)
    add("--seed", type=int, default=1)
    add("--clips", type=int, default=32, help="validation recordings")
    add("--scorers", type=int, default=os.cpu_count() // 2, help="processes that score validation recordings")
    add("--chunk", type=int, default=20, help="steps between looks at the clock")
    add("--log-every", type=float, default=10.0)
    add("--evaluate-every", type=float, default=150.0)
    add("--eager", action="store_true", help="no CUDA graph")
    Trainer(parser.parse_args()).run()


if __name__ == "__main__":
    main()
