"""How pods start, are checked, spread, and leave: probes, the drain's arithmetic, the disruption budget."""

import itertools
from typing import Any

import pytest
from tests.chart.rendering import HELMS, RefusedError, Rendered, render

from gpu_inference_runtime.settings import load_settings

READY = {"httpGet": {"path": "/ready", "port": "management"}}
LIVE = {"httpGet": {"path": "/live", "port": "management"}}
OWN_PODS = {
    "matchLabels": {
        "app.kubernetes.io/name": "gpu-inference",
        "app.kubernetes.io/instance": "mnist",
        "app.kubernetes.io/component": "scoring",
    }
}


def deployment(**parameters: Any) -> dict[str, Any]:
    return {"deployment": parameters}


def probes(rendered: Rendered) -> dict[str, dict[str, Any]]:
    return {kind: rendered.container[f"{kind}Probe"] for kind in ("startup", "liveness", "readiness")}


def test_a_pod_may_start_as_long_as_v1_let_it() -> None:
    assert probes(render())["startup"] == {
        **READY,
        "periodSeconds": 1,
        "timeoutSeconds": 2,
        "failureThreshold": 310 + 10 * 3,
    }


def test_probes_have_the_parameters_of_v1() -> None:
    values = deployment(
        initial_delay_seconds=7,
        period_seconds=5,
        timeout_seconds=3,
        success_threshold=2,
        failure_threshold=4,
    )
    same = {"periodSeconds": 5, "timeoutSeconds": 3, "failureThreshold": 4}
    assert probes(render(values)) == {
        "startup": {**READY, "periodSeconds": 1, "timeoutSeconds": 3, "failureThreshold": 27},
        "liveness": {**LIVE, **same},
        # The other two may only have 1.
        "readiness": {**READY, **same, "successThreshold": 2},
    }


def test_no_probe_asks_the_port_that_scores() -> None:
    rendered = render()
    (scoring,) = (port["name"] for port in rendered.container["ports"] if port["containerPort"] == 5001)
    assert scoring not in {probe["httpGet"]["port"] for probe in probes(rendered).values()}


TIMES = [
    {
        "deployment": {
            "scoring_timeout_ms": scoring,
            "max_request_wait_time": queue,
            "initial_delay_seconds": delay,
            "period_seconds": period,
            "failure_threshold": failures,
            "success_threshold": successes,
        },
        "drain": {"preStopSleepSeconds": sleep, "seconds": drain},
        "rollout": {"pullSeconds": pull},
    }
    for (scoring, queue), (sleep, drain), (delay, period, failures, successes, pull) in itertools.product(
        ((1, 1), (60_000, 1500), (3_600_001, 1)),
        ((0, 0), (5, 10)),
        ((1, 1, 1, 1, 0), (310, 10, 3, 5, 600)),
    )
]


@pytest.mark.parametrize("values", TIMES, ids=str)
def test_a_pod_has_time_to_finish_its_last_request(values: dict[str, Any]) -> None:
    rendered = render(values)
    drain, given = values["drain"], values["deployment"]
    last_request = (
        drain["preStopSleepSeconds"]
        + drain["seconds"]
        + given["max_request_wait_time"] / 1000
        + given["scoring_timeout_ms"] / 1000
    )
    grace = rendered.pod["terminationGracePeriodSeconds"]
    assert last_request + 10 <= grace < last_request + 11
    # The server itself gives up before Kubernetes does: it counts from SIGTERM, which comes after the sleep.
    environment = {name: text for name, text in rendered.env.items() if name != "GPU_INFERENCE_KEYS_DIR"}
    assert drain["preStopSleepSeconds"] + load_settings([], environment).graceful_seconds + 5 <= grace


