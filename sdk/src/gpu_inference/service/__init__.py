"""Services in a cluster: deploy one, and do with it what `AksWebservice` of Azure ML SDK v1 could."""

from gpu_inference.service.deploy import deploy
from gpu_inference.service.service import Service, services, states
from gpu_inference.service.state import ServiceState, State

__all__ = ["Service", "ServiceState", "State", "deploy", "services", "states"]
