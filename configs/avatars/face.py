"""A frontal face from its measures: relief, skin, eyes, brows, lips, and the points an animator needs.

In: a Face (picture pixels, sRGB hex tones), the sheet to draw on, the lamps (the first is the key light). Out: linear
RGB of the sheet, float32 [H, W, 3]. Never draws hair, clothes or background; never touches files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from painting import (
    Colour,
    Lamp,
    Plane,
    Points,
    Sheet,
    along,
    bump,
    curve,
    filled,
    gloss,
    inflated,
    lit,
    mirror,
    noise,
    normals,
    occlusion,
    over,
    pair,
    rgb,
    shadow_of,
    shifted,
    soft,
    stroked,
)

Table = Sequence[tuple[float, float]]  # (distance outwards from the middle, height below it), picture pixels
# the nose along its own axis, with the eyes at 548 and the tip's under-edge at 666: height and half width of the ridge
NOSE_RIDGE = [(470, 0), (510, 3), (545, 10), (590, 22), (625, 36), (642, 42), (655, 35), (668, 14), (682, 2), (700, 0)]
NOSE_WIDTH = [(470, 32), (540, 20), (585, 18), (625, 17), (645, 17), (665, 17), (700, 24)]
SKIN_BLEED = np.array([0.24, 0.08, 0.03], np.float32)  # red travels furthest under the skin


@dataclass(frozen=True)
class Face:
    """Measures in picture pixels. Lids, crease and brow run from the inner end to the outer, lips from the middle."""

    axis: float
    brow_y: tuple[float, float]  # picture-left, picture-right: never quite level
    eye_y: float
    eye_dx: float
    eye_scale: float
    iris_radius: float
    nose_y: float
    mouth_y: float
    half_outline: Table  # picture-right half from the crown to the chin, (distance from the axis, y)
    upper_lid: Table
    lower_lid: Table
    crease: Table
    brow: Table
    lip_line: Table
    lip_top: Table
    lip_bottom: Table
    skin: str = "e6b596"
    lip: str = "bf5c58"
    iris: tuple[str, str] = ("6b3a1c", "b0703a")  # ring and inner light
    brow_hair: str = "24130c"
    nose_width: float = 1.0
    brow_weight: float = 1.0
    lashes: float = 1.0  # length and strength; 0 for none
    lid_tint: float = 0.45
    blush: float = 1.0

    @property
    def chin_y(self) -> float:
        return self.half_outline[-1][1]

    def outline(self, grow: float = 0.0) -> Points:
        return both_sides(self.axis, [(dx * (1 + grow), y + (y - self.eye_y) * grow) for dx, y in self.half_outline])

    def eye_curve(self, table: Table, side: int) -> Points:
        return curve(placed(np.array(table) * self.eye_scale, side, self.axis + side * self.eye_dx, self.eye_y), 64)

    def iris_middle(self, side: int) -> tuple[float, float]:
        return self.axis + side * self.eye_dx, self.eye_y - 1

    def brow_line(self, side: int) -> Points:
        return curve(placed(self.brow, side, self.axis + side * (self.eye_dx - 1), self.brow_y[side > 0]), 101)

    def lip_lines(self, s: Sheet) -> tuple[Plane, Plane, Plane]:
        dx = np.abs(s.x - self.axis)
        tables = self.lip_line, self.lip_top, self.lip_bottom
        line, top, bottom = (self.mouth_y + along(dx, table) for table in tables)
        return line, top, bottom


def both_sides(axis: float, half: Table) -> Points:
    """Closed outline from its picture-right half, given from the top axis point to the bottom one."""
    right = curve([(axis + dx, y) for dx, y in half], 128)
    return np.concatenate([right, mirror(right, axis)[::-1]])


def arch(half: float, height: float, power: float, tilt: float = 0.0) -> Table:
    """A lid of its own half width that rises (height < 0) or hangs to its height as lids close: 0 at both corners."""
    t = np.sin(np.linspace(-np.pi / 2, np.pi / 2, 17))  # dense where it is steep
    return [(half * a, height * max(1 - a * a, 0) ** power - tilt * a) for a in t.tolist()]


def placed(table: Table | Points, side: int, x: float, y: float) -> Points:
    return np.array([(x + side * dx, y + dy) for dx, dy in table])


# --- skin -----------------------------------------------------------------------------------------------------------


def relief(f: Face, s: Sheet) -> Plane:
    """Height of the face towards the viewer in pixels, sculpted from gaussian hills on a pillow of its outline."""
    a, eye, nose, mouth, chin = f.axis, f.eye_y, f.nose_y, f.mouth_y, f.chin_y
    z = 190 * inflated(s, f.outline(0.03), 0.46)  # steepest slope outside the drawn edge: no dark seam
    z += 6 * pair(s, a, 62, eye - 40, 50, 16, 4) - 7 * pair(s, a, 158, eye - 48, 26, 50)
    z -= 14 * pair(s, a, 76, eye - 3, 46, 27) + 4 * pair(s, a, 36, eye - 12, 16, 24)
    z += 15 * pair(s, a, f.eye_dx, eye, 34, 22)
    y = (s.y - nose) * 118 / (nose + 16 - eye) + 650  # the bridge stretches from the eyes to the lip
    ridge, width, wide = along(y, NOSE_RIDGE), along(y, NOSE_WIDTH) * f.nose_width, f.nose_width
    z += ridge * np.exp(-0.5 * ((s.x - a) / width) ** 2)
    z += 8 * bump(s, a, nose - 8, 14, 12) + 15 * pair(s, a, 25 * wide, nose + 1, 8.5 * wide, 9.5, 10)
    z -= 6 * pair(s, a, 14 * wide, nose + 14, 8, 4, -14) + 2 * pair(s, a, 39 * wide, nose + 5, 5, 10, 12)
    z += 11 * pair(s, a, 106, nose - 46, 44, 30, -25) + 10 * pair(s, a, 84, nose - 10, 36, 32)
    z -= 3.2 * pair(s, a, 66, mouth - 30, 8, 26, 26) + 4 * pair(s, a, 118, mouth - 28, 26, 40)
    z += 15 * bump(s, a, mouth - 3, 50, 38) + 0.8 * pair(s, a, 10, mouth - 32, 4, 11)
    z -= 1.6 * bump(s, a, mouth - 32, 5, 11)
    return z + lip_relief(f, s) + 17 * bump(s, a, chin - 32, 40, 25) - 7 * bump(s, a, chin - 64, 38, 10)


def lip_relief(f: Face, s: Sheet) -> Plane:
    dx, half = np.abs(s.x - f.axis), f.lip_line[-1][0]
    line, top, bottom = f.lip_lines(s)
    upper = np.clip((line - s.y) / np.maximum(line - top, 0.6), 0, 1)
    lower = np.clip((s.y - line) / np.maximum(bottom - line, 0.6), 0, 1)
    full = np.where(s.y < line, 11 * np.sqrt(upper * (1 - upper)), 17 * np.sqrt(lower * (1 - lower)))
    crease = 5 * np.exp(-0.5 * ((s.y - line) / 2.4) ** 2) * np.clip((half + 3 - dx) / 14, 0, 1)
    rolled = full * np.clip(1 - dx / half, 0, 1) ** 0.5 - crease
    return soft(rolled.astype(np.float32), s, 1.1) - 4 * pair(s, f.axis, half + 3, f.mouth_y - 6, 9, 9)


def complexion(f: Face, s: Sheet) -> Colour:
    a, nose = f.axis, f.nose_y
    tone = np.broadcast_to(rgb(f.skin), (*s.shape, 3)).astype(np.float32)
    blood = pair(s, a, 100, nose - 14, 40, 30, -20) * 0.34 + bump(s, a, nose - 6, 20, 14) * 0.24
    tone = over(tone, tone * rgb("f4b4b4"), blood * (1.2 * f.blush) + bump(s, a, f.chin_y - 22, 26, 16) * 0.16)
    tone = over(tone, tone * rgb("fffae8") * 1.06, bump(s, a, f.eye_y - 128, 90, 60) * 0.4)
    tired = pair(s, a, 62, f.eye_y + 26, 24, 8, 14) * 0.25 + pair(s, a, 40, f.eye_y - 8, 12, 12) * 0.25
    tone = over(tone, tone * rgb("c8b4be"), tired + pair(s, a, f.eye_dx + 4, f.eye_y - 18, 34, 12) * 0.25)
    blotch = noise(s, 26, 26, 5) * 0.012 + noise(s, 7, 7, 6) * 0.008 + noise(s, 1.6, 1.6, 7) * 0.010
    return np.asarray(tone * (1 + blotch[..., None] * np.array([0.8, 1.0, 1.1], np.float32)))


def skin(
    s: Sheet, z: Plane, tone: Colour, lamps: Sequence[Lamp], shade: Plane, shine: Plane | float, edge: Plane | float
) -> Colour:
    """Lit skin. `shade`: key light that arrives; `shine`: oiliness; `edge`: where the rim lights reach."""
    n, pores = normals(z, s), normals(z + noise(s, 1.3, 1.3, 9) * 0.035, s)
    sky = occlusion(z, s, (6, 18, 44), 1.5)
    sheen = shade * (gloss(pores, lamps[0], 14) * 0.10 + gloss(pores, lamps[0], 60) * 0.16 * shine)
    sheen = (sheen + gloss(pores, lamps[1], 30) * 0.03) * sky
    return lit(n, tone, lamps, sky, shade, SKIN_BLEED, edge) + rgb("fff4e8") * sheen[..., None]


def paint_face(f: Face, s: Sheet, lamps: Sequence[Lamp], fringe: Plane) -> Colour:
    """The whole face; `fringe` is the mask of the hair that lies on it, for its shadow."""
    z, a = relief(f, s), f.axis
    shade = 0.18 + 0.82 * shadow_of(z, s, lamps[0].direction, 90, 2.2)
    shade *= 1 - 0.85 * soft(shifted(fringe, s, 13, 16), s, 10)
    shine = 0.25 + 0.6 * bump(s, a - 6, f.nose_y - 30, 14, 50) + bump(s, a - 30, f.eye_y - 128, 70, 40) * 0.5
    shine += pair(s, a, 110, f.nose_y - 54, 30, 16, -20) * 0.7
    edge = np.clip((np.abs(s.x - a) - 92) / 55, 0, 1) * 0.42
    colour = skin(s, z, complexion(f, s), lamps, shade, shine, edge)
    colour = lips(f, s, nose(f, s, colour), z, lamps)
    for side in (-1, 1):
        colour = brow(f, s, eye(f, s, colour, side), side)
    return colour * (1 - (soft(fringe, s, 7) * 0.5)[..., None] * np.array([0.8, 1.0, 1.1], np.float32))


def nose(f: Face, s: Sheet, colour: Colour) -> Colour:
    hole: Table = [(6, 14), (10, 10.5), (16, 9), (21, 10.5), (23, 13.5), (18, 15.5), (12, 15.5)]
    wing: Table = [(21, 14), (29, 14.5), (34.5, 10), (36.5, 3), (34, -4)]
    hole, wing = ([(dx * f.nose_width, dy) for dx, dy in table] for table in (hole, wing))
    for side in (-1, 1):
        nostril = soft(filled(s, curve(placed(hole, side, f.axis, f.nose_y), 60, closed=True)), s, 1.5)
        fold = soft(stroked(s, [curve(placed(wing, side, f.axis, f.nose_y), 30)], [3.6]), s, 1.5)
        colour = over(over(colour, rgb("8a4432"), fold * 0.34), rgb("3c140e"), nostril * 0.85)
    return colour


def lips(f: Face, s: Sheet, colour: Colour, z: Plane, lamps: Sequence[Lamp]) -> Colour:
    dx = np.abs(s.x - f.axis)
    line, top, bottom = f.lip_lines(s)
    half = [*f.lip_top, *f.lip_bottom[-2::-1]]
    area = soft(filled(s, both_sides(f.axis, [(x, f.mouth_y + y) for x, y in half])), s, 1.3)
    z = z + noise(s, 2.4, 16, 21) * 0.16 * area
    n = normals(z, s)
    depth = np.where(s.y < line, (line - s.y) / np.maximum(line - top, 1), (s.y - line) / np.maximum(bottom - line, 1))
    one = np.ones_like(area)
    tone = np.broadcast_to(rgb(f.lip), colour.shape)
    tone = over(tone, tone * rgb("b47880"), np.clip(1 - depth * 1.8, 0, 1) * 0.7)
    tone = over(tone, tone * rgb("e4c0c0"), (s.y < line) * one * 0.5)
    painted = lit(n, tone, lamps, occlusion(z, s, (3, 10, 30), 1.6), one, SKIN_BLEED, 0.0)
    streaks = bump(s, f.axis - 12, f.mouth_y + 13, 17, 3.2, -3) * 0.16 * (0.8 + 0.35 * noise(s, 2.2, 12, 22))
    painted = painted + rgb("fff0ec") * (gloss(n, lamps[0], 40) * 0.24 + streaks)[..., None]
    colour = over(colour, painted, area * 0.90)
    gap = np.exp(-0.5 * ((s.y - line) / (1.2 + 0.9 * np.clip(1 - dx / 60, 0, 1))) ** 2)
    gap *= np.clip((f.lip_line[-1][0] + 4 - dx) / 8, 0, 1)
    return over(colour, rgb("3a0d10"), (gap * 0.88).astype(np.float32))


# --- eyes and brows -------------------------------------------------------------------------------------------------


def eye(f: Face, s: Sheet, colour: Colour, side: int) -> Colour:
    """One eye with lids, crease and lashes; `side` is -1 for the picture's left."""
    upper, lower, crease = (f.eye_curve(table, side) for table in (f.upper_lid, f.lower_lid, f.crease))
    lid = soft(filled(s, np.concatenate([crease, upper[::-1]])), s, 2.0)
    colour = over(colour, colour * rgb("d69c88") * 1.25, lid * f.lid_tint)
    colour = over(colour, rgb("6b3226"), soft(stroked(s, [crease], [3.4]), s, 0.9) * 0.62)
    colour = over(colour, rgb("7a3c30"), soft(stroked(s, [lower + np.array([0, 3.0])], [4.0]), s, 1.6) * 0.20)
    colour = eyeball(f, s, colour, side)
    colour = over(colour, rgb("1a0b0a"), soft(lash_line(s, upper, side, f.lashes), s, 0.45) * 0.95)
    fine = soft(lashes(s, upper, side, 64, 12.5 * f.lashes, -1), s, 0.35)
    colour = over(colour, rgb("160a08"), fine * (0.75 * f.lashes))
    return over(colour, rgb("4a281e"), soft(lashes(s, lower, side, 26, 5.5, 1), s, 0.4) * (0.30 * f.lashes))


