"""Sound for the transformer: windows of audio features become a few tokens for each latent frame.

In: the windows of a chunk's video frames, five rows each. Out: 32 tokens a latent frame. A latent frame sees what its
own video frames heard: the first frame of a group its past and its own row, those between their own row, the last one
its own row and its future; the first latent frame is one video frame, with its whole window.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

NORM_EPS = 1e-5


class AudioAdapter(nn.Module):
    """window: rows a video frame sees (odd). layers, channels: of the audio encoder. hidden: of the projection.

    width: of a token; tokens: a latent frame. group: video frames of a latent frame, but for the first.
    """

    def __init__(
        self, window: int, layers: int, channels: int, hidden: int, width: int, tokens: int, group: int
    ) -> None:
        super().__init__()
        self.window, self.group, self.tokens, self.width = window, group, tokens, width
        rows = window + 1 + group - 2  # (middle + 1) twice is window + 1, and one row of each frame between
        self.proj1 = nn.Linear(window * layers * channels, hidden)
        self.proj1_vf = nn.Linear(rows * layers * channels, hidden)
        self.proj2 = nn.Linear(hidden, hidden)
        self.proj3 = nn.Linear(hidden, tokens * width)
        self.norm = nn.LayerNorm(width, NORM_EPS)

    def forward(self, audio: Tensor) -> Tensor:
        """[1, F, window, layers, channels] → [1, 1 + (F - 1) / group, tokens, width], in audio's type."""
        assert (audio.shape[1] - 1) % self.group == 0 and audio.shape[2] == self.window, audio.shape
        first = torch.relu(self.proj1(audio[:, :1].flatten(2)))
        x = first
        if audio.shape[1] > 1:
            x = torch.cat([first, torch.relu(self.proj1_vf(self._grouped(audio[:, 1:])))], 1)
        x = self.proj3(torch.relu(self.proj2(x))).reshape(*x.shape[:2], self.tokens, self.width)
        norm = self.norm
        return F.layer_norm(x.float(), (self.width,), norm.weight.float(), norm.bias.float(), norm.eps).to(x.dtype)

    def _grouped(self, audio: Tensor) -> Tensor:
        """[1, (T - 1) * group, window, layers, channels] → [1, T - 1, rows * layers * channels]."""
        middle = self.window // 2
        groups = audio.reshape(1, -1, self.group, *audio.shape[2:])
        first = groups[:, :, 0, : middle + 1]
        between = groups[:, :, 1:-1, middle]
        last = groups[:, :, -1, middle:]
        return torch.cat([first, between, last], 2).flatten(2)
