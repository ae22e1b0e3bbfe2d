"""Draws the mascot that ships with the project, a red panda of felt in a knitted sweater: panda.png and panda.json.

Run `python configs/avatars/draw_panda.py`; the same pixels come out each time. Coordinates are pixels of the picture,
tables (distance from the axis, y).
"""

from __future__ import annotations

import numpy as np
from face import Face, Table, arch, at, both_sides, eyeball, face_points, placed
from hair import brush
from painting import (
    Colour,
    Lamp,
    Plane,
    Points,
    Sheet,
    along,
    bump,
    curve,
    enlarged,
    filled,
    film,
    gloss,
    inflated,
    laid,
    lit,
    noise,
    normals,
    occlusion,
    out_of_focus,
    over,
    pair,
    rgb,
    settled,
    shadow_of,
    shifted,
    soft,
    stroked,
)
from presenter import AXIS, SIZE, header, page, write
from wool import FELT_BLEED, felted, fibres, knit_row, knitted, ragged, round_body

SCALE = 2  # samples per pixel and axis; the picture is reduced at the end
PICTURE = page(SCALE)
HEAD = PICTURE.cut(36, 130, 860, 940)
COLLAR = PICTURE.cut(150, 760, 746, 1330)
BODY = PICTURE.cut(0, 820, *SIZE)

KEY = Lamp((-0.46, -0.58, 0.67), rgb("fff0da") * 1.08, 0.34)
FILL = Lamp((0.78, -0.05, 0.60), rgb("b8dcd0") * 0.26, 0.45)
FRONT = Lamp((0.05, 0.15, 1.0), rgb("fff0e0") * 0.14, 0.60)
BOUNCE = Lamp((0.10, 0.90, 0.35), rgb("ffd9a8") * 0.16, 0.30)
SUN_RIM = Lamp((0.92, -0.36, -0.14), rgb("ffdf8c") * 1.7, rim=True)
LEAF_RIM = Lamp((-0.94, -0.24, -0.20), rgb("b6f0c8") * 1.0, rim=True)
LAMPS = (KEY, FILL, FRONT, BOUNCE, SUN_RIM, LEAF_RIM)

RUST, DARK, CREAM = "c4602c", "5e2613", "ecdcc6"
PETROL, OCHRE, INK = "1f6a74", "e0a534", "23272e"

# fmt: off
PANDA = Face(
    axis=AXIS, brow_y=(446.0, 448.0), eye_y=562.0, eye_dx=118.0, eye_scale=1.60, iris_radius=39.0, nose_y=672.0,
    mouth_y=744.0, iris=("4a240e", "b8742e"),
    half_outline=[(0, 318), (92, 322), (172, 348), (236, 404), (276, 482), (302, 560), (320, 640), (306, 706),
                  (258, 774), (182, 830), (86, 858), (0, 862)],
    upper_lid=arch(39, -26, 0.74, 3), lower_lid=arch(39, 24, 0.54, 3), crease=arch(43, -52, 0.70, 3),
    brow=[(-50, 16), (-26, -2), (0, -10), (30, -4), (58, 18)],
    lip_line=[(0, 6), (22, 10), (46, 8), (70, -3), (90, -20)],
    lip_top=[(0, 0), (22, 4), (46, 3), (70, -6), (90, -20)],
    lip_bottom=[(0, 25), (22, 27), (46, 22), (70, 6), (90, -20)],
)
EAR = [(108, 400), (124, 306), (162, 224), (212, 176), (268, 170), (306, 226), (322, 312), (318, 404), (292, 474),
       (220, 474), (150, 440)]
EAR_INSIDE = [(166, 392), (176, 304), (206, 240), (246, 210), (274, 236), (288, 304), (286, 388), (248, 424),
              (196, 418)]
MUZZLE = [(0, 630), (44, 638), (84, 664), (114, 704), (122, 748), (104, 792), (62, 820), (0, 828)]
CHEEK = [(190, 630), (216, 586), (262, 566), (306, 590), (326, 650), (306, 710), (256, 762), (204, 784), (174, 760),
         (180, 700)]