def eyeball(f: Face, s: Sheet, colour: Colour, side: int) -> Colour:
    """What is seen between the lids: white, iris, the upper lid's shadow, the wet edge of the lower one."""
    cx, cy, k = f.axis + side * f.eye_dx, f.eye_y, f.eye_scale / 1.10  # measured at a scale of 1.10
    upper, lower = f.eye_curve(f.upper_lid, side), f.eye_curve(f.lower_lid, side)
    opening = soft(filled(s, np.concatenate([upper, lower[::-1]])), s, 0.5)
    ball = np.sqrt(np.maximum(1 - (np.hypot(s.x - cx, s.y - cy) / (44 * k)) ** 2, 0.04))
    white = rgb("ecdfd8") * (ball**1.4 * (0.62 + 0.38 * np.clip((s.y - cy + 20 * k) / (22 * k), 0, 1)))[..., None]
    pink = bump(s, cx - side * 37 * k, cy + 4 * k, 6 * k, 5 * k) * 0.7
    pink = pink + bump(s, cx + side * 37 * k, cy, 6 * k, 6 * k) * 0.35
    colour = over(colour, over(white, rgb("c9706a"), pink), opening)
    colour = iris(f, s, colour, opening, side)
    cast = soft(shifted(1 - opening, s, 0, 6.0 * k), s, 2.6 * k) * opening
    colour = over(colour, rgb("2a1512"), cast * np.clip(1 - (s.y - (cy - 17 * k)) / (22 * k), 0, 1) * 0.72)
    wet = soft(stroked(s, [curve(lower - (0, 1.3), 40)[3:-3]], [2.0]), s, 0.5) * opening
    return over(colour, rgb("e0a090"), wet * 0.42)


