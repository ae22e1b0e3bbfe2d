"""Drawing by relief: curves, masks, height fields, light and strands, from which a picture is composed.

In: shapes in picture pixels (x right, y down). Out: linear RGB arrays, [H, W, 3],
at the sheet's supersampled size.
Never reads or writes files, never draws at random: every noise comes from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Plane = NDArray[np.floating[Any]]  # [H, W] at supersampled size
Colour = NDArray[np.floating[Any]]  # [3] or [H, W, 3], linear light
Points = NDArray[np.floating[Any]]  # [N, 2], picture pixels

SUBPIXEL_BITS = 4  # cv2 fixed-point coordinates: 1/16 of a supersampled pixel


@dataclass(frozen=True)
class Sheet:
    """A rectangle of the picture, `scale` samples per pixel; x0 and y0 are its corner in picture pixels."""

    x0: int
    y0: int
    width: int
    height: int
    scale: int

    @property
    def shape(self) -> tuple[int, int]:
        return self.height * self.scale, self.width * self.scale

    @property
    def x(self) -> Plane:
        return ((np.arange(self.shape[1], dtype=np.float32) + 0.5) / self.scale + self.x0)[None, :]

    @property
    def y(self) -> Plane:
        return ((np.arange(self.shape[0], dtype=np.float32) + 0.5) / self.scale + self.y0)[:, None]

    def cut(self, x0: int, y0: int, x1: int, y1: int) -> Sheet:
        return Sheet(x0, y0, x1 - x0, y1 - y0, self.scale)

    def window(self, part: Sheet) -> tuple[slice, slice]:
        top, left = (part.y0 - self.y0) * self.scale, (part.x0 - self.x0) * self.scale
        return slice(top, top + part.shape[0]), slice(left, left + part.shape[1])

    def fixed(self, points: Points) -> NDArray[np.int32]:
        moved = (np.asarray(points) - (self.x0, self.y0)) * self.scale - 0.5
        return np.round(moved * (1 << SUBPIXEL_BITS)).astype(np.int32)


def rgb(code: str) -> Colour:
    """Linear light of an sRGB hex code such as "e8bca2"."""
    return linear(np.array([int(code[i : i + 2], 16) for i in (0, 2, 4)], np.float32) / 255)


def linear(value: Colour) -> Colour:
    return np.asarray(np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4), np.float32)


def srgb(light: Colour) -> Colour:
    value = np.clip(light, 0, 1)
    return np.asarray(np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055), np.float32)


def curve(points: ArrayLike, count: int = 96, closed: bool = False) -> Points:
    """Catmull-Rom curve through any-dimensional points, `count` samples, even in the points' index."""
    p = np.asarray(points, np.float64)
    ends = (p[-1:], p[:2]) if closed else (2 * p[:1] - p[1:2], 2 * p[-1:] - p[-2:-1])
    q = np.concatenate([ends[0], p, ends[1]])
    spans = len(p) if closed else len(p) - 1
    t = np.linspace(0, spans, count, endpoint=not closed)
    i = np.minimum(t.astype(int), spans - 1)
    f = (t - i)[:, None]
    a, b, c, d = q[i], q[i + 1], q[i + 2], q[i + 3]
    shape = 2 * b + (c - a) * f + (2 * a - 5 * b + 4 * c - d) * f**2 + (3 * b - a - 3 * c + d) * f**3
    return np.asarray(0.5 * shape)


def along(sheet_axis: Plane, points: ArrayLike) -> Plane:
    """Height of the curve through (position, height) pairs at each position of an axis; flat beyond its ends."""
    c = curve(points, 256)
    return np.interp(sheet_axis, c[:, 0], c[:, 1]).astype(np.float32)


def mirror(points: ArrayLike, axis: float) -> Points:
    p = np.asarray(points, np.float64).copy()
    p[:, 0] = 2 * axis - p[:, 0]
    return p


