"""Wool: felt with its fibres, and knitting, as reliefs and light.

In: sheets, relief, colour by place, lamps. Out: heights, lit linear RGB, strands to brush on. Every fibre comes from
the seed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from painting import Colour, Lamp, Plane, Points, Sheet, lit, noise, normals, occlusion, soft

FIBRE_STEPS = 7  # points along a fibre
FELT_BLEED = np.array([0.16, 0.12, 0.10], np.float32)  # light goes a little way into the wool


def felted(
    s: Sheet, z: Plane, tone: Colour, lamps: Sequence[Lamp], seed: int, shade: Plane | float = 1.0, edge: float = 0.5,
    grain: float = 1.0,
) -> Colour:  # fmt: skip
    """Lit felt: lumps, tangle and a bright fuzz where the surface turns away.

    `shade`: key light that arrives. `grain`: how much of the finest tangle shows.
    """
    rough = z + 1.1 * noise(s, 22, 22, seed) + 0.55 * noise(s, 7, 7, seed + 1)
    rough = rough + 0.16 * grain * noise(s, 2.2, 2.2, seed + 2)
    n = normals(rough.astype(np.float32), s)
    one = np.ones(s.shape, np.float32) * shade
    mottled = tone * (1 + 0.05 * noise(s, 14, 14, seed + 3) + 0.04 * grain * noise(s, 3, 3, seed + 4))[..., None]
    colour = lit(n, mottled, lamps, occlusion(z, s, (6, 18, 44), 1.3), one, FELT_BLEED, edge)
    fuzz = (1 - normals(z, s)[..., 2]) ** 2 * (0.35 + 0.65 * one)
    return colour + mottled**0.8 * lamps[0].colour * (0.28 * fuzz)[..., None]


def fibres(
    s: Sheet, colour: Colour, mask: Plane, count: int, length: float, seed: int,
    flow: Plane | float = 0.0, spread: float = 3.2, curl: float = 0.8, jitter: float = 0.14,
) -> tuple[Points, Colour]:  # fmt: skip
    """Short hairs strewn over a mask, each in the colour of its place: lines [P, FIBRE_STEPS, 2], colours alike.

    `flow` is their direction in radians (x right, y down), `spread` its deviation, `curl` how far they bend.
    """
    rng = np.random.default_rng(seed)
    held = np.flatnonzero(mask > rng.random(mask.shape))
    row, column = np.divmod(held[rng.integers(len(held), size=count)], s.shape[1])
    course = np.broadcast_to(np.asarray(flow, np.float32), s.shape)[row, column] + rng.normal(0, spread, count)
    t = np.linspace(-0.5, 0.5, FIBRE_STEPS)
    angle = course[:, None] + rng.normal(0, curl, (count, 1)) * 2 * t
    step = length * rng.uniform(0.6, 1.3, (count, 1)) / (FIBRE_STEPS - 1)
    lines = np.stack([np.cumsum(step * np.cos(angle), 1), np.cumsum(step * np.sin(angle), 1)], -1)
    middle = np.stack([column, row], -1) / s.scale + (s.x0, s.y0)
    lines += middle[:, None] - lines.mean(1, keepdims=True)
    tones = colour[row, column] * np.exp(rng.normal(0, jitter, (count, 1)))
    return lines, np.repeat(tones[:, None], FIBRE_STEPS, 1).astype(np.float32)


def ragged(mask: Plane, s: Sheet, radius: float, seed: int) -> Plane:
    """The border of two wools felted into one another."""
    near = soft(mask, s, radius)
    tangle = 0.4 * near * (1 - near) * noise(s, 5, 5, seed)  # none away from the border
    return np.asarray(np.clip((near + tangle - 0.5) * 2.4 + 0.5, 0, 1))


def knitted(u: Plane, v: Plane, width: float, height: float) -> Plane:
    """Height, 0 to 1, of stocking stitch: `u` runs across its columns, `v` along them; a stitch in the same units."""
    leg = _leg(u, width)
    along = (v / height - 0.85 * leg) % 1
    swell = np.sin(np.pi * np.clip(leg * 0.92 + 0.04, 0, 1)) ** 0.6
    return np.asarray(np.sin(np.pi * along) ** 0.7 * swell, np.float32)


def knit_row(u: Plane, v: Plane, width: float, height: float) -> Plane:
    """The number of the row each place of `knitted` belongs to: yarn changes colour from row to row."""
    return np.floor(v / height - 0.85 * _leg(u, width))


def _leg(u: Plane, width: float) -> Plane:
    """0 between two columns of stitches, 1 in the middle of one."""
    return 1 - np.abs(2 * (u / width % 1) - 1)


def round_body(s: Sheet, axis: float, radius: float) -> Plane:
    """How far round an upright cylinder each column of the sheet lies, in pixels: cloth narrows towards its sides."""
    return radius * np.arcsin(np.clip((s.x - axis) / radius, -0.995, 0.995))
