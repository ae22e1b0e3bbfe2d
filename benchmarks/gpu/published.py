"""What others published for the same work, to be printed beside what is measured here. Milliseconds unless said."""

from __future__ import annotations

STEP = "1xH800 1070, compiled 800"
DECODE = "1xH800: 988"
ENCODE = "1xH800: 97"
AUDIO = "8xH800: 33"
CHUNK = "8xH800 876; live 1120"
MATMUL = "H200: 769-798 TFLOP/s"
COPY = "H200: 4.3 TB/s"
ATTENTION = "H100 TFLOP/s: cuDNN 595, FA3 648"
FP8 = "H100 TFLOP/s: 1125"
ANCHORS = (
    ("FlashTalk report, 8xH800, 416x720", "chunk 876: audio 33, DiT 4 x 154, decode 187, motion encode 14"),
    ("FlashTalk report, 1xH800", "step 1070 (800 compiled), decode 988, encode 97"),
    ("users of the reference, 8xA100", "step 336, decode 249"),
    ("SGLang port, 8xH20, 448x768", "step 702 (reference), 567 bf16, 366 FP8; chunk 2170"),
    ("SGLang realtime, CUDA graphs", "chunk 617 to 497"),
)
