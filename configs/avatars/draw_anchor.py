"""Draws the man that ships with the project, of clay and wool: anchor.png and anchor.json.

Run `python configs/avatars/draw_anchor.py`; the same pixels come out each time. Coordinates are pixels of the picture,
tables (distance from the axis, y).
"""

from __future__ import annotations

import numpy as np
from face import Face, at, both_sides, face_points, paint_face, placed, relief, skin
from hair import brush
from painting import (
    Colour,
    Lamp,
    Plane,
    Sheet,
    along,
    bump,
    curve,
    enlarged,
    filled,
    film,
    inflated,
    laid,
    noise,
    over,
    rgb,
    settled,
    shifted,
    soft,
)
from presenter import AXIS, SIZE, header, page, write
from wool import felted, fibres, knitted, ragged, round_body

SCALE = 2  # samples per pixel and axis; the picture is reduced at the end
PICTURE = page(SCALE)
HEAD = PICTURE.cut(200, 180, 696, 890)
NAPE = PICTURE.cut(220, 720, 676, 1080)
CHEST = PICTURE.cut(0, 840, *SIZE)

KEY = Lamp((-0.44, -0.56, 0.70), rgb("fff1e0") * 1.28, 0.40)
FILL = Lamp((0.78, -0.05, 0.60), rgb("d8dcf0") * 0.22, 0.45)
FRONT = Lamp((0.05, 0.18, 1.0), rgb("ffeadc") * 0.16, 0.60)
BOUNCE = Lamp((0.10, 0.90, 0.35), rgb("ffd0b4") * 0.20, 0.30)
DAY_RIM = Lamp((0.93, -0.30, -0.14), rgb("ffe9cc") * 1.9, rim=True)
SKY_RIM = Lamp((-0.95, -0.22, -0.20), rgb("cfe4ff") * 1.0, rim=True)
LAMPS = (KEY, FILL, FRONT, BOUNCE, DAY_RIM, SKY_RIM)

WOOL, IVORY = "211814", "e6d6ba"
STITCH = (21.0, 17.0)  # a stitch of the sweater, width and height
CABLES = 104.0  # of the two cables from the middle, pixels round the body

# fmt: off
ANCHOR = Face(
    axis=AXIS, brow_y=(493.0, 494.5), eye_y=556.0, eye_dx=79.0, eye_scale=1.18, iris_radius=20.5, nose_y=660.0,
    mouth_y=730.0,
    half_outline=[(0, 262), (72, 266), (128, 296), (160, 358), (172, 440), (174, 520), (171, 590), (166, 652),
                  (156, 708), (136, 758), (104, 800), (62, 828), (26, 836), (0, 837)],
    upper_lid=[(-39, 4.5), (-31, -3.5), (-19, -10.5), (-3, -14), (13, -13.4), (27, -8.6), (35, -3.6), (39, -1)],
    lower_lid=[(-39, 4.5), (-28, 8.6), (-12, 11.6), (4, 12.4), (19, 10.6), (31, 5.6), (39, -1)],
    crease=[(-38, -5), (-28, -13.5), (-12, -21), (6, -23), (24, -18.5), (38, -9.5), (46, -2)],
    brow=[(-44, 4), (-22, -4), (4, -9), (26, -9.5), (44, -4), (55, 4)],
    lip_line=[(0, 1), (12, 1.4), (26, 1.8), (42, 0), (56, -4), (66, -7.5)],
    lip_top=[(0, -13), (6, -14), (13, -16), (22, -14.5), (38, -10.5), (52, -8.5), (66, -7.5)],
    lip_bottom=[(0, 22), (14, 21.5), (28, 18), (44, 9.5), (56, 0), (66, -7.5)],
    skin="986a4e", lip="82493f", iris=("2c160c", "6a3c1c"), brow_hair="140c09",
    nose_width=1.3, brow_weight=1.55, lashes=0.3, lid_tint=0.12, blush=0.5,
)
SKULL = [(0, 212), (80, 220), (142, 256), (182, 326), (195, 420), (192, 500), (184, 560), (178, 640), (160, 712),
         (106, 802), (0, 837)]
