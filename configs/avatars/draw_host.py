"""Draws the presenter that ships with the project: host.png and the points file host.json beside it.

Run `python configs/avatars/draw_host.py`; the same pixels come out each time. Coordinates are pixels of the picture.
The modules beside it know nothing of this host: another presenter is another set of measures, tones and guides.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from face import Face, at, both_sides, face_points, paint_face, placed, skin
from hair import Guides, Hair, brush, comb, flyaways
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
    shifted,
    soft,
    stroked,
)
from presenter import AXIS, SIZE, header, page, write

SCALE = 2  # samples per pixel and axis; the picture is reduced at the end
PICTURE = page(SCALE)
HEAD = PICTURE.cut(232, 220, 664, 880)
HAIR_ROOM = PICTURE.cut(120, 180, 776, 1040)

KEY = Lamp((-0.56, -0.48, 0.68), rgb("fff1e0") * 1.05, 0.26)
FILL = Lamp((0.75, 0.02, 0.62), rgb("c4d0f0") * 0.20, 0.40)
FRONT = Lamp((0.05, 0.20, 1.0), rgb("ffe6d8") * 0.13, 0.60)
BOUNCE = Lamp((0.10, 0.90, 0.35), rgb("ffd8bc") * 0.20, 0.20)
WARM_RIM = Lamp((0.93, -0.25, -0.12), rgb("ffb070") * 2.0, rim=True)
COOL_RIM = Lamp((-0.95, -0.20, -0.22), rgb("8fd0ff") * 1.3, rim=True)
LAMPS = (KEY, FILL, FRONT, BOUNCE, WARM_RIM, COOL_RIM)
NO_BLEED = np.zeros(3, np.float32)

# fmt: off
HOST = Face(
    axis=AXIS, brow_y=(498.0, 499.5), eye_y=548.0, eye_dx=78.0, eye_scale=1.10, iris_radius=18.5, nose_y=650.0,
    mouth_y=718.0,
    half_outline=[(0, 262), (70, 268), (125, 300), (156, 360), (167, 440), (168, 520), (165, 580), (157, 640),
                  (142, 696), (119, 744), (88, 784), (52, 811), (22, 821), (0, 822)],
    upper_lid=[(-39, 5), (-31, -3.5), (-19, -11), (-3, -15), (13, -14.3), (27, -9), (35, -4), (39, -1.5)],
    lower_lid=[(-39, 5), (-28, 9), (-12, 12), (4, 12.8), (19, 10.8), (31, 5.5), (39, -1.5)],
    crease=[(-39, -6), (-28, -16), (-12, -24.5), (6, -26.5), (24, -21.5), (38, -12), (47, -4)],
    brow=[(-42, 3), (-20, -4), (6, -10), (26, -10), (42, -3.5), (51, 3)],
    lip_line=[(0, 2), (12, 1.2), (24, 1.5), (40, -0.5), (54, -5), (63, -8.5)],
    lip_top=[(0, -15), (5, -16), (12, -19), (20, -17.5), (36, -12.5), (50, -9.5), (63, -8.5)],
    lip_bottom=[(0, 25), (14, 24.5), (28, 20.5), (42, 11.5), (54, 0), (63, -8.5)],
)
BROWN = Hair(middle=(AXIS, 560), half=(300, 372, 220))
COAT_TONE, LAPEL_TONE, TOP_TONE = "232f4c", "293757", "efe6da"

# guides from root to tip, the innermost first
FRONT_RIGHT = [
    [(402, 350), (430, 341), (482, 351), (546, 393), (597, 462), (609, 560), (600, 640), (597, 740), (606, 830),
     (594, 900), (560, 950)],
    [(405, 321), (440, 305), (510, 315), (580, 369), (622, 452), (638, 570), (634, 690), (646, 800), (636, 890),
     (596, 968)],
    [(410, 285), (454, 263), (536, 278), (612, 351), (652, 450), (672, 580), (672, 700), (686, 810), (678, 900),
     (640, 980)],
    [(416, 236), (462, 228), (552, 251), (634, 335), (678, 450), (700, 590), (708, 710), (720, 820), (712, 900),
     (682, 970)],
]
FRONT_LEFT = [
    [(402, 350), (386, 351), (354, 373), (320, 420), (294, 494), (290, 570), (295, 640), (299, 740), (290, 830),
     (300, 900), (338, 950)],
    [(404, 321), (376, 317), (328, 342), (286, 402), (260, 492), (250, 600), (256, 700), (244, 800), (256, 890),
     (300, 968)],
    [(409, 285), (362, 278), (298, 314), (250, 386), (224, 490), (212, 600), (216, 710), (202, 810), (212, 900),
     (252, 980)],
    [(415, 236), (352, 240), (276, 285), (222, 369), (196, 490), (180, 610), (178, 720), (166, 820), (176, 900),
     (208, 970)],
]
BACK = [
    [(330, 420), (280, 560), (250, 700), (222, 840), (214, 975)],
    [(380, 420), (370, 600), (350, 760), (330, 880), (310, 985)],
    [(448, 420), (448, 600), (448, 760), (448, 880), (448, 985)],
    [(516, 420), (530, 600), (546, 760), (566, 880), (590, 985)],
    [(566, 420), (616, 560), (650, 700), (676, 840), (686, 975)],
]
# cloth pieces: right half or side, distance from the axis and y
BODY = [(0, 880), (96, 896), (128, 936), (190, 966), (290, 1004), (352, 1046), (392, 1110), (416, 1220), (436, 1400),
        (460, 1600), (470, 1800), (300, 1850), (0, 1850)]
SLEEVE = [(296, 1000), (352, 1036), (400, 1110), (425, 1220), (445, 1400), (470, 1800), (360, 1800), (342, 1480),
          (322, 1360), (306, 1240), (298, 1140), (292, 1060)]
COAT = [(92, 880), (128, 932), (190, 964), (290, 1004), (352, 1046), (390, 1110), (410, 1220), (420, 1400),
        (440, 1800), (0, 1800), (-14, 1420), (8, 1380), (60, 1220), (104, 1060), (112, 960)]
LAPEL = [(90, 876), (118, 930), (156, 980), (198, 1040), (152, 1050), (178, 1080), (152, 1160), (94, 1280), (0, 1404),
         (40, 1260), (80, 1130), (96, 1040), (92, 960), (84, 900)]
# height, distance from the axis, y, half sizes, turn in degrees
COAT_FOLDS = [(5, 258, 1110, 8, 70, 16), (-6, 240, 1130, 10, 80, 18), (4, 150, 1390, 70, 9, -28),
              (-4, 150, 1412, 70, 10, -28), (4, 220, 1440, 90, 10, -16), (-4, 224, 1466, 90, 12, -14),
              (-4, 210, 1250, 14, 110, 8), (4, 180, 1260, 12, 110, 8)]
SLEEVE_FOLDS = [(3, 362, 1160, 9, 60, -10), (-5, 340, 1190, 9, 70, -6), (5, 372, 1290, 44, 9, 32),
                (-6, 374, 1312, 44, 10, 32), (5, 376, 1370, 50, 9, -22), (-6, 380, 1392, 50, 10, -20),
                (4, 340, 1230, 30, 8, 40)]
NECK = [(0, 700), (70, 720), (82, 790), (80, 850), (86, 905), (112, 950), (170, 1010), (190, 1280), (0, 1290)]
TOP = [(0, 1040), (40, 1034), (84, 1004), (116, 950), (128, 970), (150, 1060), (150, 1560), (0, 1560)]
# fmt: on


# --- the room --------------------------------------------------------------------------------------------------------


def room() -> Colour:
    """Studio far out of focus: dark wall, warm practical lights, a lit panel; painted small and enlarged."""
    small = page(1)
    x, y = small.x / SIZE[0], small.y / SIZE[1]
    wall: Colour = rgb("16303a") * (1.1 - 0.75 * y[..., None]) * (1.15 - 0.5 * x[..., None])
    wall = wall + rgb("d98a4a") * (bump(small, 900, 520, 260, 420) * 0.42)[..., None]
    wall = wall + rgb("3f8ea0") * (bump(small, 60, 640, 260, 360) * 0.22)[..., None]
    for box, tone, strength, blur in (
        ((742, -40, 812, 760), "ffcf94", 0.75, 15.0),
        ((836, 40, 930, 900), "f0a060", 0.42, 20.0),
        ((640, 120, 700, 820), "b8703c", 0.30, 22.0),
        ((60, 330, 118, 1000), "4fb0c0", 0.26, 20.0),
        ((-30, 700, 260, 724), "8fd8e0", 0.20, 10.0),
        ((640, 640, 930, 668), "ffd8a8", 0.30, 12.0),
        ((-60, 520, 150, 690), "2f7f92", 0.34, 9.0),
    ):
        left, top, right, bottom = box
        corners = np.array([(left, top), (right, top), (right, bottom), (left, bottom)], float)
        wall = over(wall, rgb(tone), soft(filled(small, corners), small, blur) * strength)
    rng = np.random.default_rng(11)
    for _ in range(34):
        left = rng.random() < 0.4
        area = (-20, 210, 420, 1050) if left else (640, 900, 120, 980)
        centre = rng.uniform(*area[:2]), rng.uniform(*area[2:])
        radius, strength = rng.uniform(10, 36), rng.uniform(0.05, 0.26)
        wall = wall + rgb("6fd0d8" if left else "ffc27a") * (out_of_focus(small, *centre, radius) * strength)[..., None]
    return enlarged(soft(wall.astype(np.float32), small, 2.5), PICTURE)


# --- neck and clothes ------------------------------------------------------------------------------------------------


def neck(picture: Colour) -> Colour:
    s = PICTURE.cut(200, 720, 696, 1260)
    outline = both_sides(AXIS, NECK)
    z = 90 * inflated(s, outline, 0.42)
    column = np.sqrt(np.clip(1 - ((s.x - AXIS) / 92) ** 2, 0.02, 1))
    z += 62 * column * along(s.y, [(720, 1), (860, 1), (940, 0.6), (1030, 0.15), (1090, 0)])
    throat = np.exp(-0.5 * ((s.x - AXIS) / 26) ** 2) * along(s.y, [(720, 0), (850, 4), (950, 2), (985, -3), (1010, 0)])
    z += throat + 3 * pair(s, AXIS, 46, 915, 13, 70, -20) - 2 * pair(s, AXIS, 70, 940, 16, 40, -22)
    z += 4 * pair(s, AXIS, 88, 988, 56, 9, -16) - 3 * pair(s, AXIS, 92, 970, 50, 12, -16)
    z -= 4 * bump(s, AXIS, 1002, 15, 13)
    tone = np.broadcast_to(rgb("e2ae8e"), (*s.shape, 3)) * (1 + noise(s, 3, 3, 8)[..., None] * 0.008)
    jaw = filled(s, HOST.outline())
    cast = soft(shifted(jaw, s, 30, 66), s, 13) * 0.80
    contact = soft(shifted(jaw, s, 4, 12), s, 12) * 0.55
    shade = np.clip(1 - cast - contact, 0.06, 1)
    colour = skin(s, z, tone, LAMPS, shade, 0.2, 0.5)
    colour = colour * (1 - 0.35 * np.clip(cast + contact, 0, 1)[..., None] * np.array([0.75, 1.0, 1.1], np.float32))
    window = PICTURE.window(s)
    picture[window] = over(picture[window], necklace(colour, s), filled(s, outline))
    return picture


def cloth(s: Sheet, z: Plane, code: str, weave: float, seed: int) -> Colour:
    z = z + (noise(s, 1.3, 4, seed) + noise(s, 4, 1.3, seed + 1)) * weave
    n = normals(z, s)
    tone = np.broadcast_to(rgb(code), (*s.shape, 3))
    one = np.ones(s.shape, np.float32)
    sheen = gloss(n, KEY, 8) * 0.03
    colour = lit(n, tone, LAMPS, occlusion(z, s, (5, 16, 40), 1.6), one, NO_BLEED) + rgb("cfdcff") * sheen[..., None]
    return colour * along(s.y, [(860, 1.15), (1000, 1.1), (1200, 0.9), (1400, 0.66), (1536, 0.5)])[..., None]


def folded(s: Sheet, folds: Sequence[tuple[float, ...]], seed: int) -> Plane:
    z = noise(s, 90, 150, seed) * 2.2
    for height, dx, y, sx, sy, turn in folds:
        for side in (-1, 1):  # not the same on both sides
            hill = bump(s, AXIS + side * dx + 4, y + 9 * side, sx, sy, side * turn)
            z = z + height * (1.15 - 0.2 * side) * hill
    return z


def clothes(picture: Colour) -> Colour:
    s = PICTURE.cut(0, 860, SIZE[0], SIZE[1])
    outline = both_sides(AXIS, BODY)
    ground = filled(s, outline)
    body = 120 * inflated(s, outline, 0.42)
    top = both_sides(AXIS, TOP)
    drape = 3 * bump(s, AXIS - 30, 1150, 9, 120, 8) + 3 * bump(s, AXIS + 34, 1200, 9, 130, -7)
    drape -= 3 * bump(s, AXIS + 4, 1220, 14, 120)
    hem = 3 * (filled(s, top) - soft(filled(s, top), s, 4))
    picture = laid(picture, PICTURE, s, cloth(s, body + drape + hem, TOP_TONE, 0.02, 61), filled(s, top), 7, ground)
    wrinkled, arm = body + folded(s, COAT_FOLDS, 63), folded(s, SLEEVE_FOLDS, 67)
    for side in (1, -1):
        panel = filled(s, curve(placed(COAT, side, AXIS, 0), 200))
        picture = laid(picture, PICTURE, s, cloth(s, wrinkled, COAT_TONE, 0.03, 64), panel * ground, 12, ground)
        picture = lapel(picture, s, body, side, ground)
        outline = curve(placed(SLEEVE, side, AXIS, 0), 160)
        sleeve, mask = 60 * inflated(s, outline, 0.5) + arm, soft(filled(s, outline), s, 0.7) * ground
        picture = laid(picture, PICTURE, s, cloth(s, sleeve, COAT_TONE, 0.03, 68), mask, 8, ground)
    window = PICTURE.window(s)
    picture[window] = microphone(button(picture[window], s, body), s)
    return picture


def microphone(colour: Colour, s: Sheet) -> Colour:
    """A lapel microphone: foam head, clip."""
    x, y = AXIS + 106.0, 1178.0
    turn = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    head = inflated(s, np.stack([x + 8 * np.cos(turn), y + 10.5 * np.sin(turn)], 1))
    clip = filled(s, placed([(-4, 6), (4, 6), (3.4, 34), (-3.4, 34)], 1, x, y))
    mask = np.maximum(np.clip(head * 4, 0, 1), clip)
    colour = colour * (1 - 0.6 * soft(shifted(mask, s, 4, 5), s, 3))[..., None]
    colour = over(colour, rgb("3a3f48") * (0.7 + 1.4 * bump(s, x - 1.5, y + 20, 1.2, 12))[..., None], clip)
    n = normals(9 * head + noise(s, 1.2, 1.2, 72) * 0.3, s)
    foam = lit(n, np.broadcast_to(rgb("17181c"), colour.shape), LAMPS, np.ones_like(head), np.ones_like(head), NO_BLEED)
    return over(colour, foam, np.clip(head * 4, 0, 1))


def lapel(picture: Colour, s: Sheet, body: Plane, side: int, ground: Plane) -> Colour:
    outline = curve(placed(LAPEL, side, AXIS, 0), 160)
    mask = filled(s, outline)
    seam = stroked(s, [curve(placed([(152, 1050), (128, 1036), (104, 1030)], side, AXIS, 0), 30)], [3])
    z = body + 9 * inflated(s, outline, 0.4) + 2.5 * (mask - soft(mask, s, 2.5)) - 2.0 * soft(seam, s, 0.7)
    return laid(picture, PICTURE, s, cloth(s, z, LAPEL_TONE, 0.03, 66), soft(mask, s, 0.7), 10, ground)


def button(colour: Colour, s: Sheet, body: Plane) -> Colour:
    x, y, turn = AXIS - 16, 1440.0, np.linspace(0, 2 * np.pi, 40, endpoint=False)
    disc = filled(s, np.stack([x + 15 * np.cos(turn), y + 15 * np.sin(turn)], 1))
    colour = colour * (1 - 0.6 * soft(shifted(disc, s, 3, 4), s, 3))[..., None]
    r = np.hypot(s.x - x, s.y - y)
    dome = body + 3 * np.exp(-0.5 * ((r - 11) / 2.2) ** 2) - 1.6 * pair(s, x, 3.5, y, 1.3, 1.3) * 2
    return over(colour, cloth(s, np.asarray(dome, np.float32), "34425f", 0, 69), disc)


def necklace(colour: Colour, s: Sheet) -> Colour:
    """A fine gold chain with a drop; every link catches the light a little differently."""
    half = [(86, 930), (62, 972), (26, 1006), (0, 1014)]
    line = curve([*placed(half, -1, AXIS, 0), *placed(half[-2::-1], 1, AXIS, 0)], 150)
    rng, low = np.random.default_rng(70), line + np.array([1.5, 3])
    colour = colour * (1 - 0.35 * soft(stroked(s, [low, low[::-1]], [3, 3]), s, 1.5))[..., None]
    for x, y in line:
        link = s.cut(int(x) - 6, int(y) - 6, int(x) + 6, int(y) + 6)
        window = s.window(link)
        gold = rgb("a8742c") * (0.6 + 3.2 * rng.random() ** 3)
        colour[window] = over(colour[window], gold, bump(link, x, y, 0.9, 0.9) * 0.9)
    drop = bump(s, AXIS, 1020, 4.2, 4.6) ** 0.6
    colour = over(colour, rgb("c08a38"), np.clip(drop * 3 - 1, 0, 1))
    return over(colour, rgb("fff2d0"), bump(s, AXIS - 1.6, 1018, 1.5, 1.5))


# --- the whole ------------------------------------------------------------------------------------------------------


def fringe() -> Plane:
    """Where the front hair lies on the face."""
    sides = [np.concatenate([curve(g[0], 60), curve(g[-1], 60)[::-1]]) for g in (FRONT_LEFT, FRONT_RIGHT)]
    return np.maximum(filled(HEAD, sides[0]), filled(HEAD, sides[1]))


def brushed(picture: Colour, guides: Guides, count: int, seed: int, strength: float, wave: float) -> Colour:
    lamps = (KEY, FILL, FRONT, WARM_RIM, COOL_RIM)
    return brush(picture, PICTURE, HAIR_ROOM, *comb(BROWN, guides, lamps, count, seed, strength, wave), seed + 1)


def paint() -> Colour:
    picture = room()
    nape = filled(PICTURE, np.concatenate([curve(BACK[0], 40)[:-4], curve(BACK[-1], 40)[-5::-1]]))
    picture = brushed(over(picture, rgb("1a0d09") * 0.5, soft(nape, PICTURE, 3)), BACK, 3000, 71, 0.30, 10)
    picture = clothes(neck(picture))
    window = PICTURE.window(HEAD)
    head = paint_face(HOST, HEAD, LAMPS, fringe())
    picture[window] = over(picture[window], head, soft(filled(HEAD, HOST.outline()), HEAD, 0.7))
    for guides, seed in ((FRONT_RIGHT, 81), (FRONT_LEFT, 91)):
        for layer, (count, strength) in enumerate(((3000, 0.45), (2200, 0.8), (1500, 1.1))):
            picture = brushed(picture, guides, count, seed + 2 * layer, strength, 17)
    for guides, tone in ((FRONT_LEFT, "6d7f86"), (FRONT_RIGHT, "c98a58")):
        picture = brush(picture, PICTURE, HAIR_ROOM, *flyaways(guides, rgb(tone), 24, 101), 102)
    return film(settled(picture, PICTURE, AXIS, 880, 13))


def points() -> dict[str, object]:
    """The places an animator needs, from the same numbers the drawing used."""
    right, left = (
        [p for p in curve(guides[0], 24) if p[1] < 650]
        + [p for p in placed(HOST.half_outline, side, AXIS, 0) if p[1] > 650]
        for guides, side in ((FRONT_RIGHT, 1), (FRONT_LEFT, -1))
    )
    hair = [*curve(FRONT_RIGHT[-1], 20)[::-1], *curve(FRONT_LEFT[-1], 20)]
    return {
        **header("host"),
        **face_points(HOST),
        "face": [at(*p) for p in [*right, *left[-2:0:-1]]],
        "head": [at(x + np.sign(x - AXIS) * 14, y - 8) for x, y in hair],
        "shoulders_y": 1040,
    }


if __name__ == "__main__":
    write("host", paint(), points())
