"""How soon the pods of a removed service are killed, whatever they do before they are told to end."""

from typing import Any

import pytest

from gpu_inference.service.removal import grace_seconds


# The kubelet waits for the sleep until the grace period is over, and 2 s more before it kills.
@pytest.mark.parametrize(("sleep", "grace"), [(None, 3), (1, 1), (5, 1)])
def test_a_removed_pod_is_killed_within_three_seconds(sleep: int | None, grace: int) -> None:
    container: dict[str, Any] = {"name": "scoring"}
    if sleep:
        container["lifecycle"] = {"preStop": {"sleep": {"seconds": sleep}}}
    deployment = {"spec": {"template": {"spec": {"containers": [{"name": "beside"}, container]}}}}
    assert grace_seconds(deployment) == grace
    assert min(sleep or 0, grace) + max(grace - (sleep or 0), 2) == 3
