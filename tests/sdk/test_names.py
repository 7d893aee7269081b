"""Names of services and models are v1's, names of images are Kubernetes' own."""

import pytest

from gpu_inference.errors import GpuInferenceError
from gpu_inference.names import full_name, require_model_name, require_service_name


@pytest.mark.parametrize("name", ["abc", "a-1", "aks-dnn-mnist", "a" * 32])
def test_a_service_name_of_v1_is_accepted(name: str) -> None:
    require_service_name(name)


@pytest.mark.parametrize("name", ["", "ab", "a" * 33, "1ab", "-ab", "ab-", "Abc", "a_b", "a.b", "abc\n"])
def test_another_service_name_is_refused_in_v1s_words(name: str) -> None:
    with pytest.raises(GpuInferenceError) as caught:
        require_service_name(name)
    assert str(caught.value) == (
        "Error, provided service name is invalid. It must only consist of lowercase letters, numbers, or "
        "dashes, "
        "start with a letter, end with a letter or number, and be between 3 and 32 characters long."
    )


@pytest.mark.parametrize("name", ["m", "sklearn_regression_model.pkl", "TF-1.0", "9", "a" * 255])
def test_a_model_name_of_v1_is_accepted(name: str) -> None:
    require_model_name(name)


@pytest.mark.parametrize("name", ["", "..", "_m", "a/b", "a b", "a" * 256, "m\n"])
def test_another_model_name_is_refused(name: str) -> None:
    with pytest.raises(GpuInferenceError, match=r"model name .* is invalid"):
        require_model_name(name)


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("busybox:1", "docker.io/library/busybox:1"),
        ("team/app:1", "docker.io/team/app:1"),
        ("localhost/app:1", "localhost/app:1"),
        ("registry.example.com/app:1", "registry.example.com/app:1"),
        ("registry:5000/app:1", "registry:5000/app:1"),
    ],
)
def test_names_are_completed_as_kubernetes_does_it(short: str, full: str) -> None:
    assert full_name(short) == full