TEAR = [(66, 604), (110, 618), (152, 638), (170, 700), (164, 770), (128, 812), (106, 796), (124, 744), (118, 700),
        (92, 656)]
BROW = [(64, 468), (80, 440), (118, 423), (158, 435), (180, 470), (150, 460), (118, 452), (88, 463)]
NOSE = [(0, -26), (26, -28), (45, -17), (43, 0), (27, 15), (10, 23), (0, 25)]
NOSTRIL = [(11, 6), (16, -1), (26, -3), (32, 2), (26, 7), (17, 10)]
HOOP_TOP = [(0, 290), (110, 296), (206, 330), (284, 394), (332, 476)]
HOOP_LOW = [(0, 326), (100, 332), (184, 362), (256, 420), (304, 500)]
CUSHION = [(286, 486), (310, 466), (332, 484), (338, 540), (332, 596), (310, 616), (288, 598), (278, 540)]
SHELL = [(318, 462), (350, 446), (378, 470), (390, 540), (378, 610), (350, 634), (320, 618), (312, 540)]
OUTLINE = [(0, 266), (84, 268), (112, 240), (156, 188), (224, 146), (292, 150), (332, 220), (344, 330), (352, 420),
           (398, 470), (404, 550), (392, 640), (340, 728), (280, 806), (194, 868), (90, 894), (0, 898)]

TORSO = [(0, 840), (120, 850), (196, 892), (262, 962), (312, 1060), (346, 1190), (368, 1340), (380, 1560), (380, 1800),
         (0, 1800)]
SLEEVE = [(210, 912), (272, 958), (334, 1048), (376, 1180), (400, 1330), (412, 1560), (412, 1800), (286, 1800),
          (274, 1480), (262, 1330), (240, 1190), (214, 1060), (200, 970)]
SCARF = [(0, 800), (150, 790), (216, 800), (252, 836), (250, 886), (208, 942), (120, 986), (0, 1000)]
SCARF_END = [(46, 950), (96, 940), (150, 950), (172, 1040), (184, 1130), (188, 1232), (76, 1242), (66, 1130),
             (54, 1040)]
# fmt: on


# --- the wood -------------------------------------------------------------------------------------------------------


def wood() -> Colour:
    """A wood in the morning, far out of focus."""
    small = page(1)
    x, y = small.x / SIZE[0], small.y / SIZE[1]
    ground: Colour = rgb("1f4f49") * (1.15 - 0.7 * y[..., None]) * (1.1 - 0.35 * x[..., None])
    ground = ground + rgb("d6dc86") * (bump(small, 210, 150, 260, 330) * 0.42)[..., None]
    ground = ground + rgb("e8c070") * (bump(small, 860, 420, 190, 420) * 0.30)[..., None]
    ground = ground + rgb("4c9c90") * (bump(small, 40, 900, 240, 300) * 0.22)[..., None]
    for left, right, lean, strength in ((96, 150, -30, 0.5), (664, 716, 20, 0.38), (800, 878, 44, 0.5)):
        trunk = np.array([(left, -40), (right, -40), (right + lean, 1560), (left + lean, 1560)], float)
        ground = over(ground, rgb("0f2c2a"), soft(filled(small, trunk), small, 16) * strength)
    rng = np.random.default_rng(17)
    for _ in range(54):
        left = rng.random() < 0.5
        area = (-20, 330, -40, 700) if left else (560, 920, -40, 1000)
        centre = rng.uniform(*area[:2]), rng.uniform(*area[2:])
        radius, strength = rng.uniform(12, 52), rng.uniform(0.03, 0.17)
        tone = rgb(("e6ec9a", "9ed8a8", "ffe6a0")[int(rng.integers(3))])
        ground = ground + tone * (out_of_focus(small, *centre, radius) * strength)[..., None]
    return enlarged(soft(ground.astype(np.float32), small, 3), PICTURE)