HAIR = [(0, 212), (80, 220), (142, 256), (182, 326), (195, 420), (192, 500), (184, 556), (180, 592), (166, 592),
        (163, 545), (157, 500), (148, 462), (146, 424), (138, 396), (110, 374), (58, 367), (0, 369)]
BEARD = [(0, 699), (34, 693), (68, 703), (104, 712), (136, 700), (155, 652), (161, 590), (164, 540), (178, 540),
         (177, 600), (173, 656), (163, 712), (143, 764), (111, 808), (67, 838), (28, 847), (0, 848)]
EAR = [(-14, -52), (4, -66), (22, -68), (36, -54), (41, -26), (36, 4), (27, 32), (17, 54), (4, 62), (-10, 52), (-14, 0)]
NECK = [(0, 720), (110, 732), (117, 800), (117, 890), (124, 980), (0, 1000)]
COLLAR = [(0, 902), (62, 897), (106, 884), (130, 866), (148, 872), (158, 910), (154, 952), (132, 990), (66, 1016),
          (0, 1024)]
LINING = [(0, 846), (70, 848), (118, 856), (142, 872), (134, 900), (0, 920)]
TORSO = [(0, 880), (112, 892), (190, 938), (300, 988), (370, 1040), (412, 1126), (434, 1260), (450, 1420), (470, 1800),
         (0, 1800)]
SLEEVE = [(300, 992), (366, 1032), (414, 1108), (440, 1230), (458, 1400), (480, 1800), (372, 1800), (352, 1480),
          (332, 1360), (314, 1240), (302, 1140), (294, 1060)]
# fmt: on


# --- the room -------------------------------------------------------------------------------------------------------


def room() -> Colour:
    """A plastered wall with the light of a window on it, and the shadow of a plant before the window."""
    small = page(1)
    x, y = small.x / SIZE[0], small.y / SIZE[1]
    wall: Colour = rgb("6f90ae") * (1.0 - 0.5 * y[..., None]) * (1.05 - 0.25 * x[..., None])
    wall = wall + rgb("a8c0d8") * (bump(small, 180, 300, 300, 420) * 0.12)[..., None]
    light = np.zeros(small.shape, np.float32)
    for left in (-70, 156, 600):
        for top in (-20, 300, 620):
            corners = [(left, top + 40), (left + 206, top - 60), (left + 206, top + 236), (left, top + 336)]
            light = np.maximum(light, filled(small, np.array(corners, float)))
    rng, turn = np.random.default_rng(23), np.linspace(0, 2 * np.pi, 40, endpoint=False)
    for _ in range(30):
        middle = rng.choice([rng.uniform(-20, 230), rng.uniform(660, 920)]), rng.uniform(-20, 900)
        long, angle = rng.uniform(46, 100), rng.uniform(0.2, 1.3)
        leaf = np.stack([long * np.cos(turn), long * 0.24 * np.sin(turn)], 1)
        turned = leaf @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        light = light * (1 - 0.7 * soft(filled(small, turned + middle), small, 4))
    wall = wall + rgb("ffd6a8") * (soft(light, small, 12) * 0.26 * (1.1 - 0.5 * y) * (1.1 - 0.7 * x))[..., None]
    return enlarged(soft(wall.astype(np.float32), small, 3), PICTURE)


# --- neck and clothes -----------------------------------------------------------------------------------------------


