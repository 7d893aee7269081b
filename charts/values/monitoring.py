"""`metrics.*`, `dataCollection.*` and `telemetry.*`: metrics, collected rows and traces."""

from typing import Annotated

from charts.values.base import FreeForm, PositiveInt, Section, text
from pydantic import Field, Strict, StrictBool, StrictStr

# Prometheus' notation, as the operator's CRDs check it.
Duration = Annotated[
    StrictStr,
    text(
        r"(([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?)",
        "be a duration, such as 30s or 1m30s",
    ),
]


class Monitor(Section):
    """A PodMonitor or ServiceMonitor of the Prometheus operator."""

    enabled: StrictBool = Field(
        default=False, description="Whether to create it; needs the CRDs of the Prometheus operator."
    )
    interval: Duration = Field(
        default="", description="Scrape interval, for example 15s; defaults to Prometheus' own."
    )
    scrape_timeout: Duration = Field(
        default="", description="Scrape timeout, for example 10s; defaults to Prometheus' own."
    )
    relabelings: list[FreeForm] = Field(default=[], description="Relabelings of the targets.")
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional labels, by which Prometheus selects it."
    )
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations of the object.")


class PrometheusRule(Section):
    """PrometheusRule with alerts about the service."""

    enabled: StrictBool = Field(
        default=False,
        description="Whether to create it; needs the CRDs of the Prometheus operator and kube-state-metrics.",
    )
    rules: list[FreeForm] = Field(default=[], description="Additional rules, in their own group.")
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional labels, by which Prometheus selects it."
    )
    alert_labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional labels of the alerts, for routing."
    )
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations of the object.")


class GrafanaDashboard(Section):
    """A dashboard for Grafana's sidecar."""

    enabled: StrictBool = Field(
        default=False, description="Whether to create a ConfigMap with the dashboard."
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={"grafana_dashboard": "1"},
        description="Additional labels, by which Grafana's sidecar selects it.",
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the object, for example for the folder."
    )


class Metrics(Section):
    """Metrics of port 9090, for Prometheus and Grafana."""

    pod_monitor: Monitor = Field(default_factory=Monitor, description="PodMonitor of the pods.")
    service_monitor: Monitor = Field(
        default_factory=Monitor,
        description="ServiceMonitor of the pods, for a Prometheus that reads no PodMonitors.",
    )
    prometheus_rule: PrometheusRule = Field(
        default_factory=PrometheusRule, description="PrometheusRule with alerts about the service."
    )
    grafana_dashboard: GrafanaDashboard = Field(
        default_factory=GrafanaDashboard, description="Grafana dashboard of the service."
    )


class DataCollection(Section):
    """A volume for CSV files, and the space that they may use."""

    volume: FreeForm = Field(
        default={},
        description="Volume for the rows, as in a pod: csi, emptyDir, ephemeral or persistentVolumeClaim.",
    )
    max_file_size_mb: PositiveInt = Field(
        default=16, description="Size at which a new file begins, in units of 2^20 bytes (Mi)."
    )
    max_total_size_mb: PositiveInt = Field(
        default=1024,
        description="Total size beyond which the oldest files are deleted, in units of 2^20 bytes (Mi).",
    )


Ratio = Annotated[float, Strict(), Field(ge=0, le=1)]


class HeadersSecret(Section):
    """An existing Secret of the user."""

    name: StrictStr = Field(
        default="",
        description="Your own Secret with headers for the collector (NAME=VALUE,…).",
    )
    key: StrictStr = Field(default="headers", description="Key of that Secret.")


class Telemetry(Section):
    """An OpenTelemetry collector."""

    otlp_endpoint: StrictStr = Field(
        default="",
        description="URL of an OpenTelemetry collector that accepts OTLP over HTTP; /v1/traces is appended.",
    )
    headers_secret: HeadersSecret = Field(
        default_factory=HeadersSecret, description="Headers for the collector, such as an API key."
    )
    service_name: StrictStr = Field(
        default="", description="Name of the service in the traces; defaults to the service's name."
    )
    sampling_ratio: Ratio = Field(
        default=1.0,
        description="Share of requests to trace, from 0 to 1; a caller's sampling decision takes precedence.",
    )
    resource_attributes: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional resource attributes of the traces."
    )
