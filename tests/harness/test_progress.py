"""What a person sees of a long command."""

import io
import time

import pytest

from gpu_inference.progress import Progress, Silent


def test_a_step_says_when_it_begins_and_how_long_it_took() -> None:
    stream = io.StringIO()
    with Progress(stream).step("build kubelet"):
        pass
    began, ended = stream.getvalue().splitlines()
    assert began == "• build kubelet …"
    assert ended.startswith("✓ build kubelet: 0.")


def test_a_step_that_lasts_is_never_silent() -> None:
    stream = io.StringIO()
    with Progress(stream, heartbeat_seconds=0.01).step("build kubelet"):
        while "so far" not in stream.getvalue():
            time.sleep(0.01)


def test_a_step_that_fails_says_so_and_lets_the_error_through() -> None:
    stream = io.StringIO()
    with pytest.raises(ValueError, match="why"), Progress(stream).step("build kubelet"):
        raise ValueError("why")
    assert "✗ build kubelet: failed after" in stream.getvalue()


def test_a_step_stopped_by_ctrl_c_says_interrupted() -> None:
    stream = io.StringIO()
    with pytest.raises(KeyboardInterrupt), Progress(stream).step("build kubelet"):
        raise KeyboardInterrupt
    assert "✗ build kubelet: interrupted after" in stream.getvalue()


def test_silent_progress_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Silent().step("build kubelet"):
        pass
    assert capsys.readouterr() == ("", "")
