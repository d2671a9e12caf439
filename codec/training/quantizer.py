"""Masked-channel residual vector quantization (MCRVQ), after Language-Codec (arXiv 2402.12208).

With G groups, quantizer g < G sees only its own share of the latent's channels, all from the same latent; quantizer G
sees the latent minus the sum of the first G code vectors; later ones are ordinary residual stages. Codebooks follow the
data by exponential moving averages (van den Oord 2017), and a code that nothing chooses is replaced from the batch.

Training takes the nearest code at each stage; a trained codec looks for better ways through the stages (`search`).
"""

import torch
import torch.nn.functional as F
from torch import nn

from config import Config


def search(latent: torch.Tensor, codebooks: torch.Tensor, spans: list, paths: int, products=None) -> torch.Tensor:
    """Codes [N, Q] of latents [N, C] by a beam search (as for residual quantizers in arXiv 1509.05195): of all ways to go
    on from the `paths` best so far, each stage keeps the best ones, by the distance from what they have seen of the latent.

    codebooks: [Q, K, C]; spans: first and behind the last channel of each group. With one path each code is the nearest.
    products: for each stage, what multiplies vectors by its codes; plain products if not given.
    """
    quantizers, size, channels = codebooks.shape
    table = codebooks.flatten(0, 1)
    first_rows = torch.arange(latent.shape[0], device=latent.device).unsqueeze(1)
    left, gain, start = latent, None, first_rows
    codes, parents = [], []
    for stage in range(quantizers):
        first, end = spans[stage] if stage < len(spans) else (0, channels)
        seen, keys = latent[:, first:end] if stage < len(spans) else left, codebooks[stage][:, first:end]
        # Half of how much nearer code c brings the latent's square: v . c - |c|^2 / 2. Its sum over stages compares paths.
        scores = (products[stage](seen) if products else seen @ keys.t()) - 0.5 * keys.square().sum(1)
        if stage > 0:
            scores = scores.reshape(-1, 1 if stage < len(spans) else paths, size) + gain.unsqueeze(2)
        gain, index = scores.flatten(1).topk(paths, dim=1)
        codes.append((index % size).reshape(-1))
        # Rows of `left` that the best go on from.
        parents.append((start + torch.div(index, size, rounding_mode="trunc")).reshape(-1))
        start = first_rows * paths
        left = left[parents[-1]] - table[codes[-1] + stage * size]
    row, chosen = start.reshape(-1), []
    for code, parent in zip(reversed(codes), reversed(parents)):
        chosen.append(code[row])
        row = parent[row]
    return torch.cat(chosen[::-1]).reshape(quantizers, -1).t()


