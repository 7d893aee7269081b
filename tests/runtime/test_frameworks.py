"""The samples' unmodified scripts in the real server, each with its framework and a model trained just now.

PyTorch is not among the tests' packages, because its wheel brings gigabytes: that sample runs in
tests/live/test_frameworks.py with Debian's PyTorch, and in tests/soak/test_torch_wheel.py with the wheel.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.model_samples import ONNX, SAMPLES, SKLEARN, TF1, TF2, Sample, agree
from tests.runtime.server_process import Server, StartServer

# The sample's own training, cut short: one round over a third of the images.
SHORT_MNIST = """
import sys
from pathlib import Path
import mnist_data, train
whole = mnist_data.load_training(mnist_data.DEFAULT_FOLDER)
part = mnist_data.Digits(whole.images[:20_000], whole.labels[:20_000])
into = Path(sys.argv[1], "model")
into.mkdir()
train.train(part, mnist_data.load_test(mnist_data.DEFAULT_FOLDER), into, epochs=1, wanted_accuracy=0.9)
"""


def trained(sample: Sample, folder: Path) -> Path:
    """Return where train.py put the model; the sample requests that it writes are those that are kept."""
    requests = folder / "requests"
    model = sample.train(folder / "outputs", "--sample-requests", requests)
    kept = {path.name for path in (sample.source / "sample-requests").iterdir()}
    assert {path.name for path in requests.iterdir()} == kept
    for name in kept:
        if name.endswith(".json"):
            texts = [(place / name).read_text() for place in (requests, sample.source / "sample-requests")]
            assert agree(*map(json.loads, texts))
    return model


def serve(sample: Sample, model: Path, folder: Path, start_server: StartServer) -> Server:
    settings = sample.lay_out(model, folder / "app")
    server: Server = start_server(TF_CPP_MIN_LOG_LEVEL="2", **settings)
    server.wait_ready()
    return server


def assert_scores_its_requests(sample: Sample, server: Server) -> None:
    sample.assert_scored(lambda body: server.score(body, **{"Content-Type": "application/json"}).json())


def test_scikit_learn_is_trained_and_scored_through_the_schema_that_its_script_declares(
    tmp_path: Path, start_server: StartServer
) -> None:
    server = serve(SKLEARN, trained(SKLEARN, tmp_path), tmp_path, start_server)
    assert_scores_its_requests(SKLEARN, server)
    refused = server.score('{"data": [[1, 2]]}', **{"Content-Type": "application/json"})
    assert refused.status_code == 500


def test_onnx_runtime_is_trained_for_and_scores_pictures_taken_from_the_raw_request(
    tmp_path: Path, start_server: StartServer
) -> None:
    server = serve(ONNX, trained(ONNX, tmp_path), tmp_path, start_server)
    assert_scores_its_requests(ONNX, server)
    refused = server.score(b"no picture at all")
    assert (refused.status_code, refused.text) == (400, "The body is not a picture.")


def test_a_tensorflow_1_script_is_trained_for_and_scored_with_tensorflow_2(
    tmp_path: Path, start_server: StartServer
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(SAMPLES / "mnist-tf"), "PYTHONDONTWRITEBYTECODE": "1"}
    subprocess.run([sys.executable, "-c", SHORT_MNIST, tmp_path], env=environment, check=True)
    server = serve(TF1, tmp_path / "model", tmp_path, start_server)
    assert_scores_its_requests(TF1, server)


def test_a_tensorflow_2_script_is_trained_and_scored_with_a_keras_model_of_its_time(
    tmp_path: Path, start_server: StartServer
) -> None:
    server = serve(TF2, trained(TF2, tmp_path), tmp_path, start_server)
    assert_scores_its_requests(TF2, server)
