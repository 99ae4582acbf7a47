"""Whatever comes in is refused with an error of ours, and nothing is believed that nobody signed.

In part: seeds from the vectors, changed at random. Whole (`make test-long`): guided by the coverage
of the code itself, half a minute for each target, where atheris can be installed.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import Target, build_targets

TARGETS = build_targets()
_SECONDS = 30
_EACH = pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)


@st.composite
def _changed(draw: st.DrawFn, target: Target) -> bytes:
    """Draw a seed with some of its bytes flipped, dropped, repeated, or replaced by others."""
    data = bytearray(draw(st.sampled_from(target.seeds)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        match draw(st.sampled_from(("flip", "drop", "repeat", "replace", "number"))):
            case "flip" if start < len(data):
                data[start] ^= 1 << draw(st.integers(0, 7))
            case "drop":
                del data[start:end]
            case "repeat":
                data[start:start] = data[start:end]
            case "number":
                data[start:end] = str(draw(st.integers())).encode()
            case _:
                data[start:end] = draw(st.binary(max_size=40))
    return bytes(data)


@_EACH
def test_a_seed_is_believed(target: Target) -> None:
    for seed in target.seeds:
        if target.name == "completeness":
            continue  # a whole bundle is in its own tests; here only what is malformed
        assert target.read(seed) in target.believed


@_EACH
@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_a_changed_input_is_refused_or_says_the_same(target: Target, data: st.DataObject) -> None:
    target.run(data.draw(_changed(target)))


@_EACH
@given(data=st.binary(max_size=300))
@settings(max_examples=50, deadline=None)
def test_noise_is_refused(target: Target, data: bytes) -> None:
    target.run(data)


def test_a_planted_forgery_is_found() -> None:
    seed = TARGETS["checkpoint"].seeds[0]
    gullible = Target("gullible", [seed], lambda data: data, frozenset({seed}))
    with pytest.raises(AssertionError):
        gullible.run(seed + b"x")


@pytest.mark.long
@_EACH
def test_guided_by_coverage(target: Target, whole: bool, tmp_path: Path) -> None:
    if not whole or importlib.util.find_spec("atheris") is None:
        pytest.skip("half a minute each, by `make test-long`, where atheris can be installed")
    for number, seed in enumerate(target.seeds):
        (tmp_path / str(number)).write_bytes(seed)
    found = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", target.name, str(tmp_path), str(_SECONDS)],
        capture_output=True,
        text=True,
        timeout=_SECONDS * 10,
        check=False,
    )
    assert found.returncode == 0, found.stderr[-3_000:]