def neck(picture: Colour) -> Colour:
    s = NAPE
    z = 96 * np.sqrt(np.clip(1 - ((s.x - AXIS) / 132) ** 2, 0.02, 1)) + 4 * bump(s, AXIS, 890, 20, 40)
    tone = np.broadcast_to(rgb(ANCHOR.skin) * 0.94, (*s.shape, 3))
    outline, window = both_sides(AXIS, NECK), PICTURE.window(s)
    lining = knitwear(s, 3 * knitted(round_body(s, AXIS, 180), s.y, 9.5, 15), 73) * 0.45
    picture[window] = over(picture[window], lining, soft(filled(s, both_sides(AXIS, LINING)), s, 0.8))
    colour = skin(s, z.astype(np.float32), tone, LAMPS, np.clip(1 - under_jaw(s), 0.08, 1), 0.2, 0.4)
    colour = colour * (1 - 0.4 * under_jaw(s))[..., None]
    picture[window] = over(picture[window], colour, filled(s, outline))
    return picture


def under_jaw(s: Sheet) -> Plane:
    """The head's shadow on what is below it."""
    jaw = filled(s, ANCHOR.outline())
    cast, contact = soft(shifted(jaw, s, 24, 62), s, 14) * 0.75, soft(shifted(jaw, s, 4, 12), s, 12) * 0.5
    return np.asarray(np.clip(cast + contact, 0, 1))


def sweater(picture: Colour) -> Colour:
    s = CHEST
    outline = both_sides(AXIS, TORSO)
    z = 130 * inflated(s, outline, 0.42) + 5 * noise(s, 110, 170, 51)
    u, v = round_body(s, AXIS, 520), s.y + 0.0004 * (s.x - AXIS) ** 2
    colour = knitwear(s, z + stitches(u, v), 53)
    picture = laid(picture, PICTURE, s, colour, soft(filled(s, outline), s, 0.9), 10, 0.0)
    ground = filled(s, outline)
    for side in (-1, 1):
        outline = curve(placed(SLEEVE, side, AXIS, 0), 160)
        arm = 66 * inflated(s, outline, 0.5) + 5 * noise(s, 70, 60, 57 + side)
        lean = (s.x - AXIS) * side - 0.11 * (s.y - 1000)
        arm = arm + 4.2 * knitted(lean, s.y + 0.11 * side * (s.x - AXIS), *STITCH)
        picture = laid(picture, PICTURE, s, knitwear(s, arm, 60 + side), soft(filled(s, outline), s, 0.9), 10, ground)
    return collar(picture)


def stitches(u: Plane, v: Plane) -> Plane:
    """Stocking stitch with a cable on each side of the middle."""
    aside = np.abs(u) - CABLES
    phase = 2 * np.pi * v / 116
    turns = [(k * 17 * np.sin(phase), 10 + 3 * k * np.cos(phase)) for k in (-1, 1)]
    ropes = [height * np.exp(-0.5 * ((aside - place) / 9.5) ** 2) for place, height in turns]
    cable = np.maximum(*ropes) + 1.6 * knitted(aside, v, 13, STITCH[1])
    share = np.clip((42 - np.abs(aside)) / 4, 0, 1)
    return np.asarray(share * (cable - 3) + (1 - share) * 4.2 * knitted(u, v, *STITCH))


def collar(picture: Colour) -> Colour:
    s = NAPE
    outline = both_sides(AXIS, COLLAR)
    u, v = round_body(s, AXIS, 180), s.y + 0.0018 * (s.x - AXIS) ** 2
    z = 56 * inflated(s, outline, 0.45) + 5.5 * np.sin(2 * np.pi * u / 19) + 1.6 * knitted(u, v, 9.5, 15)
    colour = knitwear(s, z, 71) * (1 - 0.75 * under_jaw(s))[..., None]
    return laid(picture, PICTURE, s, colour, soft(filled(s, outline), s, 0.8), 9, filled(s, both_sides(AXIS, TORSO)))


def knitwear(s: Sheet, z: Plane, seed: int) -> Colour:
    tone = np.broadcast_to(rgb(IVORY) * 0.74, (*s.shape, 3))
    colour = felted(s, z.astype(np.float32), tone, LAMPS, seed, 1.0, 0.4, 0.3)
    return colour * along(s.y, [(880, 1.05), (1080, 1.0), (1300, 0.82), (1536, 0.6)])[..., None]