def iris(f: Face, s: Sheet, colour: Colour, opening: Plane, side: int) -> Colour:
    (cx, cy), u = f.iris_middle(side), f.iris_radius / 18.5  # measured at a radius of 18.5
    dx, dy = s.x - cx, s.y - cy
    r, turn = np.hypot(dx, dy) / f.iris_radius, np.arctan2(dy, dx)
    fibre = np.random.default_rng(31).standard_normal(90)
    spokes = np.interp((turn / (2 * np.pi)) % 1 * 90, np.arange(91), np.append(fibre, fibre[0]))
    light = 0.55 + 0.75 * np.clip((dy * 0.8 + dx * 0.35) / f.iris_radius, -0.4, 1)
    light = light + 0.16 * spokes * np.clip(r - 0.3, 0, 1)
    ring, inner = (rgb(code) for code in f.iris)
    tone = over(np.broadcast_to(ring, colour.shape), inner, np.clip(1 - np.abs(r - 0.55) / 0.22, 0, 1) * 0.6)
    tone = tone * light[..., None]
    tone = over(tone, rgb("140a08"), np.clip((r - 0.80) / 0.18, 0, 1) * 0.9)
    tone = over(tone, rgb("050304"), np.clip((0.46 - r) / 0.06, 0, 1))
    colour = over(colour, tone, np.clip((1.03 - r) / 0.09, 0, 1) * opening)
    window = placed(np.array([(-9, -9.5), (-2.4, -10), (-2.2, -3), (-8.6, -3)]) * u, 1, cx, cy)
    small = bump(s, cx + 7 * u, cy + 6.5 * u, 2.4 * u, 1.8 * u) * 0.22
    small = small + bump(s, cx + 7.5 * u, cy - 6 * u, 1.4 * u, 1.8 * u) * 0.30
    spots = np.clip(soft(filled(s, window), s, 0.8 * u) * 0.95 + small, 0, 1)
    return over(colour, rgb("ffffff") * 1.15, spots * opening)


