"""Hair from guide curves: thousands of strands gathered in wavy clumps, lit as fibres, brushed onto a picture in order.

In: guides (ordered families of curves from root to tip, picture pixels), tones, lamps. Out: strands with colours, or
the picture with them on it. Every stray hair comes from the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from painting import Colour, Lamp, Points, Sheet, between, curve, film, linear, rgb, srgb, strands

Paths = NDArray[np.float64]  # [strands, STEPS, 2], picture pixels
Values = NDArray[np.float64]  # [strands, STEPS] or [strands, 1]
Guides = Sequence[Sequence[tuple[float, float]]]
STEPS = 56  # points along a strand
CLUMPS = 40  # locks in one family of guides


@dataclass(frozen=True)
class Hair:
    """Tones (sRGB hex) and the head-shaped volume the strands lie on: middle and half axes in picture pixels."""

    middle: tuple[float, float]
    half: tuple[float, float, float]
    root: str = "1a0d09"
    body: str = "4a2a1c"
    glint: str = "8a4c2c"
    shine: str = "ffd0a8"
    rim: str = "b88a6c"


def knots(guides: Guides) -> list[Points]:
    return [curve(guide, 12) for guide in guides]


def comb(
    hair: Hair, guides: Guides, lamps: Sequence[Lamp], count: int, seed: int, strength: float, wave: float
) -> tuple[Paths, Colour]:
    """Strands in drawing order and their colours; `wave` is the swing in pixels, `strength` scales the light."""
    rng = np.random.default_rng(seed)
    t = np.linspace(0, 1, STEPS)[None]
    place = rng.random(count)
    place[: count // 50] = -rng.exponential(0.012, count // 50)  # loose ones inside the edge
    lock = (place * CLUMPS + rng.normal(0, 0.3, count)).astype(int).clip(0, CLUMPS - 1)
    family = knots(guides)
    path, middle = between(family, place, STEPS), between(family, (lock + 0.5) / CLUMPS, STEPS)
    gather = (0.30 * t + 0.50 * t**3)[..., None]
    path = path * (1 - gather) + middle * gather

    def by_lock(values: Values) -> Values:
        return np.asarray(values[lock][:, None])

    # strands end at different lengths, and their colour steps do not line up
    phase = by_lock(np.sin(np.arange(CLUMPS) * 0.55 + seed) * 0.9 + rng.normal(0, 0.35, CLUMPS))
    swell = wave * np.clip(t - 0.18, 0, 1) ** 0.9 * by_lock(rng.uniform(0.7, 1.1, CLUMPS))
    tremor = rng.normal(0, 1.2, (count, 1)) * np.sin(4 * t + rng.uniform(0, 6, (count, 1)))
    reach = by_lock(rng.normal(0, 9, CLUMPS)) + rng.normal(0, 6, (count, 1))
    end = by_lock(rng.uniform(0.93, 1, CLUMPS)) * rng.uniform(0.86, 1, (count, 1))
    spot = np.clip(t * end * (STEPS - 1) + rng.random((count, 1)) - 0.5, 0, STEPS - 1.001)
    whole, part, row = spot.astype(int), (spot % 1)[..., None], np.arange(count)[:, None]
    path = path[row, whole] * (1 - part) + path[row, whole + 1] * part
    t = spot / (STEPS - 1)
    angle = 2 * np.pi * 1.9 * t + phase
    path[..., 0] += np.sin(angle) * swell + tremor
    path[..., 1] += reach * t**4

    aside = (place * CLUMPS - lock - 0.5).clip(-0.8, 0.8)[:, None]
    tone = by_lock(rng.normal(0, 0.14, CLUMPS)) + rng.normal(0, 0.13, (count, 1))
    tone = tone - 0.9 * aside**2 * np.minimum(1, 3 * t)
    band = t - by_lock(rng.normal(0, 0.012, CLUMPS)) - rng.normal(0, 0.008, (count, 1))
    wide = band + rng.normal(0, 0.03, (count, 1))
    halo = 0.85 * np.exp(-0.5 * ((band - 0.23) / 0.045) ** 2) + 0.30 * np.exp(-0.5 * ((wide - 0.72) / 0.09) ** 2)
    root = (0.32 + 0.68 * np.clip(t / 0.15, 0, 1)) * (0.85 + halo)
    shift = by_lock(rng.normal(0, 0.06, CLUMPS)) + rng.normal(0, 0.03, (count, 1))
    light = fibre_light(hair, path, np.cos(angle) * swell * 1.15, shift, rng.random((count, 1)) ** 3 * 3, lamps)
    order = np.argsort(rng.random(count) * 0.5 + rng.random(CLUMPS)[lock] * 0.5)
    return path[order], np.asarray(light * (np.exp(tone) * root * strength)[..., None], np.float32)[order]


def fibre_light(hair: Hair, path: Paths, rise: Values, shift: Values, rim: Values, lamps: Sequence[Lamp]) -> Values:
    """Kajiya and Kay's light with a second, coloured highlight; `rise` lifts the strands off the volume, in pixels."""
    dx = (path[..., 0] - hair.middle[0]) / hair.half[0]
    dy = np.minimum(path[..., 1] - hair.middle[1], 0) / hair.half[1]
    height = np.sqrt(np.maximum(1 - dx**2 - dy**2, 0.02))
    depth = height * hair.half[2] + rise
    tangent = np.gradient(np.concatenate([path, depth[..., None]], -1), axis=1)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True) + 1e-9
    normal = np.stack([dx, dy, height], -1)
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True)
    total = np.zeros_like(tangent) + rgb(hair.root) * 0.5
    for lamp in lamps:
        if lamp.rim:
            side = np.sign(path[..., 0] - hair.middle[0]) == np.sign(lamp.direction[0])
            edge = np.clip(0.66 - height, 0, 1) ** 1.5 * rim * side
            total += lamp.colour * edge[..., None] * rgb(hair.rim) * 0.8
            continue
        half = lamp.direction + np.array([0, 0, 1])
        half /= np.linalg.norm(half)
        facing = np.clip((normal @ lamp.direction + 0.25) / 1.25, 0, 1)
        diffuse = np.sqrt(np.maximum(1 - (tangent @ lamp.direction) ** 2, 0)) * facing
        first = np.maximum(1 - (tangent @ half + shift) ** 2, 0) ** 60 * facing
        second = np.maximum(1 - (tangent @ half + shift - 0.14) ** 2, 0) ** 14 * facing
        light = diffuse[..., None] * rgb(hair.body) * 0.62 + second[..., None] * rgb(hair.glint) * 0.50
        total += lamp.colour * (light + first[..., None] * rgb(hair.shine) * 0.26)
    return np.asarray(total)


