"""What the mouth does: from sounds heard and phonemes known to one lip shape a frame.

In: `Heard` rows and PHONEME marks (IPA, 48 kHz samples from the hop's first sample; they may begin
before it). Out: `Lips` a frame. Pure.

Each phoneme has a lip shape; a frame takes the mean of those around its middle (neighbours blend, as
lips do), loudness scales the opening and shuts it in silence, and m, b, p shut it whatever is heard.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import structs

from pipeline.engines.portrait.audio import Heard
from pipeline.media import AIR_HZ, AIR_SAMPLES, PHONEME, Mark


class Lips(NamedTuple):
    """gap: 0 shut … 1 wide open. width: -1 rounded (u) … 0 rest … +1 spread (i). teeth: 0 … 1, upper lip lifted.
    press: 0 … 1, lips on each other. tongue: 0 … 1, its tip up behind the teeth (l)."""

    gap: float
    width: float
    teeth: float
    press: float = 0.0
    tongue: float = 0.0


SHUT = Lips(0.0, 0.0, 0.0)
REST = SHUT  #: silent lips are the picture as it is, shut

#: Lip shapes by the first letter of the IPA symbol (after Fisher's and Jeffers' viseme classes).
SHAPES: dict[str, Lips] = {
    **dict.fromkeys("aɑɐäᴀ", Lips(1.0, 0.05, 0.35)),
    **dict.fromkeys("æɛ", Lips(0.82, 0.40, 0.55)),
    **dict.fromkeys("ʌɜəɚɝɘɤ", Lips(0.62, 0.05, 0.35)),
    **dict.fromkeys("e", Lips(0.60, 0.50, 0.55)),
    **dict.fromkeys("iɪɨyʏ", Lips(0.42, 0.75, 0.65)),
    **dict.fromkeys("ɔɒ", Lips(0.80, -0.55, 0.15)),
    **dict.fromkeys("oɵ", Lips(0.62, -0.75, 0.10)),
    **dict.fromkeys("uʊɯʉ", Lips(0.36, -0.95, 0.05)),
    **dict.fromkeys("wʍɥ", Lips(0.22, -1.0, 0.0)),
    **dict.fromkeys("mbpɓ", SHUT),
    **dict.fromkeys("fvɱʋβɸ", Lips(0.12, 0.15, 0.9)),
    **dict.fromkeys("θð", Lips(0.30, 0.15, 0.5, tongue=0.85)),
    **dict.fromkeys("szɕʑ", Lips(0.20, 0.45, 0.9)),
    **dict.fromkeys("ʃʒʂʐ", Lips(0.28, -0.55, 0.8)),
    **dict.fromkeys("tdnɾʈɖɳ", Lips(0.30, 0.15, 0.5, tongue=0.7)),
    **dict.fromkeys("lɫɭ", Lips(0.38, 0.10, 0.4, tongue=1.0)),
    **dict.fromkeys("rɹɻʁʀ", Lips(0.30, -0.45, 0.3)),
    **dict.fromkeys("jʎ", Lips(0.32, 0.55, 0.5)),
    **dict.fromkeys("kɡgqŋxχɣɲcɟ", Lips(0.36, 0.10, 0.3)),
    **dict.fromkeys("hɦʔ", Lips(0.45, 0.0, 0.3)),
}
CLOSED_LETTERS = frozenset("mbpɓ")
TAPS_S = (-0.05, -0.033, -0.017, 0.0, 0.017, 0.033, 0.05)  #: moments around a frame's middle that shape it
TAP_WEIGHTS = (0.25, 0.6, 0.9, 1.0, 0.9, 0.6, 0.25)
LEAD_S = 0.012  #: lips are ahead of the sound; it makes up for INERTIA
LOUD_SHARE = 0.7  #: how much of the opening follows loudness, the rest follows the shape alone
INERTIA = 0.2  #: share of the last frame's lips that remains
PRESS_SPEED = 0.6  #: share of the way that lips go in a frame to and from a press for m, b, p
DEAD = 0.05  #: opening that counts as none, so that a fading mouth is shut and not ajar
BESIDE_CLOSURE = 0.7  #: opening left in the frames beside m, b, p: lips are on their way
LONGEST = AIR_HZ  #: samples a phoneme may last: a wrong mark must not hold the mouth for ever
KEPT_PHONEMES = 8  #: marks carried over that reach into the next hop


def shape_hop(heard: Heard, phonemes: Sequence[Mark], last: Lips) -> list[Lips]:
    """One `Lips` for each frame of the hop; `last` are those of the frame before."""
    closures = _closures(phonemes, len(heard.loud))
    lips: list[Lips] = []
    for index, loud in enumerate(heard.loud):
        known, share = _known_shape(phonemes, (index + 0.5) * AIR_SAMPLES + LEAD_S * AIR_HZ)
        guess = _guessed_shape(float(heard.openness[index]), float(heard.front[index]), float(heard.hiss[index]))
        last = _move(last, _opened(_mix(guess, known, share), float(loud)), float(closures[index]))
        lips.append(last)
    return lips


def carried(phonemes: Sequence[Mark], hop_samples: int) -> tuple[Mark, ...]:
    """The marks of this hop that still sound in the next one, seen from there."""
    reach = [mark for mark in phonemes if mark.at < hop_samples < mark.at + mark.span]
    return tuple(mark.moved(-hop_samples) for mark in reach[-KEPT_PHONEMES:])


def phonemes_of(marks: Sequence[Mark]) -> list[Mark]:
    """The PHONEME marks that name a sound, in order of time, none longer than LONGEST."""
    named = (mark for mark in marks if mark.kind == PHONEME and letters(mark.text))
    return sorted((structs.replace(mark, span=min(mark.span, LONGEST)) for mark in named), key=lambda mark: mark.at)


def letters(ipa: str) -> list[str]:
    """The letters of an IPA text that have a lip shape: diacritics, tones, stress and length fall away."""
    return [letter for letter in unicodedata.normalize("NFD", ipa) if letter in SHAPES]


def closes_lips(ipa: str) -> bool:
    """Whether the sound cannot be made with open lips: m, b, p."""
    return any(letter in CLOSED_LETTERS for letter in letters(ipa)[:1])


def _shape_at(mark: Mark, sample: float) -> Lips:
    sounds = letters(mark.text)
    place = (sample - mark.at) / max(mark.span, 1)
    return SHAPES[sounds[min(int(place * len(sounds)), len(sounds) - 1)]]


def _known_shape(phonemes: Sequence[Mark], middle: float) -> tuple[Lips, float]:
    """Mean shape around a sample and how much of that time has a known phoneme, 0 … 1."""
    covered, sums = 0.0, [0.0] * len(REST)
    for offset, weight in zip(TAPS_S, TAP_WEIGHTS, strict=True):
        sample = middle + offset * AIR_HZ
        mark = next((m for m in reversed(phonemes) if m.at <= sample < m.at + max(m.span, 1)), None)
        if mark is not None:
            shape = _shape_at(mark, sample)
            sums = [total + weight * value for total, value in zip(sums, shape, strict=True)]
            covered += weight
    if covered == 0:
        return REST, 0.0
    return Lips(*(total / covered for total in sums)), covered / sum(TAP_WEIGHTS)


def _guessed_shape(openness: float, front: float, hiss: float) -> Lips:
    """The shape from the colour of the voice alone."""
    vowel = Lips(0.38 + 0.62 * openness, 1.3 * (front - 0.5) * (1.2 - 0.7 * openness), 0.2 + 0.5 * front)
    return _mix(vowel, SHAPES["s"], hiss)


def _mix(one: Lips, other: Lips, share: float) -> Lips:
    return Lips(*(a + share * (b - a) for a, b in zip(one, other, strict=True)))


def _opened(shape: Lips, loud: float) -> Lips:
    if loud == 0:
        return SHUT
    force = (1 - LOUD_SHARE) * min(1.0, loud * 5) + LOUD_SHARE * loud**0.6
    return shape._replace(gap=shape.gap * force, width=shape.width * min(1.0, loud * 4))


def _move(last: Lips, goal: Lips, closure: float) -> Lips:
    """One frame towards the goal; width moves slower than the jaw."""
    gap = (last.gap + (1 - INERTIA) * (goal.gap - last.gap)) * closure
    width = last.width + 0.5 * (goal.width - last.width)
    teeth = last.teeth + 0.5 * (goal.teeth - last.teeth)
    press = last.press + PRESS_SPEED * ((1.0 if closure == 0 else 0.0) - last.press)
    tongue = last.tongue + 0.6 * (goal.tongue - last.tongue)
    return Lips(gap if gap > DEAD else 0.0, width, teeth, press if press > DEAD else 0.0, tongue)


def _closures(phonemes: Sequence[Mark], frames: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Factor on the opening of each frame: 0 while m, b, p shut the lips, BESIDE_CLOSURE next to them."""
    factor = np.ones(frames)
    for mark in phonemes:
        if not closes_lips(mark.text):
            continue
        first = int((mark.at + 0.25 * mark.span) // AIR_SAMPLES)
        last = max(first, int((mark.at + 0.65 * mark.span) // AIR_SAMPLES))
        for index in range(max(first - 1, 0), min(last + 2, frames)):
            inside = first <= index <= last
            factor[index] = min(factor[index], 0.0 if inside else BESIDE_CLOSURE)
    return factor
