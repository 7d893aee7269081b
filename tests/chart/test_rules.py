"""Rules between values: each broken rule is one sentence, and all come at once."""

from typing import Any, NamedTuple

import pytest
from tests.chart.rendering import RefusedError, mistakes_in, render


class Broken(NamedTuple):
    """Values, and how many rules they break."""

    rules: int
    values: dict[str, Any]


BROKEN = {
    "egress rules while everything may be reached": Broken(1, {"networkPolicy": {"egress": [{}]}}),
    "autoscaler and replicas, fewest above most, engine without metric": Broken(
        3,
        {
            "deployment": {
                "autoscale_enabled": True,
                "num_replicas": 1,
                "autoscale_min_replicas": 3,
                "autoscale_max_replicas": 2,
            },
            "cluster": {"gpu_count": 4},
            "autoscaling": {"engine": "hpa"},
        },
    ),
    "fewest above the most that nobody gave": Broken(
        1,
        {
            "deployment": {"autoscale_enabled": True, "autoscale_min_replicas": 11, "gpu_cores": 0},
        },
    ),
    "parameters of an autoscaler that is off": Broken(
        5,
        {
            "deployment": {
                "autoscale_enabled": False,
                "autoscale_min_replicas": 1,
                "autoscale_max_replicas": 1,
                "autoscale_refresh_seconds": 1,
                "autoscale_target_utilization": 70,
            }
        },
    ),
    "no replicas without autoscaler, limits below requests": Broken(
        3,
        {
            "deployment": {
                "autoscale_enabled": False,
                "cpu_cores_limit": 0.05,
                "memory_gb": 0.5,
                "memory_gb_limit": 0.25,
            }
        },
    ),
    "pool": Broken(1, {"deployment": {"num_replicas": 3, "gpu_cores": 2}, "cluster": {"gpu_count": 5}}),
    "pool for one pod, second key alone, names in no Secret": Broken(
        4,
        {
            "deployment": {"num_replicas": 3, "gpu_cores": 2, "secondary_key": "b"},
            "cluster": {"gpu_count": 1},
            "keys": {"primaryKeyName": "api.key", "secondaryKeyName": "spare"},
        },
    ),
    "keys in two places, service name, selector labels": Broken(
        4,
        {
            "deployment": {"primary_key": "a"},
            "keys": {"existingSecret": "mine"},
            "fullnameOverride": "Digits",
            "podLabels": {"app.kubernetes.io/component": "x", "app.kubernetes.io/name": "x"},
        },
    ),
    "variables": Broken(
        4,
        {
            "extraEnv": [
                {"name": "SERVICE_NAME", "value": "x"},
                {"name": "SERVER_PORT", "value": "80"},
                {"name": "TWICE", "value": "x"},
                {"name": "TWICE", "value": "y"},
                {"name": "BOTH", "value": "x", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
            ]
        },
    ),
    "registries": Broken(
        5,
        {
            "image": {"registry": "a.example.com", "repository": "b.example.com/digits"},
            "global": {
                "imageRegistry": "https://a",
                "cattle": {"systemDefaultRegistry": 1},
                "imagePullSecrets": [1],
                "azure": {"images": {"runtime": "x"}},
            },
        },
    ),
    "times, spread": Broken(
        3,
        {
            "deployment": {"initial_delay_seconds": 2147483647},
            "topologySpreadConstraints": [
                {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2},
                {"maxSkew": 2, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"},
            ],
        },
    ),
    "pool of an autoscaler": Broken(
        2,
        {
            "deployment": {
                "autoscale_enabled": True,
                "autoscale_min_replicas": 3,
                "autoscale_max_replicas": 4,
                "gpu_cores": 2,
            },
            "cluster": {"gpu_count": 5},
        },
    ),
    "pool for one pod of an autoscaler": Broken(
        1,
        {
            "deployment": {"autoscale_enabled": True, "autoscale_max_replicas": 4, "gpu_cores": 2},
            "cluster": {"gpu_count": 1},
        },
    ),
    "guards": Broken(
        2,
        {
            "cluster": {
                "gpu_count": 4,
                "quota": {"gpus": 3},
                "check_nodes": True,
                "resource_claim": {"enabled": True},
            }
        },
    ),
    "collection and telemetry without a place": Broken(
        3,
        {
            "deployment": {"collect_model_data": True, "enable_app_insights": True},
            "dataCollection": {"maxFileSizeMb": 9, "maxTotalSizeMb": 17},
        },
    ),
    "collection on the node's disk, telemetry to no URL": Broken(
        2,
        {
            "dataCollection": {"volume": {"hostPath": {"path": "/data"}, "emptyDir": {}}},
            "telemetry": {"otlpEndpoint": "http://me:secret@collector:4318"},
        },
    ),
    "tokens beside keys, from nobody": Broken(
        4,
        {
            "deployment": {"auth_enabled": True, "token_auth_enabled": True},
        },
    ),
    "tokens of two issuers, of everybody": Broken(
        3,
        {
            "deployment": {"token_auth_enabled": True},
            "tokenAuth": {
                "clusterIssuer": True,
                "jwks": {"configMap": "keys", "caConfigMap": "ca", "tokenSecret": "reader"},
            },
        },
    ),
    "tokens' keys without TLS": Broken(1, {"tokenAuth": {"jwks": {"url": "http://issuer.example/keys"}}}),
    "ways to the service": Broken(
        7,
        {
            "service": {
                "nodePort": 30080,
                "externalTrafficPolicy": "Local",
                "loadBalancerClass": "x",
                "loadBalancerSourceRanges": ["10.0.0.0/8"],
                "ipFamilies": ["IPv4", "IPv6"],
            },
            "httpRoute": {"enabled": True},
            "metrics": {"podMonitor": {"enabled": True}, "serviceMonitor": {"enabled": True}},
        },
    ),
    "one family twice": Broken(1, {"service": {"ipFamilies": ["IPv4", "IPv4"]}}),
    "things there twice": Broken(
        7,
        {
            "extraVolumes": [{"name": "tmp"}, {"name": "a"}, {"name": "a"}],
            "extraVolumeMounts": [{"name": "a", "mountPath": "/tmp"}],
            "initContainers": [{"name": "b", "image": "x"}],
            "extraContainers": [
                {"name": "b", "image": "x", "resources": {"limits": {"nvidia.com/gpu": 1}}},
                {"name": "scoring", "image": "x"},
            ],
            "extraObjects": [1],
        },
    ),
    "labels and annotations of the chart's own": Broken(
        6,
        {
            "commonLabels": {"helm.sh/chart": "x"},
            "service": {"labels": {"app.kubernetes.io/name": "x"}},
            "metrics": {"podMonitor": {"labels": {"app.kubernetes.io/version": "x"}}},
            "commonAnnotations": {"gpu-inference/tags": "x"},
            "deploymentAnnotations": {"meta.helm.sh/release-name": "x"},
            "podAnnotations": {"helm.sh/hook": "x"},
        },
    ),
    "models without what they need": Broken(
        13,
        {
            "deployment": {"num_replicas": 2, "gpu_cores": 0},
            "models": [
                {"name": "-a", "image": {"subPath": "x"}, "configMap": {"keys": ["a"]}},
                {"name": "b", "persistentVolumeClaim": {"claimName": "c", "accessMode": "ReadWriteOncePod"}},
                {"name": "b", "persistentVolumeClaim": {"subPath": "c"}, "download": {"archive": "tar"}},
                {"name": "c", "configMap": {"name": "x"}},
                {"name": "d", "configMap": {"name": "x", "keys": ["a", "b", "a"]}},
                {
                    "name": "e",
                    "image": {"reference": "x:1"},
                    "persistentVolumeClaim": {
                        "claimName": "c",
                        "subPath": "e",
                        "accessMode": "ReadWriteOnce",
                    },
                },
            ],
        },
    ),
    "downloads that nobody could trust": Broken(
        6,
        {
            "models": [
                {"name": "a", "download": {"url": "https://example.com/"}},
                {"name": "b", "download": {"url": "ftp://example.com/x", "sha256": "0" * 64}},
                {"name": "c", "download": {"url": "https://u:p@example.com/x", "sha256": "0" * 64}},
                {"name": "d", "download": {"url": "https://example.com/x?Sig=y", "sha256": "0" * 64}},
                {"name": "e", "download": {"existingSecret": "x", "sha256": "0" * 64}},
            ],
        },
    ),
    "code without its script": Broken(
        4, {"inference": {"sourceDirectory": "azureml-models", "files": {"../a.py": "x" * 600_000}}}
    ),
    "a script that is not in the code": Broken(
        5,
        {
            "inference": {
                "entryScript": "score.py",
                "files": {"é.py": "é", "b..c.py": ""},
                "configMap": {"name": "x", "keys": ["a.py"]},
            }
        },
    ),
}


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN.keys())
def test_each_broken_rule_is_one_sentence(broken: Broken) -> None:
    # Whatever is new enough for every option.
    mistakes = mistakes_in(broken.values, kubernetes="1.37")
    assert len(mistakes) == broken.rules
    assert len(set(mistakes)) == broken.rules


@pytest.mark.parametrize("name", ["a1", "di.gits", "a" * 33])
def test_a_release_name_that_v1_refused_is_refused_in_its_words(name: str) -> None:
    with pytest.raises(RefusedError, match="Error, provided service name is invalid"):
        render({}, release=name)


@pytest.mark.parametrize("name", ["abc", "a" * 32])
def test_a_release_name_that_v1_took_is_taken(name: str) -> None:
    assert render({}, release=name).one("Deployment")["metadata"]["name"] == name


def test_the_namespace_of_the_values_is_the_releases() -> None:
    render({"deployment": {"namespace": "vision"}}, namespace="vision")
    with pytest.raises(RefusedError, match="give --namespace vision or leave"):
        render({"deployment": {"namespace": "vision"}}, namespace="speech")
