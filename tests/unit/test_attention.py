"""Every kernel that works here gives the definition's numbers, and one that does not work is passed over."""

from __future__ import annotations

import math
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline import attention
from pipeline.attention import HALF, Automatic, Flash, Kernel, Sage, Sdpa, choose, plain

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
KERNELS = [kernel for kernel in attention.candidates(True) if kernel.name in attention.available()]
#: rel L2 to float64; the type's own rounding, with room
NEAR = {torch.float64: 1e-6, torch.float32: 1e-5, torch.bfloat16: 1e-2}


def drawn(dtype: torch.dtype, heads: int = 3, n: int = 37, m: int = 53, d: int = 24) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v as a network has them, [B, n, heads, d] transposed; keys large enough to make some weights stand out."""
    generator = torch.Generator().manual_seed(n * m)
    q, k, v = (torch.randn(2, rows, heads, d, generator=generator, dtype=torch.float64) for rows in (n, m, m))
    return tuple(x.to(DEVICE, dtype).transpose(1, 2) for x in (q, 2 * k, v))  # type: ignore[return-value]


def oracle(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Attention as it is written, in float64; nothing of the tested code."""
    scores = torch.einsum("bhnd,bhmd->bhnm", q.double(), k.double()) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = torch.where(mask, scores, -math.inf)
    weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
    return torch.einsum("bhnm,bhmd->bhnd", weights, v.double()), scores.exp().sum(-1).log()


def apart(made: Tensor, expected: Tensor) -> float:
    assert made.shape == expected.shape
    return float((made.double() - expected).norm() / expected.norm())


def masks(n: int, m: int) -> dict[str, Tensor | None]:
    some = torch.rand(n, m, generator=torch.Generator().manual_seed(1)) > 0.6
    some[:, 0] = True
    return {"none": None, "[n, m]": some.to(DEVICE), "[1, m]": some[3:4].to(DEVICE), "[1, 1, n, m]": some[None, None]}


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("kernel", [*KERNELS, Automatic()], ids=lambda kernel: kernel.name)
def test_a_kernel_gives_the_definition_with_and_without_mask(kernel: Kernel, dtype: torch.dtype) -> None:
    q, k, v = drawn(dtype)
    near = 0.1 if isinstance(kernel, Sage) else NEAR[dtype]
    for mask in masks(q.shape[2], k.shape[2]).values():
        mask = None if mask is None else mask.to(DEVICE)
        out, lse = oracle(q, k, v, mask)
        alone = kernel(q, k, v, mask)
        made, sums = kernel.with_lse(q, k, v, mask)
        assert alone.dtype == made.dtype == dtype and sums.dtype == torch.float32
        assert apart(alone, out) < near and apart(made, out) < near and apart(sums, lse) < near


@pytest.mark.parametrize("dtype", NEAR, ids=str)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_two_halves_merged_by_their_log_sum_exp_are_the_whole(kernel: Kernel, dtype: torch.dtype) -> None:
    q, k, v = drawn(dtype)
    near = 0.1 if isinstance(kernel, Sage) else NEAR[dtype]
    (one, lse1), (other, lse2) = (
        kernel.with_lse(q, k[:, :, part], v[:, :, part]) for part in (slice(20), slice(20, None))
    )
    weight = torch.sigmoid(lse2 - lse1).double()[..., None]
    whole, lse = oracle(q, k, v)
    assert apart(one * (1 - weight) + other * weight, whole) < near
    assert apart(torch.logaddexp(lse1, lse2), lse) < near
    assert apart(one.double() / 2 + other.double() / 2, whole) > 0.1  # the weights matter


def test_the_definition_in_pieces_is_the_definition(monkeypatch: pytest.MonkeyPatch) -> None:
    q, k, v = drawn(torch.float64)
    for mask in masks(q.shape[2], k.shape[2]).values():
        mask = None if mask is None else mask.to(DEVICE)
        monkeypatch.setattr(attention, "PLAIN_SCORES", 2 * 3 * 53 * 5)  # five queries at a time
        out, lse = plain(q, k, v, mask)
        whole, sums = oracle(q, k, v, mask)
        assert apart(out, whole) < 1e-12 and apart(lse, sums) < 1e-6