# --- what it wears --------------------------------------------------------------------------------------------------


def sweater(picture: Colour) -> Colour:
    s = BODY
    outline = both_sides(AXIS, TORSO)
    z = 150 * inflated(s, outline, 0.45) + 5 * noise(s, 120, 160, 51)
    u, v = round_body(s, AXIS, 440), s.y + 0.0005 * (s.x - AXIS) ** 2
    colour = knitwear(s, z, u, v, 53)
    picture = laid(picture, PICTURE, s, colour, soft(filled(s, outline), s, 1.0), 10, 0.0)
    ground = filled(s, outline)
    for side in (-1, 1):
        outline = curve(placed(SLEEVE, side, AXIS, 0), 160)
        arm = 74 * inflated(s, outline, 0.5) + 4 * noise(s, 60, 110, 57 + side)
        lean = (s.x - AXIS) * side - 0.13 * (s.y - 900)
        colour = knitwear(s, arm, lean, s.y + 0.13 * side * (s.x - AXIS), 60 + side)
        picture = laid(picture, PICTURE, s, colour, soft(filled(s, outline), s, 1.0), 12, ground)
    return picture


def knitwear(s: Sheet, z: Plane, u: Plane, v: Plane, seed: int) -> Colour:
    row = knit_row(u, v, 23, 18)
    stripe = ((row == 66) | (row == 67) | (row == 70) | (row == 71)).astype(np.float32)
    tone = over(np.broadcast_to(rgb(PETROL), (*s.shape, 3)), rgb(CREAM) * 0.86, stripe)
    colour = felted(s, (z + 4.6 * knitted(u, v, 23, 18)).astype(np.float32), tone, LAMPS, seed, 1.0, 0.4, 0.3)
    return colour * along(s.y, [(880, 1.1), (1100, 1.0), (1300, 0.82), (1536, 0.58)])[..., None]


def scarf(picture: Colour) -> Colour:
    s = COLLAR
    ground = filled(s, both_sides(AXIS, TORSO))
    end = curve(placed(SCARF_END, 1, AXIS, 0), 120)
    z = 34 * inflated(s, end, 0.4) + 6 * knitted(s.x - 0.06 * s.y, s.y + 0 * s.x, 30, 23)
    mask = soft(filled(s, end), s, 0.8)
    picture = laid(picture, PICTURE, s, ochre(s, z, 71), mask, 12, ground)
    hang = placed([(0, 0), (4, 24), (-3, 52)], 1, AXIS + 80, 1234)
    threads = [curve(hang + np.array((k * 7.4, 3 * (k % 3) - 0.5 * k)), 20) for k in range(15)]
    locks = stroked(s, threads, [10.0] * len(threads))
    picture = laid(picture, PICTURE, s, ochre(s, 16 * soft(locks, s, 1.6), 73), locks, 4, ground)
    outline = both_sides(AXIS, SCARF)
    u, v = round_body(s, AXIS, 300), s.y + 0.0019 * (s.x - AXIS) ** 2
    roll = 52 * np.clip(1 - ((v - 930) / 78) ** 2, 0, 1) ** 0.5 * 0.5 + 60 * inflated(s, outline, 0.45)
    z = roll + 7 * knitted(v, u, 36, 26)
    return laid(picture, PICTURE, s, ochre(s, z, 75), soft(filled(s, outline), s, 0.8), 16, ground)


def ochre(s: Sheet, z: Plane, seed: int) -> Colour:
    tone = np.broadcast_to(rgb(OCHRE), (*s.shape, 3))
    return felted(s, z.astype(np.float32), tone, LAMPS, seed, 1.0, 0.4, 0.3)


# --- the head -------------------------------------------------------------------------------------------------------


