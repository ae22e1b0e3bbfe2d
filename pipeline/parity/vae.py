"""How the VAEs are run: Wan's with whole frames, alone or shared by ranks, and with the published tiling; LTX's.

In: a case's inputs and a seat. Out: our tensors under the golden names.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from pipeline.models.ltx_vae import LtxVae, LtxVaeConfig, renamed
from pipeline.models.wan_tiles import TiledWanVae, grid
from pipeline.models.wan_vae import MEAN, STD, WanVae, WanVaeConfig
from pipeline.parallel.halo import Bands, Split, Whole
from pipeline.parallel.members import Members
from pipeline.parity.golden import Unreadable
from pipeline.parity.seat import Given, Made

HOLDS = "encoder.conv1.weight"  #: a tensor that only the Wan VAE's weights hold
LTX_HOLDS = "encoder.conv_in.conv.weight"  #: a tensor that only the LTX VAE's weights hold


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


def ltx(given: Given) -> Iterator[Made]:
    """The distribution of an encoded video, and decoding; statistics as they lie in the weights."""
    net = ltx_vae(given)
    for name in list(given):
        if found := re.fullmatch(r"enc_in(\w*)", name):
            part = found[1]
            mean, deviation = net.encode_raw(given[name])
            yield Made(f"enc_mean{part}", mean)
            yield Made(f"enc_std{part}", deviation)
            yield Made(f"enc_mean_normalised{part}", net.encode(given[name])[None])
            if f"enc_moments{part}" in given:
                mean, log_variance = net.moments(given[name])
                yield Made(f"enc_moments{part}", torch.cat([mean, log_variance.expand_as(mean)], 1))
    if "dec_in" in given:
        yield Made("dec_out", net.decode(given["dec_in"][0]))
        yield Made("dec_out_first", net.decode(given["dec_in"][0][:, :1]))
    yield Made("mean_of_means", net.latents_mean)
    yield Made("std_of_means", net.latents_std)


def ltx_vae(given: Given) -> LtxVae:
    """Weights by the names of the first publication."""
    config = LtxVaeConfig.from_json(given.case.weights(LTX_HOLDS)[1])

    def named(key: str, tensor: Tensor) -> Iterable[tuple[str, Tensor]]:
        yield renamed(key, config), tensor

    return given.filled(lambda _: LtxVae(config), LTX_HOLDS, named)
