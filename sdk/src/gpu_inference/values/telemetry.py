"""`telemetry.*`: where traces of requests go, while `deployment.enable_app_insights` is true."""

from typing import Annotated

from pydantic import Field, Strict

from gpu_inference.values.base import KubernetesSection, Text

Ratio = Annotated[float, Strict(), Field(ge=0, le=1)]


class HeadersSecret(KubernetesSection):
    """A Secret of the user's own."""

    name: Text = Field(
        default="",
        description="Your own Secret with headers for the collector, NAME=VALUE,…; none unless given.",
    )
    key: Text = Field(default="headers", description="Key in that Secret.")


class Telemetry(KubernetesSection):
    """An OpenTelemetry collector."""

    otlp_endpoint: Text = Field(
        default="",
        description="URL of an OpenTelemetry collector that takes OTLP over HTTP; /v1/traces is added.",
    )
    headers_secret: HeadersSecret = Field(
        default_factory=HeadersSecret, description="Headers for the collector, such as an API key."
    )
    service_name: Text = Field(
        default="", description="Name of the service in the traces; its own name unless given."
    )
    sampling_ratio: Ratio = Field(
        default=1.0,
        description="Share of the requests to trace, from 0 to 1; a caller's own decision goes before.",
    )
    resource_attributes: dict[Text, Text] = Field(
        default={}, description="Further attributes of the service in the traces; none unless given."
    )
