"""How the Wan VAE is run: whole frames, alone or shared by ranks, and the published tiling.

In: a case's inputs and a seat. Out: our tensors under the golden names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

from pipeline.models.wan_tiles import TiledWanVae, grid
from pipeline.models.wan_vae import MEAN, STD, WanVae, WanVaeConfig
from pipeline.parallel.halo import Bands, Split, Whole
from pipeline.parallel.members import Members
from pipeline.parity.golden import Unreadable
from pipeline.parity.seat import Given, Made

HOLDS = "encoder.conv1.weight"  #: a tensor that only the VAE's weights hold


def vae(given: Given) -> Iterator[Made]:
    net = wan_vae(given)
    for name in list(given):
        if found := re.fullmatch(r"enc_in(\w*)", name):
            yield Made(f"enc_out{found[1]}", net.encode(given[name]))
            if f"enc_mu_raw{found[1]}" in given:
                mean, logvar = net.encode_raw(given[name])
                yield Made(f"enc_mu_raw{found[1]}", mean)
                yield Made(f"enc_logvar_raw{found[1]}", logvar)
        elif found := re.fullmatch(r"dec_in(\w*)", name):
            yield Made(f"dec_out_raw{found[1]}", net.decode(given[name]))
    yield Made("mean", torch.tensor(MEAN))
    yield Made("std", torch.tensor(STD))


def tiles(given: Given) -> Iterator[Made]:
    """The published tiling, and what the whole frame gives."""
    net = wan_vae(given)
    video, latent = given["video_in"], given["latent_whole"]
    rows, columns = given.about["grid"]
    chosen = grid(latent.shape[-2], latent.shape[-1], rows * columns)
    if chosen != (rows, columns):
        raise Unreadable(f"grid is {[rows, columns]}; for this picture {rows * columns} tiles lie as {list(chosen)}")
    tiled = TiledWanVae(wan_vae(given, Whole()), given.seat.members or Members(), rows * columns)
    yield Made("latent_whole", net.encode(video))
    yield Made("latent_sliced", tiled.encode(video))
    yield Made("video_whole", net.decode(latent).clamp(-1, 1))
    yield Made("video_sliced", tiled.decode(latent).clamp(-1, 1))


def wan_vae(given: Given, split: Split | None = None) -> WanVae:
    """split: of the seat's ranks, where it is None."""
    if split is None:
        split = Whole() if given.seat.members is None else Bands(given.seat.members)
    return given.filled(lambda config: WanVae(WanVaeConfig.from_json(config), split), HOLDS)
