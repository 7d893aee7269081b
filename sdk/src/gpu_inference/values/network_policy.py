"""`networkPolicy.*`: who may reach the pods, and what they may reach."""

from pydantic import Field

from gpu_inference.values.base import FreeForm, KubernetesSection, Switch


class NetworkPolicy(KubernetesSection):
    """The NetworkPolicy of the scoring pods; it works where the cluster's network plugin enforces them."""

    enabled: Switch = Field(
        default=True,
        description="Whether a NetworkPolicy restricts the connections of the pods to those named here.",
    )
    ingress_from: list[FreeForm] = Field(
        default=[],
        description="Who may reach the scoring port 5001, as NetworkPolicy peers; everybody unless given.",
    )
    management_from: list[FreeForm] = Field(
        default=[{"namespaceSelector": {}}],
        description="Who may reach probes and metrics on port 9090, as peers; [] is everybody.",
    )
    allow_external_egress: Switch = Field(
        default=True,
        description="Whether the pods may reach everything; false allows DNS and what the values name.",
    )
    egress: list[FreeForm] = Field(
        default=[],
        description="Egress rules of the pods without allowExternalEgress; none unless given.",
    )
    job_egress: list[FreeForm] = Field(
        default=[],
        description="What the keys' Job may reach (the API server), as egress rules; all unless given.",
    )
