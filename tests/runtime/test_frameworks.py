"""The samples' unmodified scripts in the real server, each with its framework and a model trained just now.

PyTorch is not among the tests' packages, because its wheel brings gigabytes: that sample runs in
tests/live/test_frameworks.py with Debian's PyTorch, and in tests/soak/test_torch_wheel.py with the wheel.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.model_samples import ONNX, SAMPLES, SKLEARN, TF1, TF2, WITHOUT_SKLEARN, Sample, agree
from tests.runtime.server_process import Server, StartServer

# All trainings in one process, for each import of a framework takes seconds; what fails fails its own test.
# Of TensorFlow 1's sample its own training, cut short: one round over a third of the images.
TRAININGS = """
import json, os, runpy, sys, traceback
from pathlib import Path
samples, into, *names = map(Path, sys.argv[1:])

def short_mnist(outputs):
    sys.path.insert(0, str(samples / "mnist-tf"))
    import mnist_data, train
    whole = mnist_data.load_training(mnist_data.DEFAULT_FOLDER)
    part = mnist_data.Digits(whole.images[:20_000], whole.labels[:20_000])
    (outputs / "model").mkdir(parents=True)
    test = mnist_data.load_test(mnist_data.DEFAULT_FOLDER)
    train.train(part, test, outputs / "model", epochs=1, wanted_accuracy=0.9)

def tensors():
    import tensorflow as tf
    from gpu_inference_script.results import encode
    given = {"eager": tf.constant([[0.5, 1.5]]), "variable": tf.Variable(3), "string": tf.constant("x")}
    (into / "tensors.json").write_bytes(encode(given))

def run_train(name):
    sys.argv[1:] = ["--outputs", str(into / name), "--sample-requests", str(into / name / "requests")]
    runpy.run_path(str(samples / name / "train.py"), run_name="__main__")

for work in (*((run_train, name) for name in names), (tensors,), (short_mnist, into / "mnist-tf")):
    try:
        work[0](*work[1:])
    except BaseException:
        traceback.print_exc()
"""


@dataclass(frozen=True)
class Trained:
    """What the trainings wrote, and what they printed."""

    folder: Path
    printed: str

    def model(self, sample: Sample) -> Path:
        """Return where the sample's model is."""
        model = self.folder / sample.name / sample.model
        assert model.exists(), self.printed
        return model

    def assert_requests_are_kept_ones(self, sample: Sample) -> None:
        """The sample requests that train.py writes are those that lie beside the script."""
        requests, kept = self.folder / sample.name / "requests", sample.source / "sample-requests"
        names = {path.name for path in kept.iterdir()}
        assert {path.name for path in requests.iterdir()} == names, self.printed
        for name in names:
            if name.endswith(".json"):
                assert agree(*(json.loads((place / name).read_text()) for place in (requests, kept)))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    folder = tmp_path_factory.mktemp("trained")
    names = [sample.name for sample in (SKLEARN, ONNX, TF2)]
    done = subprocess.run(
        [sys.executable, "-c", TRAININGS, SAMPLES, folder, *names],
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return Trained(folder, done.stdout)


def serve(sample: Sample, trained: Trained, folder: Path, start_server: StartServer) -> Server:
    settings = sample.lay_out(trained.model(sample), folder / "app")
    if sample.framework == "tensorflow-cpu":
        # Python imports a module of this name at its start.
        (folder / "sitecustomize.py").write_text(WITHOUT_SKLEARN)
        settings |= {"TF_CPP_MIN_LOG_LEVEL": "2", "PYTHONPATH": str(folder)}
    server: Server = start_server(**settings)
    server.wait_ready()
    return server


def assert_scores_its_requests(sample: Sample, server: Server) -> None:
    sample.assert_scored(lambda body: server.score(body, **{"Content-Type": "application/json"}).json())


def test_scikit_learn_is_scored_through_its_scripts_schema(
    trained: Trained, tmp_path: Path, start_server: StartServer
) -> None:
    trained.assert_requests_are_kept_ones(SKLEARN)
    server = serve(SKLEARN, trained, tmp_path, start_server)
    assert_scores_its_requests(SKLEARN, server)
    refused = server.score('{"data": [[1, 2]]}', **{"Content-Type": "application/json"})
    assert refused.status_code == 500


def test_onnx_runtime_scores_pictures_from_the_raw_request(
    trained: Trained, tmp_path: Path, start_server: StartServer
) -> None:
    trained.assert_requests_are_kept_ones(ONNX)
    server = serve(ONNX, trained, tmp_path, start_server)
    assert_scores_its_requests(ONNX, server)
    refused = server.score(b"no picture at all")
    assert (refused.status_code, refused.text) == (400, "The body is not a picture.")


def test_a_tensorflow_1_script_is_scored_with_tensorflow_2(
    trained: Trained, tmp_path: Path, start_server: StartServer
) -> None:
    server = serve(TF1, trained, tmp_path, start_server)
    assert_scores_its_requests(TF1, server)


def test_a_tensorflow_2_script_scores_an_old_keras_model(
    trained: Trained, tmp_path: Path, start_server: StartServer
) -> None:
    trained.assert_requests_are_kept_ones(TF2)
    server = serve(TF2, trained, tmp_path, start_server)
    assert_scores_its_requests(TF2, server)


def test_tensors_of_tensorflow_become_lists(trained: Trained) -> None:
    tensors = trained.folder / "tensors.json"
    assert tensors.exists(), trained.printed
    assert json.loads(tensors.read_text()) == {"eager": [[0.5, 1.5]], "variable": 3, "string": "x"}
