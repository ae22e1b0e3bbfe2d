"""A picture becomes an avatar in one file, or is refused in words that say what to do."""

import json
import math
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from broadcaster import preview
from broadcaster.config import AvatarSection
from pipeline import facefinder
from pipeline.avatar import Points, load_avatar, need_points, points_path, read_points
from pipeline.avatarfile import MARK, pack, unpack
from pipeline.bake import KEPT_PX, bake
from pipeline.contactsheet import COLUMNS, contact_sheet, tiles
from pipeline.engine import load_engine
from pipeline.errors import AvatarError, SpeechError
from pipeline.picturefile import read_still
from pipeline.shipped import PRESENTER
from streams.slate import slate
from tests.terminal import typed

SIZE = (448, 768)


@pytest.fixture(scope="module")
def host() -> Image.Image:
    with Image.open(PRESENTER) as opened:
        return opened.convert("RGB")


@pytest.fixture(scope="module")
def drawn(host: Image.Image) -> Points:
    """The points that were made by hand."""
    return read_points(points_path(PRESENTER), host.size, "host.png")


def saved(picture: Image.Image, folder: Path, name: str = "face.png") -> Path:
    picture.save(folder / name)
    return folder / name


def off(one: Points, other: Points) -> float:
    """The largest distance of eyes and mouth, in distances between the eyes."""
    unit = math.dist(other.eyes[0].iris, other.eyes[1].iris)
    pairs = [(a.iris, b.iris) for a, b in zip(one.eyes, other.eyes, strict=True)]
    pairs += [(getattr(one.mouth, name), getattr(other.mouth, name)) for name in one.mouth.__struct_fields__]
    pairs += [(one.nose, other.nose), (one.chin, other.chin)]
    return max(math.dist(a, b) for a, b in pairs) / unit


def test_the_face_of_the_presenter_is_found_where_it_was_drawn(
    tmp_path: Path, host: Image.Image, drawn: Points
) -> None:
    baked = bake(saved(host, tmp_path), None, None, None)
    assert baked.path == tmp_path / "face.avatar"
    assert baked.points_from is None
    found = need_points(load_avatar(baked.path, host.size))
    assert off(found, drawn) < 0.1
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["face.avatar", "face.png"]


@pytest.mark.parametrize("degrees", [-8, 8])
def test_a_head_that_is_tilted_has_its_points_tilted(
    tmp_path: Path, host: Image.Image, drawn: Points, degrees: int
) -> None:
    tilted = host.rotate(degrees, Image.Resampling.BICUBIC, center=drawn.nose, fillcolor=(40, 80, 90))
    found = need_points(load_avatar(bake(saved(tilted, tmp_path), None, None, None).path, host.size))
    for one, other in zip(found.eyes, drawn.eyes, strict=True):
        turn = math.radians(-degrees)
        dx, dy = other.iris[0] - drawn.nose[0], other.iris[1] - drawn.nose[1]
        there = (
            drawn.nose[0] + dx * math.cos(turn) - dy * math.sin(turn),
            drawn.nose[1] + dx * math.sin(turn) + dy * math.cos(turn),
        )
        assert math.dist(one.iris, there) < 12  # of 156 between the eyes
    slope = (found.mouth.right[1] - found.mouth.left[1]) / (found.mouth.right[0] - found.mouth.left[0])
    assert math.degrees(math.atan(slope)) == pytest.approx(-degrees, abs=4)


@pytest.mark.parametrize("kind", ["grey", "cmyk", "clear", "turned", "large"])
def test_a_face_is_found_in_pictures_of_any_make(tmp_path: Path, host: Image.Image, drawn: Points, kind: str) -> None:
    if kind == "grey":
        path = saved(host.convert("L"), tmp_path)
    elif kind == "cmyk":
        path = saved(host.convert("CMYK"), tmp_path, "face.jpg")
    elif kind == "clear":
        clear = host.convert("RGBA")
        clear.putalpha(
            Image.fromarray(np.where(np.arange(1536)[:, None] < 100, 0, 255).astype(np.uint8).repeat(896, 1))
        )
        path = saved(clear, tmp_path)
    elif kind == "turned":
        exif = Image.Exif()
        exif[0x0112] = 6  # shown turned clockwise
        path = tmp_path / "face.jpg"
        host.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    else:
        path = saved(host.resize((1792, 3072), Image.Resampling.BILINEAR), tmp_path)
    baked = bake(path, None, None, None)
    assert max(baked.size) <= KEPT_PX
    assert off(need_points(load_avatar(baked.path, host.size)), drawn) < 0.16