def lash_line(s: Sheet, upper: Points, side: int, strength: float) -> Plane:
    t = np.linspace(0, 1, len(upper))
    thick = (1.0 + 3.6 * np.sin(np.pi * (t * 0.92 + 0.08)) ** 0.7 * (0.5 + 0.5 * t))[:, None] * strength
    wing = upper[-1:] + np.array([[side * 5.0, -3.0]]) * strength
    return filled(s, np.concatenate([upper - thick * (0, 1), wing, upper[::-1] + np.array([0, 0.6])]))


def lashes(s: Sheet, lid: Points, side: int, count: int, length: float, down: int) -> Plane:
    rng = np.random.default_rng(41 + down)
    lines = []
    for t in np.linspace(0.06, 0.99, count):
        root = lid[int(t * (len(lid) - 1))] + (0, down * 0.5)
        tuft = (np.floor(t * count / 3) + 0.5) * 3 / count  # lashes lean together by threes
        lean = side * ((t - 0.36) * 1.7 + (tuft - t) * 7 + rng.normal(0, 0.05))
        reach = length * (0.30 + 0.75 * t**1.2) * rng.uniform(0.6, 1.15)
        tip = root + np.array([reach * lean, down * reach * (0.72 - 0.25 * t)])
        bend = root + np.array([reach * lean * 0.55, down * reach * (0.18 - 0.14 * t)])
        lines.append(curve([root, bend, tip], 12))
    return stroked(s, lines, [1.25 if down < 0 else 0.8] * count)


