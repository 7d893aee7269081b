"""Rules about the network of the service and its metrics, told earlier and more clearly than by a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gpu_inference.values.chart import ChartValues


def problems(values: ChartValues) -> Iterator[str]:
    """Yield what does not go together about Service, NetworkPolicy, HTTPRoute and monitors."""
    service = values.service
    needed: dict[str, object] = {}
    if service.type == "ClusterIP":
        needed |= {"nodePort": service.node_port, "externalTrafficPolicy": service.external_traffic_policy}
    for name, given in needed.items():
        if given:
            yield (
                f"service.{name} needs service.type NodePort or LoadBalancer: set it, or leave"
                f" service.{name} out."
            )
    if service.type != "LoadBalancer":
        for name, given in {
            "loadBalancerClass": service.load_balancer_class,
            "loadBalancerSourceRanges": service.load_balancer_source_ranges,
        }.items():
            if given:
                yield f"service.{name} needs service.type LoadBalancer: set it, or leave service.{name} out."
    if len(set(service.ip_families)) < len(service.ip_families):
        yield "service.ipFamilies names a family twice: keep one."
    elif len(service.ip_families) == 2 and service.ip_family_policy in ("", "SingleStack"):
        yield (
            "service.ipFamilies names two families: set service.ipFamilyPolicy to PreferDualStack or"
            " RequireDualStack."
        )
    policy = values.network_policy
    if policy.enabled and policy.allow_external_egress and policy.egress:
        yield (
            "networkPolicy.egress has no effect while networkPolicy.allowExternalEgress is true: set"
            " networkPolicy.allowExternalEgress to false, or leave networkPolicy.egress out."
        )
    if values.http_route.enabled and not values.http_route.parent_refs:
        yield "httpRoute.enabled needs httpRoute.parentRefs: name the Gateway that the route belongs to."
    if values.metrics.pod_monitor.enabled and values.metrics.service_monitor.enabled:
        yield (
            "metrics.podMonitor and metrics.serviceMonitor would both scrape the pods, so that each request"
            " counts twice: enable one."
        )