def relief(s: Sheet) -> Plane:
    a = AXIS
    z = 215 * inflated(s, PANDA.outline(0.03), 0.5)
    z += 44 * bump(s, a, 726, 84, 66) + 14 * pair(s, a, 46, 722, 36, 27) + 16 * bump(s, a, 664, 34, 26)
    z += 14 * bump(s, a, 610, 34, 50) - 18 * pair(s, a, 118, 562, 66, 52) + 24 * pair(s, a, 118, 562, 44, 36)
    z += 11 * pair(s, a, 118, 446, 52, 20) + 22 * pair(s, a, 244, 668, 62, 64) - 7 * pair(s, a, 150, 720, 22, 70, -8)
    line, _, _ = PANDA.lip_lines(s)
    half = PANDA.lip_line[-1][0]
    reach = np.clip((half + 5 - np.abs(s.x - a)) / 16, 0, 1)
    z -= 9 * np.exp(-0.5 * ((s.y - line) / 3.4) ** 2) * reach
    z += 9 * np.exp(-0.5 * ((s.y - line - 14) / 7) ** 2) * reach * np.clip(1 - np.abs(s.x - a) / half, 0, 1) ** 0.6
    z += 13 * bump(s, a, 800, 46, 20) - 5 * bump(s, a, 783, 44, 6)
    z -= 5 * np.exp(-0.5 * ((s.x - a) / 3.4) ** 2) * along(s.y, [(686, 0), (698, 1), (742, 1), (752, 0)])
    return np.asarray(z - 5 * pair(s, a, half + 4, PANDA.mouth_y - 20, 8, 8), np.float32)


def coat(s: Sheet) -> Colour:
    """Colour of the felt by place."""

    def zone(table: Table, seed: int) -> Plane:
        return np.maximum(*(ragged(filled(s, sided(table, side)), s, 6, seed) for side in (-1, 1)))

    tone: Colour = np.broadcast_to(rgb(RUST), (*s.shape, 3))
    tone = over(tone, rgb("de7c34"), bump(s, AXIS, 398, 120, 62) * 0.5)
    tone = over(tone, rgb("e09a58"), bump(s, AXIS, 596, 24, 44) * 0.55)
    tone = over(tone, rgb(DARK), np.clip((s.y - 800) / 60, 0, 1) * 0.75 * np.ones(s.shape, np.float32))
    tone = over(tone, rgb("742c12"), zone(TEAR, 41) * 0.9)
    tone = over(tone, rgb(CREAM), ragged(filled(s, both_sides(AXIS, MUZZLE)), s, 6, 43))
    return over(over(tone, rgb(CREAM), zone(CHEEK, 45)), rgb(CREAM), zone(BROW, 47))


def sided(table: Table, side: int) -> Points:
    return curve(placed(table, side, AXIS, 0), 120, closed=True)