def brow(f: Face, s: Sheet, colour: Colour, side: int) -> Colour:
    rng = np.random.default_rng(51 + side)
    mid, t = f.brow_line(side), np.linspace(0, 1, 101)
    spread = np.interp(t, [0, 0.15, 0.5, 0.8, 1], [5.2, 6.8, 5.8, 3.2, 0.6]) * f.brow_weight
    dense = np.interp(t, [0, 0.22, 0.6, 1], [0.25, 0.85, 1.0, 0.8])
    for k in range(0, 99, 3):  # powder first
        piece = slice(k, k + 5)
        band = spread[piece, None] * (0, 0.8)
        patch = filled(s, np.concatenate([mid[piece] - band, (mid[piece] + band)[::-1]]))
        colour = over(colour, rgb(f.brow_hair), soft(patch, s, 2.8) * 0.46 * dense[k])
    for shade, strength, wide in ((1.0, 0.55, 1.3), (0.6, 0.60, 0.9)):
        lines, widths = [], []
        for i in rng.integers(0, 101, 330):
            if rng.random() > dense[i]:
                continue
            root = mid[i] + (rng.normal(0, 1.5), rng.uniform(-0.60, 0.95) * spread[i])
            up = np.interp(t[i], [0, 0.15, 0.5, 1], [0.85, 0.48, 0.12, -0.32]) + rng.normal(0, 0.10)
            reach = np.interp(t[i], [0, 0.3, 1], [9, 13, 10]) * rng.uniform(0.7, 1.1)
            away = np.array([side * np.cos(up), -np.sin(up)]) * reach
            lines.append(curve([root, root + away * 0.5 + (0, -1.0), root + away + (0, 1.2)], 8))
            widths.append(wide * rng.uniform(0.7, 1.1))
        colour = over(colour, rgb(f.brow_hair) * shade, soft(stroked(s, lines, widths), s, 0.45) * strength)
    return colour


