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


def test_on_a_terminal_a_step_that_lasts_rewrites_its_line() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    progress = Progress(stream, heartbeat_seconds=0.01)
    with progress.step("build kubelet"):
        while stream.getvalue().count("so far") < 2:
            time.sleep(0.01)
    assert stream.getvalue().count("\n") == 2
    assert "\r\x1b[K  build kubelet: 0 s so far\r\x1b[K" in stream.getvalue()


def test_a_log_holds_no_escape_codes() -> None:
    stream = io.StringIO()
    with Progress(stream, heartbeat_seconds=0.01).step("build kubelet"):
        while "so far" not in stream.getvalue():
            time.sleep(0.01)
    assert "\x1b" not in stream.getvalue()
