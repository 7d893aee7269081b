"""How the sample's demo ends when it cannot go on."""

from pathlib import Path

import demo
import mnist_data
import pytest

from gpu_inference.errors import GpuInferenceError


def test_a_training_that_fails_ends_the_demo_with_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "train.py").write_text("import sys; sys.exit('no data')")
    monkeypatch.setattr(demo, "HERE", tmp_path)
    with pytest.raises(GpuInferenceError, match=r"could not be trained: train\.py says why above"):
        demo.train()


@pytest.mark.parametrize(
    ("reason", "status", "said"),
    [
        (GpuInferenceError("Go is missing.", "apt-get install golang"), 1, "demo: Go is missing.\n  apt-get"),
        (mnist_data.DataError("MNIST is damaged."), 1, "demo: MNIST is damaged."),
        (
            KeyboardInterrupt(),
            130,
            "demo: interrupted. `make demo` goes on from here, `make down` cleans up.",
        ),
    ],
)
def test_what_stops_the_demo_is_told_without_a_traceback(
    reason: BaseException,
    status: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*_: object) -> None:
        raise reason

    monkeypatch.setattr(demo, "demonstrate", stop)
    assert demo.main([]) == status
    assert capsys.readouterr().err.startswith(said)
