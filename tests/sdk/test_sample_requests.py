"""What lies in the sample's folder agrees with its scripts, and its digits can be looked at."""

import json
import re
from pathlib import Path

import drawing
import mnist_data
import numpy as np
import pytest
import sample_requests
import yaml

from gpu_inference.convert import convert
from gpu_inference.resources import runtime_directory

SAMPLE = Path(sample_requests.__file__).parent


@pytest.fixture(scope="module")
def digits() -> mnist_data.Digits:
    return mnist_data.load_test(mnist_data.DEFAULT_FOLDER)


def test_the_sample_requests_are_what_their_script_makes_of_mnist(digits: mnist_data.Digits) -> None:
    kept = {path.name: path.read_text() for path in (SAMPLE / "src" / "sample-requests").iterdir()}
    assert kept == sample_requests.sample_requests(digits)


def test_there_is_a_request_for_each_digit_and_its_answer_is_that_digit() -> None:
    expected = json.loads((SAMPLE / "src" / "sample-requests" / "expected.json").read_text())
    assert expected == {f"{digit}.json": [digit] for digit in range(10)}


def test_the_data_set_has_its_known_sizes(digits: mnist_data.Digits) -> None:
    assert digits.images.shape == (10_000, 784)
    assert np.bincount(digits.labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (digits.images.min(), digits.images.max()) == (0, 1)


def test_the_configuration_becomes_values_for_three_replicas_with_a_gpu_each_and_nothing_is_lost() -> None:
    conversion = convert(SAMPLE / "deploymentconfig.json", SAMPLE / "inferenceconfig.json", gpu_count=4)
    assert conversion.warnings == ()
    deployment = conversion.values["deployment"]
    assert (deployment["num_replicas"], deployment["cpu_cores"], deployment["memory_gb"]) == (3, 2, 4)
    assert (deployment["gpu_cores"], deployment["auth_enabled"]) == (1, True)
    assert conversion.values["extraEnv"] == [{"name": "GPU_INFERENCE_TENSORFLOW_V1", "value": "true"}]


def test_the_source_folder_holds_nothing_but_the_entry_script_and_its_sample_requests() -> None:
    configuration = json.loads((SAMPLE / "inferenceconfig.json").read_text())
    folder = SAMPLE / configuration["sourceDirectory"]
    assert {path.name for path in folder.iterdir() if path.name != "__pycache__"} == {
        configuration["entryScript"],
        "sample-requests",
    }


def test_the_environment_names_the_tensorflow_that_the_runtime_image_installs() -> None:
    environment = yaml.safe_load((SAMPLE / "environment.yml").read_text())
    (packages,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    lock = (runtime_directory() / "requirements-tensorflow-gpu.lock").read_text()
    (pinned,) = re.findall(r"^tensorflow==\S+", lock, re.MULTILINE)
    assert pinned in packages


def image(*ink: tuple[int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Return an image with ink at these (row, column)."""
    pixels = np.zeros((28, 28), np.float32)
    for place in ink:
        pixels[place] = 1
    return pixels.reshape(784)


def test_two_rows_of_pixels_become_one_line_without_the_empty_margin() -> None:
    picture = drawing.draw(np.stack([image((5, 5), (6, 6), (7, 5), (8, 5))]), ["1"], width=80)
    assert picture == "▀▄\n█\n1"


def test_pictures_stand_side_by_side_as_far_as_the_width_goes() -> None:
    bar = image(*((row, 3) for row in range(4)))
    pictures = drawing.draw(np.stack([bar, bar, bar]), ["one", "two", "six"], width=9)
    assert pictures == "█     █\n█     █\none   two\n\n█\n█\nsix"
    assert drawing.draw(np.stack([bar, bar]), ["one", "two"], width=1) == "█\n█\none\n\n█\n█\ntwo"


def test_an_odd_number_of_rows_is_drawn_whole() -> None:
    assert drawing.draw(np.stack([image((0, 0), (1, 0), (2, 0))]), ["I"], width=80) == "█\n▀\nI"