def filled(sheet: Sheet, outline: Points) -> Plane:
    mask = np.zeros(sheet.shape, np.uint8)
    cv2.fillPoly(mask, [sheet.fixed(outline)], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return mask.astype(np.float32) / 255


def stroked(sheet: Sheet, lines: Sequence[Points], widths: Sequence[float]) -> Plane:
    """Strokes that taper from their given width (pixels) at a third of their length to nothing at the end."""
    mask = np.zeros(sheet.shape, np.uint8)
    for line, width in zip(lines, widths, strict=True):
        step = np.gradient(line, axis=0)
        side = np.stack([-step[:, 1], step[:, 0]], 1) / np.maximum(np.hypot(*step.T), 1e-6)[:, None]
        t = np.linspace(0, 1, len(line))
        half = (width / 2 * np.minimum(0.55 + 1.35 * t, (1 - t) * 1.5).clip(0.04, 1))[:, None]
        cv2.fillPoly(
            mask,
            [sheet.fixed(np.concatenate([line + side * half, (line - side * half)[::-1]]))],
            255,
            cv2.LINE_AA,
            SUBPIXEL_BITS,
        )
    return mask.astype(np.float32) / 255


def soft(plane: Plane, sheet: Sheet, radius: float) -> Plane:
    """Gaussian blur, radius in picture pixels; wide ones are done at reduced size."""
    factor = max(1, int(radius * sheet.scale / 6))
    if factor == 1:
        return np.asarray(cv2.GaussianBlur(plane, (0, 0), radius * sheet.scale, borderType=cv2.BORDER_REPLICATE))
    height, width = plane.shape[:2]
    small = cv2.resize(plane, (max(1, width // factor), max(1, height // factor)), interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), radius * sheet.scale / factor, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))


def shifted(plane: Plane, sheet: Sheet, dx: float, dy: float) -> Plane:
    move = np.array([[1, 0, dx * sheet.scale], [0, 1, dy * sheet.scale]], np.float32)
    return np.asarray(cv2.warpAffine(plane, move, plane.shape[::-1], borderMode=cv2.BORDER_REPLICATE))


def bump(sheet: Sheet, x: float, y: float, sx: float, sy: float, angle: float = 0.0) -> Plane:
    """Gaussian hill of height 1; `angle` in degrees turns its x axis clockwise."""
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    dx, dy = sheet.x - x, sheet.y - y
    return np.asarray(np.exp(-0.5 * (((dx * c + dy * s) / sx) ** 2 + ((dy * c - dx * s) / sy) ** 2)), np.float32)


def pair(sheet: Sheet, axis: float, dx: float, y: float, sx: float, sy: float, angle: float = 0.0) -> Plane:
    """The same hill on both sides of a vertical axis."""
    return bump(sheet, axis + dx, y, sx, sy, angle) + bump(sheet, axis - dx, y, sx, sy, -angle)


def noise(sheet: Sheet, size_x: float, size_y: float, seed: int) -> Plane:
    """Smooth noise of mean 0 and deviation 1, grains of the given size in pixels."""
    height, width = sheet.shape
    cells = max(4, int(sheet.height / size_y) + 3), max(4, int(sheet.width / size_x) + 3)
    grain = np.random.default_rng(seed).standard_normal(cells).astype(np.float32)
    plane = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray((plane - plane.mean()) / plane.std())


def inflated(sheet: Sheet, outline: Points, power: float = 0.5) -> Plane:
    """Pillow over an outline, 1 at its highest: an ellipse becomes an ellipsoid (root of Poisson's equation)."""
    mask = filled(sheet, outline)
    height, width = sheet.height // 2, sheet.width // 2
    level: Plane = np.zeros((1, 1), np.float32)
    kernel = np.array([[0, 0.25, 0], [0.25, 0, 0.25], [0, 0.25, 0]], np.float32)
    for part in (16, 8, 4, 2, 1):  # coarse to fine; each level starts from the one before
        size = max(4, width // part), max(4, height // part)
        inside = cv2.resize(mask, size, interpolation=cv2.INTER_AREA)
        level = np.asarray(cv2.resize(level, size, interpolation=cv2.INTER_LINEAR), np.float32)
        for _ in range(240):
            near = np.asarray(cv2.filter2D(level, -1, kernel, borderType=cv2.BORDER_REPLICATE), np.float32)
            level = (near + part * part) * inside
    full = cv2.resize(level, sheet.shape[::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray((np.maximum(full, 0) / full.max()) ** power, np.float32)


def normals(z: Plane, sheet: Sheet) -> Colour:
    gx = cv2.Sobel(z, cv2.CV_32F, 1, 0, ksize=3) / 8 * sheet.scale
    gy = cv2.Sobel(z, cv2.CV_32F, 0, 1, ksize=3) / 8 * sheet.scale
    n = np.stack([-gx, -gy, np.ones_like(z)], -1)
    return np.asarray(n / np.linalg.norm(n, axis=-1, keepdims=True))


def occlusion(z: Plane, sheet: Sheet, radii: Sequence[float], strength: float) -> Plane:
    """Light that reaches a hollow: 1 on open ground, less where the surroundings stand higher."""
    hollow = sum(np.maximum(soft(z, sheet, r) - z, 0) / r for r in radii)
    return np.asarray(np.exp(-strength * hollow), np.float32)


def shadow_of(z: Plane, sheet: Sheet, light: Colour, reach: float, softness: float) -> Plane:
    """Light left after the relief's own cast shadow, marched towards the light over `reach` pixels."""
    blocked = np.zeros_like(z)
    flat = float(np.hypot(light[0], light[1]))
    for distance in np.geomspace(3, reach, 14):
        ahead = shifted(z, sheet, -light[0] / flat * distance, -light[1] / flat * distance)
        rise = distance * float(light[2]) / flat
        blocked = np.maximum(blocked, (ahead - z - rise) / (softness * (4 + 0.25 * distance)))
    return soft(1 - np.clip(blocked, 0, 1), sheet, 1.5)


@dataclass(frozen=True)
class Lamp:
    """A light: where it stands (x right, y down, z to the viewer), its colour, how far it wraps round edges.

    A rim light stands behind and shows only where the surface turns away.
    """

    towards: tuple[float, float, float]
    colour: Colour
    wrap: float = 0.3
    rim: bool = False

    @property
    def direction(self) -> Colour:
        d = np.asarray(self.towards, np.float32)
        return d / np.linalg.norm(d)


def lit(
    n: Colour,
    albedo: Colour,
    lamps: Sequence[Lamp],
    open_sky: Plane,
    shade: Plane,
    bleed: Colour,
    edge: Plane | float = 1.0,
) -> Colour:
    """Diffuse light. `shade` dims the first lamp, `edge` the rim lights; `bleed` adds wrap per channel (as in skin)."""
    total = np.zeros_like(n)
    for index, lamp in enumerate(lamps):
        wrap = 0 if lamp.rim else lamp.wrap + bleed
        facing = (n @ lamp.direction)[..., None]
        amount = np.clip((facing + wrap) / (1 + wrap), 0, None) ** 1.25
        if lamp.rim:
            amount = amount * (np.clip(1.15 - n[..., 2], 0, 1) ** 2 * edge)[..., None]
        total += amount * lamp.colour * (shade[..., None] if index == 0 else 1)
    tint = open_sky[..., None] ** (1 / (1 + 2 * bleed))
    return albedo * total * tint


def gloss(n: Colour, lamp: Lamp, power: float) -> Plane:
    half = lamp.direction + np.array([0, 0, 1], np.float32)
    half /= np.linalg.norm(half)
    return np.asarray(np.clip(n @ half, 0, 1) ** power, np.float32)


def over(below: Colour, colour: Colour, alpha: Plane) -> Colour:
    return below + (colour - below) * alpha[..., None]


def out_of_focus(sheet: Sheet, x: float, y: float, radius: float) -> Plane:
    """A point of light before or behind the focal plane: a disc with a brighter rim."""
    turn = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    ring = np.stack([x + radius * np.cos(turn), y + radius * np.sin(turn)], 1)
    disc = soft(filled(sheet, ring), sheet, 1.6)
    rim = np.clip(disc - soft(disc, sheet, radius * 0.22), 0, 1)
    return np.asarray(disc * 0.75 + rim * 1.2)


def laid(
    picture: Colour, page: Sheet, s: Sheet, colour: Colour, mask: Plane, depth: float, ground: Plane | float
) -> Colour:
    """The page's picture with a piece laid down on its part `s`, and the soft shadow the piece casts on the ground."""
    window = page.window(s)
    cast = np.maximum(soft(shifted(mask, s, depth * 0.6, depth), s, depth * 0.8) * 0.6, soft(mask, s, 3) * 0.7)
    picture[window] = over(picture[window] * (1 - (cast * ground)[..., None]), colour, mask)
    return picture


def settled(picture: Colour, page: Sheet, pivot: float, top: float, drop: float) -> Colour:
    """Let the shoulders lean about an upright pivot, `drop` pixels in half the width: nobody sits quite straight.

    Nothing above `top` moves.
    """
    x, y = np.broadcast_arrays(page.x, page.y)
    share = np.clip((y - top) / 160, 0, 1)
    lower = drop * (x - pivot) / (page.width / 2) * share**2 * (3 - 2 * share)
    place = (x * page.scale - 0.5).astype(np.float32), ((y - lower) * page.scale - 0.5).astype(np.float32)
    return np.asarray(cv2.remap(picture, *place, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE))


def enlarged(picture: Colour, page: Sheet) -> Colour:
    """What was painted small, because it is blurred, at the page's size."""
    return np.asarray(cv2.resize(picture, page.shape[::-1], interpolation=cv2.INTER_CUBIC), np.float32)


def between(guides: Sequence[Points], places: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Strands [P, count, 2] at `places` in 0..1 across an ordered family of guide curves."""
    family = np.stack([curve(g, count) for g in guides])
    dense = curve(family.reshape(len(guides), -1), 128)
    at = places * 127
    i = at.astype(int).clip(0, 126)  # places beyond the ends go on in a straight line
    f = (at - i)[:, None]
    return np.asarray(dense[i] * (1 - f) + dense[i + 1] * f).reshape(len(places), count, 2)


def strands(sheet: Sheet, lines: NDArray[np.float64], colours: Colour, widths: NDArray[np.int64]) -> Colour:
    """Draw lines [P, M, 2] with linear colours [P, M, 3] in order; returns premultiplied sRGB and alpha [H, W, 4]."""
    layer = np.zeros((*sheet.shape, 4), np.uint8)
    at = sheet.fixed(lines)
    paint = np.concatenate([srgb(colours) * 255, np.full((*colours.shape[:2], 1), 255)], -1)
    thin_from = lines.shape[1] * 2 // 3  # tips taper
    for line, tones, width in zip(at.tolist(), paint.tolist(), widths.tolist(), strict=True):
        for index, (start, end, tone) in enumerate(zip(line, line[1:], tones, strict=False)):
            cv2.line(layer, start, end, tone, width if index < thin_from else 1, cv2.LINE_AA, SUBPIXEL_BITS)
    return layer.astype(np.float32) / 255


def film(light: Colour) -> Colour:
    """Exposure curve: straight in the shadows and middle tones, rolled off towards white."""
    knee = 0.62
    above = np.maximum(light - knee, 0)
    return np.asarray(np.minimum(light, knee) + (1 - knee) * (1 - np.exp(-above / (1 - knee))))