def test_points_that_are_given_are_taken_as_they_are(tmp_path: Path, host: Image.Image, drawn: Points) -> None:
    picture = saved(host, tmp_path)
    beside = tmp_path / "face.json"
    beside.write_bytes(points_path(PRESENTER).read_bytes())
    assert bake(picture, None, tmp_path / "a.avatar", None).points_from == beside
    elsewhere = beside.rename(tmp_path / "elsewhere.json")
    assert bake(picture, elsewhere, tmp_path / "b.avatar", None).points_from == elsewhere
    one, other = (load_avatar(tmp_path / name, host.size) for name in ("a.avatar", "b.avatar"))
    assert one.digest == other.digest == load_avatar(PRESENTER, host.size).digest


def test_a_size_crops_the_picture_as_on_air(tmp_path: Path) -> None:
    baked = bake(PRESENTER, None, tmp_path / "a.avatar", SIZE)
    assert baked.size == SIZE
    whole, cropped = load_avatar(PRESENTER, SIZE), load_avatar(baked.path, SIZE)
    assert (whole.picture == cropped.picture).all()
    assert off(need_points(whole), need_points(cropped)) < 0.01


def two_heads(host: Image.Image) -> Image.Image:
    head = host.crop((100, 150, 800, 1050))
    both = Image.new("RGB", (1400, 900), (90, 90, 90))
    both.paste(head, (0, 0))
    both.paste(head, (700, 0))
    return both


def without_eyes(host: Image.Image) -> Image.Image:
    pixels = np.asarray(host).copy()
    pixels[500:590, 310:590] = pixels[470, 448]
    return Image.fromarray(pixels)


def masked(host: Image.Image) -> Image.Image:
    """With a plain cloth from the nose to below the chin."""
    pixels = np.asarray(host).copy()
    pixels[655:840, 330:566] = (150, 170, 185)
    return Image.fromarray(pixels)


def test_pictures_without_one_good_face_are_refused_in_words(tmp_path: Path, host: Image.Image) -> None:
    small = host.resize((300, 514))
    noise = np.random.default_rng(0).integers(0, 255, (200, 150, 3), np.uint8)
    cases = {
        "no face is seen.*avatar points.*--points": Image.fromarray(noise),
        "upside down: turn the picture": small.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        "lies on its side: turn the picture": small.transpose(Image.Transpose.ROTATE_90),
        "no mouth .covered.*avatar points": masked(host).resize((448, 768)),
        "2 faces are in it; crop it": two_heads(host).resize((700, 450)),
        r"the face is \d\d pixels wide; 96 at least: take a picture \d\.\d times as large": host.resize((150, 257)),
        r"face.*--points": without_eyes(host).resize((448, 768)),
        "too small": host.resize((40, 68)),
    }
    for words, picture in cases.items():
        with pytest.raises(AvatarError, match=words):
            bake(saved(picture, tmp_path), None, None, None)
        assert not (tmp_path / "face.avatar").exists()


def test_files_that_are_no_still_picture_are_refused(tmp_path: Path, host: Image.Image) -> None:
    small = host.resize((224, 384))
    small.save(tmp_path / "moving.gif", save_all=True, append_images=[small.rotate(3)])
    (tmp_path / "text.png").write_text("no picture")
    done = bake(PRESENTER, None, tmp_path / "done.avatar", None)
    for path, words in (
        (tmp_path / "moving.gif", "several pictures"),
        (tmp_path / "text.png", "not a picture"),
        (tmp_path / "none.png", "no such picture"),
        (done.path, "an avatar already"),
    ):
        with pytest.raises(AvatarError, match=words):
            bake(path, None, None, None)
    for out, words in ((tmp_path / "a.png", "must end in"), (tmp_path / "no" / "a.avatar", "cannot be written")):
        with pytest.raises(AvatarError, match=words):
            bake(PRESENTER, None, out, None)
    with pytest.raises(AvatarError, match=r"none\.json: No such file"):
        bake(PRESENTER, tmp_path / "none.json", None, None)


