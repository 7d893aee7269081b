"""Each sample's folder holds what a user brings, and its files agree with each other and with the images."""

import re

import pytest
import yaml
from tests.chart.rendering import render
from tests.model_samples import EVERY, SAMPLES, Sample

from gpu_inference.convert import convert
from gpu_inference.image import FRAMEWORKS
from gpu_inference.resources import runtime_directory


@pytest.fixture(params=EVERY, ids=lambda sample: sample.name)
def sample(request: pytest.FixtureRequest) -> Sample:
    chosen: Sample = request.param
    return chosen


def test_every_folder_is_a_sample_that_the_tests_know() -> None:
    assert {path.name for path in SAMPLES.iterdir()} == {sample.name for sample in EVERY}


def test_its_configuration_becomes_values_and_nothing_is_lost(sample: Sample) -> None:
    files = (sample.folder / "deploymentconfig.json", sample.folder / "inferenceconfig.json")
    conversion = convert(*files, gpu_count=4)
    assert conversion.warnings == ()
    render(conversion.values).one("Secret", "mnist-keys")


def test_its_readme_deploys_it_with_a_framework_that_there_is(sample: Sample) -> None:
    readme = (sample.folder / "README.md").read_text()
    [framework] = re.findall(r"--framework (\S+)", readme)
    assert framework in FRAMEWORKS
    # For a GPU or for none: the tests' is the same but for that.
    assert framework.removesuffix("-gpu") == sample.framework.removesuffix("-cpu").removesuffix("-gpu")
    assert f"--model {sample.model_name}=./outputs/{sample.model} " in readme


def test_what_its_environment_pins_is_what_the_image_installs(sample: Sample) -> None:
    environment = yaml.safe_load((sample.folder / "environment.yml").read_text())
    [packages] = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    readme = (sample.folder / "README.md").read_text()
    [framework] = re.findall(r"--framework (\S+)", readme)
    lock = (runtime_directory() / f"requirements-{framework}.lock").read_text()
    pinned = [package for package in packages if "==" in package]
    assert pinned
    assert [package for package in pinned if not re.search(rf"^{package}\b", lock, re.MULTILINE)] == []


def test_each_of_its_sample_requests_has_an_answer_to_expect(sample: Sample) -> None:
    folder = sample.source / "sample-requests"
    assert {path.name for path in folder.iterdir()} == {*sample.requests, "expected.json"}
    assert len(sample.requests) >= 3
