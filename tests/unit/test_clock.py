from __future__ import annotations

from pipeline.clock import (
    NS,
    SLOT_NS,
    FakeClock,
    RealClock,
    frames_to_ms,
    frames_to_samples,
    samples_to_ms,
    seconds_to_samples,
)
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, AIR_SAMPLES, DRIVE_SAMPLES, FPS, Mark, MediaFormat


def test_a_frame_is_a_whole_number_of_samples_at_both_rates() -> None:
    assert AIR_SAMPLES * FPS == AIR_HZ
    assert DRIVE_SAMPLES * AIR_PER_DRIVE == AIR_SAMPLES


def test_thirty_days_of_media_time_stay_exact() -> None:
    frames = 30 * 86400 * FPS
    assert frames_to_samples(frames) == 30 * 86400 * AIR_HZ
    assert frames_to_ms(frames) == 30 * 86400 * 1000 == samples_to_ms(frames_to_samples(frames))
    assert frames * SLOT_NS == 30 * 86400 * NS


def test_seconds_become_samples_by_rounding() -> None:
    assert seconds_to_samples(0.25) == 12_000
    assert seconds_to_samples(1 / 3) == 16_000


def test_a_fake_clock_moves_only_when_told() -> None:
    clock = FakeClock()
    before = clock.now_ns()
    assert clock.now_ns() == before
    clock.sleep_until(before + 5 * NS)
    assert clock.now_ns() == before + 5 * NS
    clock.sleep_until(before)
    assert clock.now_ns() == before + 5 * NS


def test_a_wall_step_leaves_monotonic_time_alone() -> None:
    clock = FakeClock()
    now, wall = clock.now_ns(), clock.wall_s()
    clock.step_wall(3600)
    assert clock.now_ns() == now
    assert clock.wall_s() - wall == 3600


def test_the_real_clock_sleeps_to_the_deadline() -> None:
    clock = RealClock()
    deadline = clock.now_ns() + 3_000_000
    clock.sleep_until(deadline)
    assert clock.now_ns() >= deadline


def test_a_format_counts_bytes_and_samples() -> None:
    media = MediaFormat(width=448, height=768, hop_frames=28, overlap_frames=5)
    assert media.frame_bytes == 516_096
    assert media.rows * media.width == media.frame_bytes
    assert media.hop_air_samples == 53_760 and media.hop_drive_samples == 17_920


def test_a_mark_moves_with_its_origin() -> None:
    assert Mark(100, "word", text="a", span=7).moved(-40) == Mark(60, "word", text="a", span=7)