def test_an_opencv_without_cascades_is_named(
    monkeypatch: pytest.MonkeyPatch, host: Image.Image, tmp_path: Path
) -> None:
    monkeypatch.setattr(facefinder, "FACES", "not_shipped.xml")
    with pytest.raises(AvatarError, match=r"no face cascades.*opencv-python-headless<5.*--points"):
        bake(saved(host, tmp_path), None, None, None)


def test_a_face_that_would_be_tiny_on_air_is_refused_before_a_file_is_there(tmp_path: Path, host: Image.Image) -> None:
    hall = Image.new("RGB", (1500, 2550), (90, 100, 110))
    hall.paste(host.resize((280, 480)), (600, 2000))
    with pytest.raises(AvatarError, match=r"448x768: the mouth is \d+ pixels wide; 12 at least"):
        bake(saved(hall, tmp_path), None, None, None)
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]


def test_an_avatar_file_that_was_damaged_or_is_another_version_says_so(tmp_path: Path) -> None:
    path = bake(PRESENTER, None, tmp_path / "a.avatar", SIZE).path
    whole = path.read_bytes()
    picture, points = unpack(path)
    assert picture.shape == (768, 448, 3) and json.loads(points)["size"] == [448, 768]
    middle = len(whole) // 2
    for data, words in (
        (whole[:middle], "damaged"),
        (whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :], "damaged"),
        (whole.replace(b"\xa6schema\x01", b"\xa6schema\x02"), "version 2; this program reads version 1"),
        (MARK, "damaged"),
        (MARK + b"\x93\x01\x02\x03", "damaged"),
        (b"PK", "not an avatar file"),
        (b"", "not an avatar file"),
    ):
        path.write_bytes(data)
        with pytest.raises(AvatarError, match=words):
            load_avatar(path, SIZE)


def test_the_same_picture_and_points_give_the_same_file(tmp_path: Path) -> None:
    avatar = load_avatar(PRESENTER, SIZE)
    assert pack(avatar.picture, need_points(avatar)) == pack(avatar.picture, need_points(avatar))


def test_the_slate_is_made_of_an_avatar_file_as_of_its_picture(tmp_path: Path) -> None:
    path = bake(PRESENTER, None, tmp_path / "a.avatar", None).path
    assert (slate(str(path), *SIZE) == slate(str(PRESENTER), *SIZE)).all()
    path.write_bytes(b"torn")
    assert slate(str(path), *SIZE).shape == (1152, 448)  # a wall, and no reason to be off air


def test_the_contact_sheet_shows_crop_and_mask_a_blink_a_turn_and_an_open_mouth(tmp_path: Path) -> None:
    avatar = load_avatar(bake(PRESENTER, None, tmp_path / "a.avatar", SIZE).path, SIZE)
    engine = load_engine("portrait")
    named = tiles(engine, avatar, 0, avatar.picture, (0, 0, 448, 384))
    engine.close()
    assert contact_sheet(named).shape == (3 * 768, COLUMNS * 448, 3)
    mask = next(name for name in named if name.startswith("may move"))
    assert list(named) == ["on air", "points", mask, "rest", "blink", "turned", "a", "i", "u", "e", "f", "m"]
    tone = {name: cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(int) for name, tile in named.items()}
    points = need_points(avatar)
    eye, mouth, nose = (
        tuple(slice(int(v - reach), int(v + reach)) for v in reversed(spot))
        for spot, reach in ((points.eyes[0].iris, 6), (points.mouth.lower_in, 10), (points.nose, 14))
    )
    assert tone["blink"][eye].mean() > tone["rest"][eye].mean() + 25  # skin instead of an iris
    assert tone["a"][mouth].mean() < tone["m"][mouth].mean() - 25  # a dark mouth instead of lips
    assert np.abs(tone["turned"][nose] - tone["a"][nose]).mean() > 1
    lower, upper = (slice(500, 760), slice(10, 370))  # rows: what the crop left out is dimmed, and nothing else
    assert tone["on air"][lower].mean() < 0.5 * tone["rest"][lower].mean()
    assert tone["on air"][upper, 10:-10].mean() > 0.9 * tone["rest"][upper, 10:-10].mean()
    corner = (slice(0, 40), slice(0, 40))  # a wall that does not move
    assert tone[mask][corner].mean() < 0.5 * tone["rest"][corner].mean()


