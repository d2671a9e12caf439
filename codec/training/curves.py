"""Draws a run's log.jsonl as one SVG: the losses by step, and the validation scores by step and number of quantizers.

python3 curves.py runs/v1 curves.svg
"""

import argparse
import json
import math
import os
from html import escape

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 460, 240, 60, 90, 30, 34
COLOURS = ("#0b6e99", "#c2410c", "#15803d", "#7e22ce", "#b45309", "#be185d")
LOSSES = ("loss", "head", "spectral", "mel", "envelope", "correlation", "judge", "adversarial", "matching", "norm")
SCORES = ("stoi", "estoi", "log_mel_distance", "waveform_correlation", "log_spectral_distance", "segmental_snr")


def read(path: str):
    """(losses, scores), each {title: {line: [(step, value)]}}."""
    losses, scores = {}, {}
    with open(path) as file:
        for row in map(json.loads, file):
            if row.get("event") == "validation":
                for depth, values in row.items():
                    if isinstance(values, dict):
                        for name in SCORES:
                            scores.setdefault(name, {}).setdefault(depth, []).append((row["step"], values[name]))
            elif "loss" in row:
                for name in LOSSES:
                    if name in row:
                        losses.setdefault(name, {}).setdefault("", []).append((row["step"], row[name]))
    return losses, scores


def chart(title: str, lines: dict, x0: float, y0: float) -> str:
    points = [point for line in lines.values() for point in line if math.isfinite(point[1])]
    low, high = min(y for _, y in points), max(y for _, y in points)
    high = high if high > low else low + 1e-6
    last = max(max(x for x, _ in points), 1)
    place = lambda x, y: (
        x0 + LEFT + (WIDTH - LEFT - RIGHT) * x / last,
        y0 + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (y - low) / (high - low),
    )
    left, bottom, right, top = x0 + LEFT, y0 + HEIGHT - BOTTOM, x0 + WIDTH - RIGHT, y0 + TOP
    parts = [
        f'<text x="{left}" y="{y0 + 18}" font-weight="bold">{escape(title)}</text>',
        f'<path d="M{left} {top}V{bottom}H{right}" fill="none" stroke="#888"/>',
        f'<text x="{left}" y="{bottom + 18}">0</text><text x="{right}" y="{bottom + 18}" text-anchor="end">{last} steps</text>',
    ]
    for value in (low, (low + high) / 2, high):
        parts.append(f'<text x="{left - 6}" y="{place(0, value)[1] + 4:.1f}" text-anchor="end">{value:.4g}</text>')
    for (name, line), colour in zip(lines.items(), COLOURS * len(lines)):
        shown = [place(x, y) for x, y in line if math.isfinite(y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in shown)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        x, y = shown[-1]
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>')
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)} {line[-1][1]:.4g}</text>')
    return "\n".join(parts)


def draw(log: str) -> str:
    """SVG text of all charts, two in a row."""
    losses, scores = read(log)
    charts = [*losses.items(), *((f"validation: {name}", lines) for name, lines in scores.items())]
    if not charts:
        raise SystemExit(f"{log} has no losses and no scores yet")
    width, height = 2 * WIDTH, HEIGHT * -(-len(charts) // 2)
    body = "\n".join(chart(title, lines, WIDTH * (i % 2), HEIGHT * (i // 2)) for i, (title, lines) in enumerate(charts))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" font-size="11">\n'
        f'<rect width="{width}" height="{height}" fill="white"/>\n{body}\n</svg>\n'
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="a run's folder, or its log.jsonl")
    parser.add_argument("out", help="the SVG file")
    arguments = parser.parse_args()
    source = os.path.join(arguments.run, "log.jsonl") if os.path.isdir(arguments.run) else arguments.run
    with open(arguments.out, "w") as file:
        file.write(draw(source))
