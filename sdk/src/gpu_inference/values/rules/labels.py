"""Rules about labels and annotations that users add: none of the chart's own may be replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gpu_inference.values.chart import ChartValues

LABELS_OF_THE_CHART = (
    "app.kubernetes.io/name",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/component",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
)
ANNOTATIONS_OF_THE_CHART = ("gpu-inference/", "helm.sh/", "meta.helm.sh/")


def problems(values: ChartValues) -> Iterator[str]:
    """Yield each label and annotation that the chart sets itself."""
    metrics = values.metrics
    labels: dict[str, Mapping[str, str]] = {
        "commonLabels": values.common_labels,
        "service.labels": values.service.labels,
        "ingress.labels": values.ingress.labels,
        "httpRoute.labels": values.http_route.labels,
        "metrics.podMonitor.labels": metrics.pod_monitor.labels,
        "metrics.serviceMonitor.labels": metrics.service_monitor.labels,
        "metrics.prometheusRule.labels": metrics.prometheus_rule.labels,
        "metrics.grafanaDashboard.labels": metrics.grafana_dashboard.labels,
    }
    for path, given in labels.items():
        for name in LABELS_OF_THE_CHART:
            if name in given:
                yield f"{path} must not set {name}: the chart sets it itself."
    annotations: dict[str, Mapping[str, str]] = {
        "commonAnnotations": values.common_annotations,
        "deploymentAnnotations": values.deployment_annotations,
        "podAnnotations": values.pod_annotations,
    }
    for path, given in annotations.items():
        for name in sorted(given):
            if name.startswith(ANNOTATIONS_OF_THE_CHART):
                yield f"{path} must not set {name}: names with this beginning are the chart's and Helm's own."
