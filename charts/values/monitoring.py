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
    """How the Prometheus operator finds the pods' metrics."""

    enabled: StrictBool = Field(default=False, description="Whether it is there; needs the operator's CRDs.")
    interval: Duration = Field(
        default="", description="Time between two scrapes, e.g. 15s; Prometheus' own unless given."
    )
    scrape_timeout: Duration = Field(
        default="", description="Time within which a scrape must end; Prometheus' own unless given."
    )
    relabelings: list[FreeForm] = Field(
        default=[], description="Relabelings of the targets; none unless given."
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels, by which Prometheus selects it; none unless given."
    )
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations; none unless given.")


class PrometheusRule(Section):
    """Alerts about the service."""

    enabled: StrictBool = Field(
        default=False,
        description="Whether there are alerts; needs the operator's CRDs and kube-state-metrics.",
    )
    rules: list[FreeForm] = Field(
        default=[], description="Further rules, in a group of their own; none unless given."
    )
    labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels, by which Prometheus selects it; none unless given."
    )
    alert_labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further labels of the alerts, for their routing; none unless given."
    )
    annotations: dict[StrictStr, StrictStr] = Field(default={}, description="Annotations; none unless given.")


class GrafanaDashboard(Section):
    """A dashboard for Grafana's sidecar."""

    enabled: StrictBool = Field(default=False, description="Whether there is a ConfigMap with a dashboard.")
    labels: dict[StrictStr, StrictStr] = Field(
        default={"grafana_dashboard": "1"}, description="Further labels, by which the sidecar selects it."
    )
    annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations, e.g. for the folder; none unless given."
    )


class Metrics(Section):
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


class DataCollection(Section):
    """A volume for CSV files, and how much of it they may take."""

    volume: FreeForm = Field(
        default={},
        description="Volume for the rows: csi, emptyDir, ephemeral or persistentVolumeClaim, as in a pod.",
    )
    max_file_size_mb: PositiveInt = Field(
        default=16, description="Size at which the next file begins, in units of 2^20 bytes."
    )
    max_total_size_mb: PositiveInt = Field(
        default=1024,
        description="Size of all files together, beyond which the oldest go, in units of 2^20 bytes.",
    )


Ratio = Annotated[float, Strict(), Field(ge=0, le=1)]


class HeadersSecret(Section):
    """A Secret of the user's own."""

    name: StrictStr = Field(
        default="",
        description="Your own Secret with headers for the collector, NAME=VALUE,…; none unless given.",
    )
    key: StrictStr = Field(default="headers", description="Key in that Secret.")


class Telemetry(Section):
    """An OpenTelemetry collector."""

    otlp_endpoint: StrictStr = Field(
        default="",
        description="URL of an OpenTelemetry collector that takes OTLP over HTTP; /v1/traces is added.",
    )
    headers_secret: HeadersSecret = Field(
        default_factory=HeadersSecret, description="Headers for the collector, such as an API key."
    )
    service_name: StrictStr = Field(
        default="", description="Name of the service in the traces; its own name unless given."
    )
    sampling_ratio: Ratio = Field(
        default=1.0,
        description="Share of the requests to trace, from 0 to 1; a caller's own decision goes before.",
    )
    resource_attributes: dict[StrictStr, StrictStr] = Field(
        default={}, description="Further attributes of the service in the traces; none unless given."
    )