def test_the_commands_bake_and_show_in_two_seconds_and_a_sheet(tmp_path: Path) -> None:
    baked = typed("avatar", "bake", str(PRESENTER), "-o", str(tmp_path / "a.avatar"), "--size", "448x768")
    assert baked.returncode == 0 and "448x768, points of" in baked.stdout
    size = ("--size", "224x384", "--crop", "face")
    shown = typed("avatar", "preview", str(tmp_path / "a.avatar"), "-o", str(tmp_path / "seen"), *size)
    assert shown.returncode == 0, shown.stderr
    assert sorted(path.name for path in (tmp_path / "seen").iterdir()) == ["a-preview.mp4", "a-preview.png"]
    with Image.open(tmp_path / "seen" / "a-preview.png") as sheet:
        assert sheet.size == (COLUMNS * 224, 3 * 384)
    pictures, sound = film(tmp_path / "seen" / "a-preview.mp4")
    assert pictures.shape == (50, 384, 224, 3)
    assert len(sound) == pytest.approx(2 * 48_000, abs=2048) and np.abs(sound).max() > 0.05
    mouth = pictures[:, 180:300, 60:164].astype(int)  # the lower half of a face that was cropped to
    assert np.abs(np.diff(mouth, axis=0)).mean(axis=(1, 2, 3)).max() > 1.5


def film(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Its pictures, and one channel of its sound."""
    with av.open(str(path)) as file:
        assert file.streams.video[0].codec_context.name == "h264"
        pictures = np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])
    with av.open(str(path)) as file:
        sound = np.concatenate([frame.to_ndarray()[0] for frame in file.decode(audio=0)])
    return pictures, sound


def test_a_picture_is_shown_without_being_baked_and_what_is_wrong_is_said(tmp_path: Path, host: Image.Image) -> None:
    picture = saved(host.resize((448, 768)), tmp_path, "me.png")
    shown = typed("avatar", "preview", str(picture), "--size", "128x224")
    assert shown.returncode == 0, shown.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["me-preview.mp4", "me-preview.png", "me.png"]
    for arguments, words in (
        ((str(tmp_path / "none.avatar"),), "none.avatar: no such file"),
        ((str(picture), "-o", str(tmp_path / "b.png")), "b.png: give a directory"),
        ((str(picture), "-o", str(picture / "x")), "x: Not a directory"),
        ((str(picture), "--crop", "hair"), "--crop: "),
    ):
        refused = typed("avatar", "preview", *arguments)
        assert refused.returncode == 2 and words in refused.stderr, refused.stderr


def test_without_a_voice_the_preview_hums(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def silent(*_: object) -> None:
        raise SpeechError("espeak is not here")

    monkeypatch.setattr(preview, "load_provider", silent)
    section = AvatarSection(image=PRESENTER, size=(128, 224))
    _, sound = film(preview.preview(PRESENTER, tmp_path, section).film)
    assert len(sound) == pytest.approx(2 * 48_000, abs=2048) and np.abs(sound[10_000:90_000]).mean() > 0.02


def test_a_phones_portrait_with_a_second_picture_behind_it_was_refused_as_an_animation(
    tmp_path: Path, host: Image.Image
) -> None:
    small = host.resize((448, 768))
    small.save(tmp_path / "a.jpg", "MPO", save_all=True, append_images=[small.resize((112, 192))])
    assert bake(tmp_path / "a.jpg", None, None, None).size == (448, 768)


def test_a_picture_of_floats_came_out_black(tmp_path: Path) -> None:
    for top in (1, 255, 65535):
        Image.fromarray(np.full((64, 64), top / 2, np.float32)).save(tmp_path / "a.tiff")
        assert np.asarray(read_still(tmp_path / "a.tiff")).mean() == pytest.approx(127, abs=1)


@pytest.mark.parametrize("kind", ["16 bit", "grey with transparency", "palette", "CMYK TIFF"])
def test_a_portrait_of_any_make_keeps_its_brightness(tmp_path: Path, host: Image.Image, kind: str) -> None:
    small = host.resize((224, 384))
    grey = small.convert("L")
    path = tmp_path / ("a.tiff" if kind == "CMYK TIFF" else "a.png")
    if kind == "16 bit":
        Image.fromarray(np.asarray(grey, np.uint16) * 257).save(path)
    elif kind == "grey with transparency":
        small.convert("LA").save(path)
    else:
        (small.quantize(256) if kind == "palette" else small.convert("CMYK")).save(path)
    assert np.asarray(read_still(path)).mean() == pytest.approx(np.asarray(small).mean(), abs=6)