class MaskedChannelRVQ(nn.Module):
    def __init__(self, config: Config, decay: float = 0.99):
        super().__init__()
        self.quantizers, self.size, self.channels = config.quantizers, config.codebook_size, config.latent_channels
        self.groups, self.decay = len(config.group_channels), decay
        assert sum(config.group_channels) == self.channels
        self.paths = config.search_paths
        starts = [sum(config.group_channels[:group]) for group in range(self.groups + 1)]
        self.spans = list(zip(starts, starts[1:]))
        masks = torch.ones(self.quantizers, self.channels)
        for group, (first, end) in enumerate(self.spans):
            masks[group] = 0.0
            masks[group, first:end] = 1.0
        self.register_buffer("masks", masks)
        codebooks = torch.randn(self.quantizers, self.size, self.channels) * 0.1 * masks[:, None]
        self.register_buffer("codebooks", codebooks)
        self.register_buffer("sums", codebooks.clone())
        self.register_buffer("counts", torch.ones(self.quantizers, self.size))

    def stage_input(self, latent: torch.Tensor, total: torch.Tensor, stage: int) -> torch.Tensor:
        """What quantizer `stage` sees: its channels of the latent, or the residual. latent, total: [N, C]."""
        return latent * self.masks[stage] if stage < self.groups else latent - total

    def nearest(self, vectors: torch.Tensor, stage: int) -> torch.Tensor:
        """Index of the nearest code for each of vectors [N, C]."""
        book = self.codebooks[stage]
        return (vectors @ book.t() - 0.5 * (book * book).sum(1)).argmax(1)

    @torch.no_grad()
    def initialize(self, latents: torch.Tensor, iterations: int = 12, first: int = 0) -> None:
        """K-means of every stage from `first` on over latents [N, C]; N should be dozens of times the codebook size."""
        total = torch.zeros_like(latents)
        for stage in range(self.quantizers):
            vectors = self.stage_input(latents, total, stage)
            if stage < first:
                total = total + self.codebooks[stage][self.nearest(vectors, stage)]
                continue
            picks = torch.randperm(len(vectors), device=vectors.device)
            self.codebooks[stage] = vectors[picks[: self.size]]
            for _ in range(iterations):
                index = self.nearest(vectors, stage)
                counts = torch.zeros(self.size, device=vectors.device).index_add_(0, index, torch.ones_like(vectors[:, 0]))
                sums = torch.zeros_like(self.codebooks[stage]).index_add_(0, index, vectors)
                distances = (vectors - self.codebooks[stage][index]).square().sum(1)
                errors = torch.zeros_like(counts).index_add_(0, index, distances)
                book = sums / counts.clamp(min=1)[:, None]
                # A code that hardly any vector chooses starts again beside one with the greatest error.
                spare = torch.empty_like(book)
                order = errors.argsort(descending=True)
                spare[counts.argsort()] = book[order] + 0.01 * book.std() * torch.randn_like(book)
                self.codebooks[stage] = torch.where(counts[:, None] >= 0.05 * len(vectors) / self.size, book, spare)
            index = self.nearest(vectors, stage)
            share = len(vectors) / self.size
            self.counts[stage].fill_(share)
            self.sums[stage] = self.codebooks[stage] * share
            total = total + self.codebooks[stage][index]

    def encode(self, latent: torch.Tensor) -> torch.Tensor:
        """Codes [Q, N] of latents [N, C]."""
        return search(latent, self.codebooks, self.spans, self.paths).t()

    def decode(self, codes: torch.Tensor, active: torch.Tensor) -> torch.Tensor:
        """Sum of the chosen code vectors. codes [Q, N], active [Q, N] of 0 or 1; returns [N, C]."""
        total = 0
        for stage in range(self.quantizers):
            total = total + self.codebooks[stage][codes[stage]] * active[stage][:, None]
        return total

    def forward(self, latent: torch.Tensor, depth: torch.Tensor):
        """Quantizes latents [N, C], each with its first depth [N] codebooks.

        Returns the quantized latents with straight-through gradients, the commitment loss (mean square between the
        encoder's output and its quantization over active stages), and the mean share of codes in use.
        """
        detached = latent.detach()
        total = torch.zeros_like(latent)
        chosen = torch.zeros_like(latent)
        seen = torch.zeros_like(latent)
        commitment = 0.0
        used = 0.0
        for stage in range(self.quantizers):
            vectors = self.stage_input(detached, total, stage)
            index = self.nearest(vectors, stage)
            code = self.codebooks[stage][index]
            active = (depth > stage).to(latent.dtype)[:, None]
            target = total + code if stage >= self.groups else code
            error = (latent - target) * self.masks[stage]
            commitment = commitment + (error.square() * active).sum() / (self.masks[stage].sum() * len(latent))
            total = total + code
            chosen = chosen + code * active
            seen = torch.maximum(seen, self.masks[stage] * active)
            if self.training:
                used = used + self._follow(vectors, index, stage)
        # Channels that no active codebook covers reach the decoder as zeros, so no gradient may return through them.
        passed = seen * latent + (chosen - seen * latent).detach()
        return passed, commitment / self.quantizers, used / self.quantizers

    @torch.no_grad()
    def _follow(self, vectors: torch.Tensor, index: torch.Tensor, stage: int) -> torch.Tensor:
        ones = torch.ones(len(vectors), device=vectors.device)
        counts = torch.zeros(self.size, device=vectors.device).index_add_(0, index, ones)
        sums = torch.zeros(self.size, self.channels, device=vectors.device).index_add_(0, index, vectors)
        new_counts = self.counts[stage] * self.decay + counts * (1 - self.decay)
        new_sums = self.sums[stage] * self.decay + sums * (1 - self.decay)
        share = len(vectors) / self.size
        dead = new_counts < 0.03 * share
        spare = vectors[torch.randint(len(vectors), (self.size,), device=vectors.device)]
        new_counts = torch.where(dead, torch.full_like(new_counts, 0.3 * share), new_counts)
        new_sums = torch.where(dead[:, None], spare * 0.3 * share, new_sums)
        self.counts[stage].copy_(new_counts)
        self.sums[stage].copy_(new_sums)
        self.codebooks[stage].copy_(new_sums / new_counts[:, None])
        return (~dead).float().mean()
