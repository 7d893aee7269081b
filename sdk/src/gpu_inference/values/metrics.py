"""`metrics.*`: what Prometheus and Grafana get to know of the service; all off unless asked for."""

from typing import Annotated

from pydantic import Field, StringConstraints

from gpu_inference.values.base import FreeForm, KubernetesSection, Switch, Text

# Prometheus' notation, as the operator's CRDs check it.
Duration = Annotated[
    Text,
    StringConstraints(pattern=r"^(([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)$"),
]


class Monitor(KubernetesSection):
    """How the Prometheus operator finds the pods' metrics."""

    enabled: Switch = Field(default=False, description="Whether it is there; needs the operator's CRDs.")
    interval: Duration = Field(
        default="", description="Time between two scrapes, e.g. 15s; Prometheus' own unless given."
    )
    scrape_timeout: Duration = Field(
        default="", description="Time within which a scrape must end; Prometheus' own unless given."
    )
    relabelings: list[FreeForm] = Field(
        default=[], description="Relabelings of the targets; none unless given."
    )
    labels: dict[Text, Text] = Field(
        default={}, description="Further labels, by which Prometheus selects it; none unless given."
    )
    annotations: dict[Text, Text] = Field(default={}, description="Annotations; none unless given.")


class PrometheusRule(KubernetesSection):
    """Alerts about the service."""

    enabled: Switch = Field(
        default=False,
        description="Whether there are alerts; needs the operator's CRDs and kube-state-metrics.",
    )
    rules: list[FreeForm] = Field(
        default=[], description="Further rules, in a group of their own; none unless given."
    )
    labels: dict[Text, Text] = Field(
        default={}, description="Further labels, by which Prometheus selects it; none unless given."
    )
    alert_labels: dict[Text, Text] = Field(
        default={}, description="Further labels of the alerts, for their routing; none unless given."
    )
    annotations: dict[Text, Text] = Field(default={}, description="Annotations; none unless given.")


class GrafanaDashboard(KubernetesSection):
    """A dashboard for Grafana's sidecar."""

    enabled: Switch = Field(default=False, description="Whether there is a ConfigMap with a dashboard.")
    labels: dict[Text, Text] = Field(
        default={"grafana_dashboard": "1"}, description="Further labels, by which the sidecar selects it."
    )
    annotations: dict[Text, Text] = Field(
        default={}, description="Annotations, e.g. for the folder; none unless given."
    )


class Metrics(KubernetesSection):
    """Metrics that the pods tell on port 9090."""

    pod_monitor: Monitor = Field(default_factory=Monitor, description="A PodMonitor for the pods.")
    service_monitor: Monitor = Field(
        default_factory=Monitor, description="A ServiceMonitor for the pods, where PodMonitors are not read."
    )
    prometheus_rule: PrometheusRule = Field(
        default_factory=PrometheusRule, description="Alerts about the service."
    )
    grafana_dashboard: GrafanaDashboard = Field(
        default_factory=GrafanaDashboard, description="A dashboard of the service."
    )