# --- points ---------------------------------------------------------------------------------------------------------


def at(x: float, y: float) -> list[float]:
    return [round(float(x), 1), round(float(y), 1)]


def face_points(f: Face) -> dict[str, object]:
    """Mouth, eyes, brows, nose and chin from the numbers the drawing uses; picture-left first."""
    (corner, rise), line_y = f.lip_line[-1], f.mouth_y + f.lip_line[0][1]

    def eye_points(side: int) -> dict[str, object]:
        upper, lower = f.eye_curve(f.upper_lid, side), f.eye_curve(f.lower_lid, side)
        left, right = (upper[-1], upper[0]) if side < 0 else (upper[0], upper[-1])
        top, low = upper[upper[:, 1].argmin()], lower[lower[:, 1].argmax()]
        return {"left": at(*left), "right": at(*right), "upper": at(*top), "lower": at(*low),
                "iris": at(*f.iris_middle(side)), "iris_radius": f.iris_radius}  # fmt: skip

    mouth = {"left": (f.axis - corner, f.mouth_y + rise), "right": (f.axis + corner, f.mouth_y + rise),
             "upper_out": (f.axis, f.mouth_y + f.lip_top[0][1]), "upper_in": (f.axis, line_y),
             "lower_in": (f.axis, line_y), "lower_out": (f.axis, f.mouth_y + f.lip_bottom[0][1])}  # fmt: skip
    return {
        "mouth": {name: at(*place) for name, place in mouth.items()},
        "eyes": [eye_points(-1), eye_points(1)],
        "brows": [[at(*p) for p in f.brow_line(-1)[[100, 50, 0]]], [at(*p) for p in f.brow_line(1)[[0, 50, 100]]]],
        "nose": at(f.axis, f.nose_y - 6),
        "chin": at(f.axis, f.chin_y),
    }