def brush(picture: Colour, page: Sheet, s: Sheet, paths: Paths, colours: Colour, seed: int) -> Colour:
    """Draw strands on the part `s` of the page's linear picture, blended in sRGB as thin strokes are seen."""
    widths = np.random.default_rng(seed).choice([1, 2, 3], len(paths), p=[0.5, 0.4, 0.1])
    layer = strands(s, paths, colours, widths)
    window, alpha = page.window(s), layer[..., 3:]
    value = srgb(film(picture[window])) * (1 - alpha) + layer[..., :3]
    picture[window] = np.where(alpha > 0.004, linear(value), picture[window])
    return picture


def flyaways(guides: Guides, tone: Colour, count: int, seed: int) -> tuple[Paths, Colour]:
    """Single hairs that leave the last guide outwards and catch the light behind."""
    rng, family = np.random.default_rng(seed), knots(guides)
    outwards = np.sign(family[-1][6, 0] - family[0][6, 0]) * np.array([[1.0, -0.5]])
    t, paths = np.linspace(0, 1, STEPS), []
    for _ in range(count):
        path = between(family, np.array([rng.uniform(0.975, 1.0)]), STEPS)[0]
        start, away = rng.uniform(0.02, 0.7), rng.uniform(2, 20)
        lift = away * np.clip((t - start) / 0.4, 0, 1) ** 1.5 * np.sin(rng.uniform(2, 4) * t + 0.4)
        path = path + outwards * lift[:, None]
        keep = np.linspace(start, min(1.0, start + rng.uniform(0.15, 0.4)), STEPS) * (STEPS - 1)
        paths.append(np.stack([np.interp(keep, np.arange(STEPS), path[:, k]) for k in (0, 1)], 1))
    glow = rng.uniform(0.2, 0.6, (count, 1, 1))
    return np.array(paths), np.asarray(np.broadcast_to(tone * glow, (count, STEPS, 3)), np.float32)