def furred(picture: Colour, s: Sheet, colour: Colour, mask: Plane, flow: Plane, count: int, seed: int) -> Colour:
    """Fibres on a piece that is laid already, and finer ones that stand out from its edge."""
    edge = np.clip(mask * (1 - soft(mask, s, 9)) * 2.2, 0, 1)
    for place, number, length, jitter in ((mask, count, 19, 0.15), (edge, count // 3, 27, 0.12)):
        hairs = fibres(s, colour, place, number, length, seed, flow, 0.55, 0.5, jitter)
        picture = brush(picture, PICTURE, s, *hairs, seed + 1)
    return picture


def ear(picture: Colour, side: int) -> Colour:
    s = HEAD
    outline, inside = sided(EAR, side), sided(EAR_INSIDE, side)
    hollow = ragged(filled(s, inside), s, 8, 81)
    z = 74 * inflated(s, outline, 0.5) - 34 * soft(hollow, s, 12)
    tone = over(np.broadcast_to(rgb(CREAM), (*s.shape, 3)), rgb(DARK), hollow * 0.95)
    tone = over(tone, rgb(RUST), np.clip((s.y - 330) / 90, 0, 1) * (1 - hollow) * 0.8)
    mask = soft(filled(s, outline), s, 0.8)
    colour = felted(s, z.astype(np.float32), tone, LAMPS, 83, 0.3 + 0.7 * shadow_of(z, s, KEY.direction, 60, 2.2), 0.5)
    picture = laid(picture, PICTURE, s, colour, mask, 8, 0.0)
    flow = np.arctan2(s.y - 420, s.x - AXIS - side * 190)
    return furred(picture, s, colour, mask, flow, 4200, 85 + side)


def head(picture: Colour) -> Colour:
    s = HEAD
    z = relief(s)
    shade = 0.25 + 0.75 * shadow_of(z, s, KEY.direction, 90, 2.4)
    colour = felted(s, z, coat(s), LAMPS, 21, shade, 0.5)
    mask = soft(filled(s, PANDA.outline()), s, 0.8)
    below = np.maximum(filled(s, both_sides(AXIS, SCARF)), filled(s, both_sides(AXIS, TORSO)))
    for side in (-1, 1):
        below = np.maximum(below, filled(s, sided(EAR, side)))
    picture = laid(picture, PICTURE, s, colour, mask, 20, below)
    picture = furred(picture, s, colour, mask, np.arctan2(s.y - 650, s.x - AXIS), 17000, 31)
    window = PICTURE.window(s)
    face = mouth(s, picture[window], z)
    for side in (-1, 1):
        face = eye(s, face, side)
    picture[window] = nose(s, face)
    return picture


def hoop(picture: Colour) -> Colour:
    """The headphones' band, over the crown and in front of the ears."""
    s = HEAD
    upper, lower = (curve([*mirror_of(arc), *placed(arc[1:], 1, AXIS, 0)], 120) for arc in (HOOP_TOP, HOOP_LOW))
    outline = np.concatenate([upper, lower[::-1]])
    z = 20 * inflated(s, outline, 0.5)
    return laid(picture, PICTURE, s, glossy(s, z, INK, 0.22), soft(filled(s, outline), s, 0.7), 9, ear_mask(s))


def mirror_of(arc: Table) -> Points:
    return placed(arc[::-1], -1, AXIS, 0)


def ear_mask(s: Sheet) -> Plane:
    return np.maximum(*(filled(s, sided(EAR, side)) for side in (-1, 1)))


def cup(picture: Colour, side: int) -> Colour:
    """A cushion against the cheek and the shell outside it."""
    s, on_head = HEAD, filled(HEAD, PANDA.outline())
    cushion, shell = sided(CUSHION, side), sided(SHELL, side)
    z = 44 * inflated(s, cushion, 0.5) + noise(s, 16, 16, 97) * 0.5
    picture = laid(picture, PICTURE, s, glossy(s, z, INK, 0.10), soft(filled(s, cushion), s, 0.7), 11, on_head)
    mask = filled(s, shell)
    z = 58 * inflated(s, shell, 0.46) - 5 * (soft(mask, s, 9) > 0.93)
    z = soft(z.astype(np.float32), s, 1.2)
    return laid(picture, PICTURE, s, glossy(s, z, OCHRE, 0.30), soft(mask, s, 0.7), 7, on_head)


def glossy(s: Sheet, z: Plane, code: str, shine: float) -> Colour:
    """Leather, or a moulded shell."""
    z = z.astype(np.float32)
    n, one = normals(z, s), np.ones(s.shape, np.float32)
    tone = np.broadcast_to(rgb(code), (*s.shape, 3))
    colour = lit(n, tone, LAMPS, occlusion(z, s, (6, 18), 0.8), one, FELT_BLEED, 0.5)
    return colour + rgb("fff4ea") * (gloss(n, KEY, 34) * shine + gloss(n, FILL, 22) * shine * 0.12)[..., None]


def mouth(s: Sheet, colour: Colour, z: Plane) -> Colour:
    f, dx = PANDA, np.abs(s.x - AXIS)
    line, _, _ = f.lip_lines(s)
    half = [*f.lip_line, *f.lip_bottom[-2::-1]]
    area = soft(filled(s, both_sides(AXIS, [(x, f.mouth_y + y) for x, y in half])), s, 1.8)
    one, lip = np.ones(s.shape, np.float32), np.broadcast_to(rgb("a9534a"), colour.shape)
    n = normals(z + noise(s, 3, 3, 91) * 0.2, s)
    painted = lit(n, lip, LAMPS, occlusion(z, s, (4, 12), 1.2), one, FELT_BLEED)
    colour = over(colour, painted + rgb("ffe8e0") * (gloss(n, KEY, 24) * 0.16)[..., None], area * 0.92)
    split = soft(stroked(s, [curve([(AXIS, 744), (AXIS - 1, 716), (AXIS, 692)], 20)], [6.0]), s, 1.2)
    colour = over(colour, rgb("3a1610"), split * 0.55)
    gap = np.exp(-0.5 * ((s.y - line) / (1.7 + 1.0 * np.clip(1 - dx / 80, 0, 1))) ** 2)
    gap *= np.clip((f.lip_line[-1][0] + 5 - dx) / 9, 0, 1)
    return over(colour, rgb("260a0a"), (gap * 0.92).astype(np.float32))


def nose(s: Sheet, colour: Colour) -> Colour:
    outline = both_sides(AXIS, [(x, PANDA.nose_y - 6 + y) for x, y in NOSE])
    mask = soft(filled(s, outline), s, 0.8)
    z = 30 * inflated(s, outline, 0.5) + noise(s, 2.6, 2.6, 95) * 0.12
    holes = np.maximum(*(filled(s, sided([(x, 666 + y) for x, y in NOSTRIL], side)) for side in (-1, 1)))
    z = z - 7 * soft(holes, s, 2.5)
    leather = glossy(s, z, "2b1713", 0.42)
    colour = colour * (1 - 0.55 * soft(shifted(mask, s, 5, 9), s, 7))[..., None]
    return over(over(colour, leather, mask), rgb("0a0403"), soft(holes, s, 1.2) * 0.85 * mask)


def eye(s: Sheet, colour: Colour, side: int) -> Colour:
    upper, lower = PANDA.eye_curve(PANDA.upper_lid, side), PANDA.eye_curve(PANDA.lower_lid, side)
    outline = np.concatenate([upper, lower[::-1]])
    middle = np.array((AXIS + side * PANDA.eye_dx, PANDA.eye_y))
    rim = soft(filled(s, (outline - middle) * (1.13, 1.19) + middle), s, 1.5)
    crease = PANDA.eye_curve(PANDA.crease, side)
    lid = soft(filled(s, np.concatenate([crease, upper[::-1]])), s, 3)  # suede: fibres would be drawn out by a blink
    colour = over(colour, soft(colour, s, 6) * 0.94, lid)
    colour = over(colour, rgb("7a3616"), soft(stroked(s, [crease[4:-4]], [3.0]), s, 1.6) * 0.4)
    socket = soft(rim, s, 9)
    colour = over(over(colour, rgb(DARK) * 0.6, socket * 0.45), rgb("1c0c08"), rim * 0.94)
    shine = soft(stroked(s, [curve(upper[6:-6] - (0, 4.5), 40)], [2.2]), s, 0.8)
    return eyeball(PANDA, s, over(colour, rgb("b08468"), shine * 0.35), side)


# --- the whole ------------------------------------------------------------------------------------------------------


def paint() -> Colour:
    picture = scarf(sweater(wood()))
    for side in (-1, 1):
        picture = ear(picture, side)
    picture = head(hoop(picture))
    for side in (-1, 1):
        picture = cup(picture, side)
    return film(settled(picture, PICTURE, 0, 900, 8))


def points() -> dict[str, object]:
    """The places an animator needs; the chin that moves is the muzzle's, not the edge of the head."""
    return {
        **header("panda"),
        **face_points(PANDA),
        "chin": at(AXIS, 826),
        "face": [at(*p) for p in PANDA.outline()[::6]],
        "head": [at(*p) for p in both_sides(AXIS, OUTLINE)[::6]],
        "shoulders_y": 1010,
    }


if __name__ == "__main__":
    write("panda", paint(), points())
