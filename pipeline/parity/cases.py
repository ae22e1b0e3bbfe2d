"""The table of golden cases that can be run, and how a file is recognised as one of them.

In: a case of a golden directory. Out: its kind: what runs it, whether ranks can share it, the tolerances where the
directory gives none. A new case is one entry here and one function that yields its tensors.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from pipeline.parity.golden import Case
from pipeline.parity.seat import Driver


@dataclass(frozen=True)
class Kind:
    """name: of the published case. has: tensors that no other kind has all of. driver: import string.

    spread: more than one rank can share it.
    """

    name: str
    has: tuple[str, ...]
    driver: str
    spread: bool = False
    tolerances: Mapping[str, float] = field(default_factory=dict)

    def load(self) -> Driver:
        module, _, name = self.driver.partition(":")
        driver: Driver = getattr(importlib.import_module(module), name)
        return driver


_LOOP = {"*.decoded": 2e-3, "*.corrected": 2e-3, "*": 1e-3}
_SMALL = {
    "color.*_lab": 2e-3,
    "color.*flat*": 2e-4,
    "color.*": 2e-5,
    "resize.*": 0.0,
    "loudness.*": 1e-6,
    "timesteps.*": 1e-3,
}

#: Tolerances: max abs in float32 on a CPU, as published with the golden cases; a directory's own come first.
KINDS = (
    Kind(
        "flashtalk_dit", ("context", "clip_fea", "x", "t"), "pipeline.parity.transformer:transformer", True, {"*": 3e-5}
    ),
    Kind(
        "flashtalk_pipeline", ("image_uint8", "y", "motion0", "chunk0.noise0"), "pipeline.parity.loop:loop", True, _LOOP
    ),
    Kind("wan_vae", ("dec_in", "dec_out_raw"), "pipeline.parity.vae:vae", True, {"*": 5e-5}),
    Kind(
        "wan_vae_sliced",
        ("latent_whole", "latent_sliced"),
        "pipeline.parity.vae:tiles",
        True,
        {"latent_*": 1e-4, "video_*": 2e-3},
    ),
    Kind("misc", ("color.reference",), "pipeline.parity.senses:misc", False, _SMALL),
    Kind("audio", ("enc.waveform",), "pipeline.parity.senses:audio", False, {"stream.*": 5e-4, "*": 1e-4}),
    Kind("text_encoder", ("ids", "mask", "out"), "pipeline.parity.senses:text", False, {"*": 5e-5}),
    Kind("image_encoder", ("picture", "pixels"), "pipeline.parity.senses:picture", False, {"pixels": 1e-5, "*": 5e-5}),
    Kind("flashhead_dit", ("x", "y", "t", "t_rounded"), "pipeline.parity.transformer:speaker", True, {"*": 3e-5}),
    Kind("flashhead_pipeline", ("ref_latent", "chunk0.noise0"), "pipeline.parity.loop:speaking", True, _LOOP),
    Kind("ltx_vae", ("dec_in", "dec_out", "enc_in_1f"), "pipeline.parity.vae:ltx", False, {"*": 1e-4}),
)


def kind_of(case: Case) -> Kind | None:
    """By the beginning of its name (the longest that fits), else by its tensors; None for an unknown one."""
    named = [kind for kind in KINDS if case.name == kind.name or case.name.startswith(kind.name + "_")]
    if named:
        return max(named, key=lambda kind: len(kind.name))
    tensors = case.about.get("tensors", {})
    return next((kind for kind in KINDS if all(name in tensors for name in kind.has)), None)
