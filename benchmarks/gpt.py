"""A small GPT in PyTorch, written anew at the settings that nanoGPT's README gives for a CPU.

    python benchmarks/gpt.py tinyshakespeare.txt --time 120

Four layers of four heads, 128 wide, windows of 64 characters drawn at random, batches of 12, AdamW
at a rate of 1e-3 that falls along a cosine to a tenth; no dropout. It trains for the time given,
start-up included, and prints its loss on random windows of the last tenth of the text as it goes.
"""

import argparse
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

LAYERS, HEADS, WIDTH, WINDOW, BATCH = 4, 4, 128, 64, 12
RATE, LEAST_RATE, WARMUP, DECAY, CLIP = 1e-3, 1e-4, 100, 0.1, 1.0
EVALUATIONS = 20
EVALUATED_BATCHES = 20
LAST_BATCHES = 300


class Block(nn.Module):
    """Attention to the past, then a layer for each place; both are added to what they read."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(WIDTH, bias=False) for _ in range(2)])
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH, bias=False)
        self.out = nn.Linear(WIDTH, WIDTH, bias=False)
        self.up = nn.Linear(WIDTH, 4 * WIDTH, bias=False)
        self.down = nn.Linear(4 * WIDTH, WIDTH, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, _ = x.shape
        split = self.qkv(self.norms[0](x)).view(batch, length, 3, HEADS, -1)
        q, k, v = split.permute(2, 0, 3, 1, 4)  # (B, heads, T, width of a head) each
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).reshape(batch, length, WIDTH))
        return x + self.down(F.gelu(self.up(self.norms[1](x))))


class GPT(nn.Module):
    """Logits [B, T, V] of the characters that follow, from ids [B, T]."""

    def __init__(self, vocabulary_size: int) -> None:
        super().__init__()
        self.characters = nn.Embedding(vocabulary_size, WIDTH)
        self.places = nn.Embedding(WINDOW, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH, bias=False)
        self.apply(self._initialise)
        for block in self.blocks:
            for last in (block.out, block.down):
                nn.init.normal_(last.weight, std=0.02 / math.sqrt(2 * LAYERS))

    @staticmethod
    def _initialise(module: nn.Module) -> None:
        if isinstance(module, (nn.Linear, nn.Embedding)):
            nn.init.normal_(module.weight, std=0.02)

    def forward(self, ids: Tensor) -> Tensor:
        x = self.characters(ids) + self.places.weight[: ids.shape[1]]
        return F.linear(self.norm(self.blocks(x)), self.characters.weight)  # tied


def windows(ids: np.ndarray, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Inputs and targets [B, T] of random windows."""
    place = rng.integers(0, len(ids) - WINDOW, (BATCH, 1)) + np.arange(WINDOW)
    return torch.from_numpy(ids[place]), torch.from_numpy(ids[place + 1])


def loss_of(model: GPT, batch: tuple[Tensor, Tensor]) -> Tensor:
    """Nats per character."""
    inputs, targets = batch
    return F.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


@torch.no_grad()
def evaluate(model: GPT, ids: np.ndarray, batches: int) -> float:
    """The mean loss of random windows, always the same ones."""
    rng = np.random.default_rng(0)
    return float(np.mean([loss_of(model, windows(ids, rng)).item() for _ in range(batches)]))


def rate_at(step: int, share: float) -> float:
    """The learning rate where so much of the time is over."""
    if step < WARMUP:
        return RATE * (step + 1) / WARMUP
    return LEAST_RATE + (RATE - LEAST_RATE) * (1 + math.cos(math.pi * share)) / 2


def train(path: Path, seconds: float, seed: int, begin: float) -> dict[str, object]:
    """Train for the time; the curve and the last loss."""
    torch.manual_seed(seed)
    text = path.read_text(encoding="utf-8")
    places = {character: place for place, character in enumerate(sorted(set(text)))}
    ids = np.array([places[character] for character in text], np.int64)
    border = len(ids) * 9 // 10
    learnt, held_out = ids[:border], ids[border:]
    model, rng = GPT(len(places)), np.random.default_rng(seed)
    decaying = [each for each in model.parameters() if each.dim() > 1]
    others = [each for each in model.parameters() if each.dim() <= 1]
    groups = [{"params": decaying, "weight_decay": DECAY}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.99))
    step, curve, due = 0, [], 1 / EVALUATIONS
    while (share := (time.time() - begin) / seconds) < 1:
        for group in optimizer.param_groups:
            group["lr"] = rate_at(step, share)
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, windows(learnt, rng)).backward()
        nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()
        step += 1
        if share >= due:
            due += 1 / EVALUATIONS
            curve.append((time.time() - begin, evaluate(model, held_out, EVALUATED_BATCHES)))
    return {
        "loss_nats": evaluate(model, held_out, LAST_BATCHES),
        "steps": step,
        "parameters": sum(each.numel() for each in model.parameters()),
        "curve": curve,
    }


def main() -> None:
    begin = time.time()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("text", type=Path)
    parser.add_argument("--time", type=float, default=120, help="seconds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(json.dumps(train(options.text, options.time, options.seed, begin)))


if __name__ == "__main__":
    main()