def flash(mistake: Callable[[Tensor, Tensor], Any], asked: bool = True) -> Callable[..., Any]:
    """A stand-in for the package's function on a machine without it: [B, n, heads, d], right but for `mistake`."""

    def new(q: Tensor, k: Tensor, v: Tensor, return_attn_probs: bool = False) -> Any:
        out, lse = old(q, k, v)
        return (out, lse, None) if return_attn_probs else out

    def old(q: Tensor, k: Tensor, v: Tensor) -> Any:
        out, lse = plain(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        return mistake(out.transpose(1, 2), lse)

    return new if asked else old


def right(out: Tensor, lse: Tensor) -> Any:
    return out, lse


def no_lse(out: Tensor, lse: Tensor) -> Any:
    return out, torch.zeros_like(lse)  # as a known package does


def log2_lse(out: Tensor, lse: Tensor) -> Any:
    return out, lse / math.log(2)


def wrong_numbers(out: Tensor, lse: Tensor) -> Any:
    return out * 1.1, lse


def not_a_number(out: Tensor, lse: Tensor) -> Any:
    return out * math.nan, lse


def broadcasts(out: Tensor, lse: Tensor) -> Any:
    return out, lse[:, :, :1].expand_as(lse)[:, :, :1]


def raises(_out: Tensor, _lse: Tensor) -> Any:
    raise RuntimeError("FlashAttention only supports Ampere GPUs or newer.")


def install(monkeypatch: pytest.MonkeyPatch, name: str, function: str, does: Callable[..., Any]) -> None:
    module = types.ModuleType(name)
    setattr(module, function, does)
    monkeypatch.setitem(sys.modules, name, module)


@pytest.mark.parametrize("asked", [True, False], ids=["can be asked for the sums", "always gives them"])
@pytest.mark.parametrize("package", ["flash_attn_interface", "flash_attn"])
def test_a_package_that_works_is_taken(monkeypatch: pytest.MonkeyPatch, package: str, asked: bool) -> None:
    install(monkeypatch, package, "flash_attn_func", flash(right, asked))
    for dtype in HALF:
        kernel = choose(DEVICE, dtype)
        assert kernel.name == {"flash_attn_interface": "flash-attention-3", "flash_attn": "flash-attention-2"}[package]
        q, k, v = drawn(dtype)
        assert apart(kernel(q, k, v), oracle(q, k, v)[0]) < NEAR[torch.bfloat16]
        assert apart(kernel.with_lse(q, k, v)[1], oracle(q, k, v)[1]) < NEAR[torch.bfloat16]


@pytest.mark.parametrize(
    "mistake", [raises, no_lse, log2_lse, wrong_numbers, not_a_number, broadcasts], ids=lambda mistake: mistake.__name__
)
def test_a_package_that_is_broken_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, mistake: Callable[[Tensor, Tensor], Any]
) -> None:
    install(monkeypatch, "flash_attn_interface", "flash_attn_func", flash(mistake))
    install(monkeypatch, "flash_attn", "flash_attn_func", flash(right))
    assert choose(DEVICE, torch.bfloat16).name == "flash-attention-2"
    install(monkeypatch, "flash_attn", "flash_attn_func", flash(mistake))
    assert choose(DEVICE, torch.bfloat16).name in ("cudnn-sdpa", "sdpa")


def test_a_package_that_fails_to_import_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "flash_attn_interface", None)  # raises ImportError
    monkeypatch.setitem(sys.modules, "flash_attn", types.ModuleType("flash_attn"))  # without the function
    assert choose(DEVICE, torch.bfloat16).name in ("cudnn-sdpa", "sdpa")


def test_eight_bit_attention_is_taken_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def sageattn(q: Tensor, k: Tensor, v: Tensor, tensor_layout: str, is_causal: bool, return_lse: bool = False) -> Any:
        assert tensor_layout == "HND" and not is_causal
        out, lse = plain(q, k, v)
        return (out * 1.03, lse) if return_lse else out * 1.03  # as coarse as it may be

    install(monkeypatch, "sageattention", "sageattn", sageattn)
    assert choose(DEVICE, torch.bfloat16).name != "sageattention"
    assert choose(DEVICE, torch.bfloat16, allow_sage=True).name == "sageattention"
    assert "sageattention" in attention.available()


def test_the_foreign_kernels_are_not_asked_for_what_they_cannot_do(monkeypatch: pytest.MonkeyPatch) -> None:
    install(monkeypatch, "flash_attn", "flash_attn_func", flash(right))
    assert choose(DEVICE, torch.float32).name == "sdpa"
    kernel = Flash("flash-attention-2", flash(raises))
    q, k, v = drawn(torch.float32)
    assert apart(kernel(q, k, v), oracle(q, k, v)[0]) < NEAR[torch.float32]  # too wide for it
    q, k, v = drawn(torch.bfloat16)
    mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=DEVICE)
    assert apart(kernel(q, k, v, mask), oracle(q, k, v)[0]) < NEAR[torch.bfloat16]  # masked
    with pytest.raises(RuntimeError, match="Ampere"):
        kernel(q, k, v)
    q, k, v = drawn(torch.bfloat16, d=20)
    assert apart(kernel(q, k, v), oracle(q, k, v)[0]) < NEAR[torch.bfloat16]  # a head size of few kernels


def test_the_automatic_kernel_chooses_once_for_each_type_and_head_size(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[torch.dtype, int]] = []

    def chooses(device: torch.device, dtype: torch.dtype, allow_sage: bool, head_dim: int) -> Kernel:
        asked.append((dtype, head_dim))
        return Sdpa()

    monkeypatch.setattr(attention, "choose", chooses)
    kernel = Automatic()
    for dtype, d in ((torch.float32, 24), (torch.bfloat16, 24), (torch.bfloat16, 16)):
        for _ in range(3):
            q, k, v = drawn(dtype, d=d)
            kernel(q, k, v)
            kernel.with_lse(q, k, v)
    assert asked == [(torch.float32, 24), (torch.bfloat16, 24), (torch.bfloat16, 16)]


def test_importing_it_imports_no_foreign_kernel() -> None:
    code = (
        "import sys, pipeline.attention as a; "
        "print([m for m in ('flash_attn', 'flash_attn_interface', 'sageattention', 'triton', 'numpy.testing', 'xfuser',"
        " 'transformers', 'pipeline.wire', 'pipeline.parallel') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