# --- the head -------------------------------------------------------------------------------------------------------


def ear(picture: Colour, side: int) -> Colour:
    s = HEAD
    outline = curve(placed(EAR, side, AXIS + side * 172, 578), 80, closed=True)
    mask = soft(filled(s, outline), s, 0.7)
    middle = np.array((AXIS + side * 180, 576.0))
    inner = soft(filled(s, (outline - middle) * (0.62, 0.70) + middle), s, 2.5)
    z = 34 * inflated(s, outline, 0.5) - 15 * inner + 5 * bump(s, AXIS + side * 178, 590, 5, 20, side * 16)
    z = z + 5 * bump(s, AXIS + side * 186, 628, 10, 10)
    tone = np.broadcast_to(rgb(ANCHOR.skin), (*s.shape, 3)) * (1 - 0.25 * inner)[..., None]
    colour = skin(s, z.astype(np.float32), tone, LAMPS, 0.85 - 0.45 * inner, 0.3, 0.5)
    return laid(picture, PICTURE, s, colour, mask, 5, 0.0)


def woolly(picture: Colour, z: Plane, mask: Plane, curls: float, seed: int, flow: float, spread: float) -> Colour:
    """Wool over a part of the head: tight curls as relief, then the fibres."""
    s = HEAD
    z = z + curls * (noise(s, 9, 9, seed) + 0.6 * noise(s, 4.5, 4.5, seed + 1))
    tone = np.broadcast_to(rgb(WOOL), (*s.shape, 3))
    colour = felted(s, z.astype(np.float32), tone, LAMPS, seed + 2, 1.0, 0.5)
    window = PICTURE.window(s)
    picture[window] = over(picture[window], colour, mask)
    even = colour * 0.5 + rgb(WOOL) * 0.4  # none black at the edge, where the relief turns away
    hairs = fibres(s, even, mask, int(mask.mean() * s.width * s.height / 9), 9, seed + 6, flow, spread, 1.5, 0.32)
    return brush(picture, PICTURE, s, *hairs, seed + 7)


def beard_mask(s: Sheet) -> Plane:
    """Where the beard grows: thinner towards its borders, and not on the lips."""
    f = ANCHOR
    rim = [(x, f.mouth_y + y - 1) for x, y in f.lip_top] + [(x, f.mouth_y + y + 3) for x, y in f.lip_bottom[-2::-1]]
    bare = filled(s, both_sides(AXIS, rim))
    return ragged(filled(s, both_sides(AXIS, BEARD)) * (1 - bare), s, 5, 33)


def head(picture: Colour) -> Colour:
    s, window = HEAD, PICTURE.window(HEAD)
    hair = ragged(filled(s, both_sides(AXIS, HAIR)), s, 2.5, 35)
    face = paint_face(ANCHOR, s, LAMPS, hair * 0.4)
    picture[window] = over(picture[window], face, soft(filled(s, ANCHOR.outline()), s, 0.7))
    beard = beard_mask(s)
    picture = woolly(picture, relief(ANCHOR, s) + 6 * soft(beard, s, 5), beard * 0.86, 1.2, 101, np.pi / 2, 0.9)
    return woolly(picture, 200 * inflated(s, both_sides(AXIS, SKULL), 0.46), hair, 2.2, 121, 0.0, 3.2)


# --- the whole ------------------------------------------------------------------------------------------------------


def paint() -> Colour:
    picture = sweater(neck(room()))
    for side in (-1, 1):
        picture = ear(picture, side)
    return film(settled(head(picture), PICTURE, 0, 920, 8))


def points() -> dict[str, object]:
    """The places an animator needs, from the same numbers the drawing used."""
    return {
        **header("anchor"),
        **face_points(ANCHOR),
        "face": [at(*p) for p in ANCHOR.outline()[::6]],
        "head": [at(*p) for p in ANCHOR.outline(0.18)[::6]],
        "shoulders_y": 1040,
    }


if __name__ == "__main__":
    write("anchor", paint(), points())