@pytest.mark.parametrize("values", TIMES, ids=str)
def test_a_rollout_waits_for_the_old_pod_and_the_new_one(
    values: dict[str, Any],
) -> None:
    rendered = render(values)
    startup, readiness = probes(rendered)["startup"], probes(rendered)["readiness"]
    given = values["deployment"]
    start = startup["periodSeconds"] * startup["failureThreshold"]
    assert start == given["initial_delay_seconds"] + given["period_seconds"] * given["failure_threshold"]
    ready = readiness["periodSeconds"] * readiness["successThreshold"]
    leave = rendered.pod["terminationGracePeriodSeconds"]
    deadline = rendered.one("Deployment")["spec"]["progressDeadlineSeconds"]
    assert deadline == leave + values["rollout"]["pullSeconds"] + start + ready


def test_the_sleep_before_a_pod_is_told_to_end_needs_no_shell() -> None:
    rendered = render({"drain": {"preStopSleepSeconds": 3}})
    assert rendered.container["lifecycle"] == {"preStop": {"sleep": {"seconds": 3}}}


def test_a_sleep_of_zero_is_none_because_kubernetes_1_30_refuses_it() -> None:
    assert "lifecycle" not in render({"drain": {"preStopSleepSeconds": 0}}).container


def test_a_wait_that_kubernetes_cannot_count_is_refused() -> None:
    longest = 2**31 - 1
    # All other times together are 726 s.
    values = deployment(initial_delay_seconds=longest - 726)
    spec = render(values).one("Deployment")["spec"]
    assert spec["progressDeadlineSeconds"] == longest
    with pytest.raises(RefusedError, match=f"would wait {longest + 1} s for a pod"):
        render(deployment(initial_delay_seconds=longest - 725))


def test_pods_are_evicted_one_at_a_time_and_never_held_back_for_good() -> None:
    assert render().one("PodDisruptionBudget")["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": OWN_PODS,
    }


def test_more_pods_may_be_evicted_at_a_time_where_the_user_says_so() -> None:
    budget = render({"podDisruptionBudget": {"maxUnavailable": 3}}).one("PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == 3


def test_without_a_budget_none_is_rendered() -> None:
    assert render().names - render({"podDisruptionBudget": {"enabled": False}}).names == {
        ("PodDisruptionBudget", "mnist")
    }


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("skip_schema", [False, True])
def test_a_budget_that_would_block_every_drain_is_refused(helm: Any, skip_schema: bool) -> None:
    with pytest.raises(RefusedError) as refused:
        render({"podDisruptionBudget": {"maxUnavailable": 0}}, helm=helm, skip_schema=skip_schema)
    (mistake,) = refused.value.mistakes
    assert "maxUnavailable" in mistake


SPREAD = {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "DoNotSchedule"}


def test_spread_constraints_count_the_services_own_pods() -> None:
    mine = {"matchLabels": {"team": "vision"}}
    zones = {
        "maxSkew": 2,
        "topologyKey": "topology.kubernetes.io/zone",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": mine,
        "matchLabelKeys": ["pod-template-hash"],
        "nodeAffinityPolicy": "Honor",
        "nodeTaintsPolicy": "Honor",
    }
    rendered = render({"topologySpreadConstraints": [{**SPREAD, "minDomains": 2}, zones]})
    assert rendered.pod["topologySpreadConstraints"] == [
        {**SPREAD, "minDomains": 2, "labelSelector": OWN_PODS},
        zones,
    ]


@pytest.mark.parametrize("missing", SPREAD)
def test_a_constraint_without_one_of_its_three_fields_is_refused(missing: str) -> None:
    constraint = {key: value for key, value in SPREAD.items() if key != missing}
    with pytest.raises(RefusedError, match=missing):
        render({"topologySpreadConstraints": [constraint]})


def test_only_the_scoring_pods_get_the_priority() -> None:
    rendered = render({"priorityClassName": "gpu-services"})
    assert rendered.pod["priorityClassName"] == "gpu-services"
    assert "priorityClassName" not in rendered.one("Job")["spec"]["template"]["spec"]
    assert "priorityClassName" not in render().pod
