"""All values of the chart, in the order of values.yaml."""

from typing import Any

from charts.values.base import FreeForm, Section
from charts.values.cluster import Cluster
from charts.values.deployment import Deployment
from charts.values.images import HelmTest, Image, ImagePullSecret
from charts.values.keys import Keys, TokenAuth
from charts.values.models import Inference, ModelVersion
from charts.values.monitoring import DataCollection, Metrics, Telemetry
from charts.values.network import HttpRoute, Ingress, NetworkPolicy, Service, ServiceAccount
from charts.values.scoring import (
    Autoscaling,
    Batching,
    Drain,
    EnvVar,
    ExtraContainer,
    ExtraVolume,
    ExtraVolumeMount,
    PodDisruptionBudget,
    Rollout,
    SharedMemory,
    TopologySpreadConstraint,
)
from pydantic import Field, StrictBool, StrictStr


class ChartValues(Section):
    """The chart's values."""

    deployment: Deployment = Field(
        default_factory=Deployment,
        description="Parameters of AksWebservice.deploy_configuration (Azure ML SDK v1), under its names.",
    )
    cluster: Cluster = Field(default_factory=Cluster, description="GPUs that this service may use.")
    autoscaling: Autoscaling = Field(
        default_factory=Autoscaling,
        description="Autoscaler that deployment.autoscale_enabled turns on.",
    )
    image: Image = Field(
        default_factory=Image,
        description="Image with the scoring server, the entry script and the models.",
    )
    image_pull_secrets: list[ImagePullSecret] = Field(
        default=[], description="Secrets with the credentials of the image's registry."
    )
    inference: Inference = Field(
        default_factory=Inference, description="Entry script and source folder, as in InferenceConfig."
    )
    batching: Batching = Field(
        default_factory=Batching,
        description="Batching of several requests into one call of run().",
    )
    models: list[ModelVersion] = Field(
        default=[],
        description="Models by name and version, each from one source; empty uses the image's models.",
    )
    fullname_override: StrictStr = Field(
        default="",
        description="Name of the service, 3 to 32 characters; defaults to the release's name.",
    )
    keys: Keys = Field(default_factory=Keys, description="Source of the service's two keys.")
    token_auth: TokenAuth = Field(
        default_factory=TokenAuth,
        description="Tokens that requests may carry if deployment.token_auth_enabled is true.",
    )
    service_account: ServiceAccount = Field(
        default_factory=ServiceAccount, description="ServiceAccount of the scoring pods."
    )
    service: Service = Field(default_factory=Service, description="Service in front of the pods.")
    ingress: Ingress = Field(default_factory=Ingress, description="Ingress to the scoring port.")
    http_route: HttpRoute = Field(
        default_factory=HttpRoute, description="HTTPRoute (Gateway API) to the scoring port."
    )
    network_policy: NetworkPolicy = Field(
        default_factory=NetworkPolicy, description="NetworkPolicy of the scoring pods."
    )
    metrics: Metrics = Field(default_factory=Metrics, description="Metrics for Prometheus and Grafana.")
    data_collection: DataCollection = Field(
        default_factory=DataCollection,
        description="Storage for collected rows if deployment.collect_model_data is true.",
    )
    telemetry: Telemetry = Field(
        default_factory=Telemetry,
        description="Destination of traces if deployment.enable_app_insights is true.",
    )
    drain: Drain = Field(default_factory=Drain, description="Shutdown of a pod without failing a request.")
    rollout: Rollout = Field(default_factory=Rollout, description="Deadline of a rollout.")
    pod_disruption_budget: PodDisruptionBudget = Field(
        default_factory=PodDisruptionBudget,
        description="PodDisruptionBudget of the scoring pods.",
    )
    common_labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional labels of all objects and pods."
    )
    common_annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of all objects, but not of their pods."
    )
    deployment_annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the Deployment."
    )
    pod_annotations: dict[StrictStr, StrictStr] = Field(
        default={}, description="Annotations of the scoring pods."
    )
    pod_labels: dict[StrictStr, StrictStr] = Field(
        default={}, description="Additional labels of the scoring pods."
    )
    node_selector: dict[StrictStr, StrictStr] = Field(
        default={}, description="Labels that a node must have to run the pods."
    )
    affinity: FreeForm = Field(
        default={},
        description="Affinity of the pods, besides cluster.gpu_products.",
    )
    tolerations: list[FreeForm] = Field(
        default=[],
        description="Tolerations of the pods, besides cluster.gpu_toleration.",
    )
    topology_spread_constraints: list[TopologySpreadConstraint] = Field(
        default=[],
        description="Topology spread constraints of the scoring pods.",
    )
    priority_class_name: StrictStr = Field(
        default="", description="PriorityClass of the scoring pods; defaults to the cluster's default."
    )
    runtime_class_name: StrictStr = Field(
        default="",
        description="RuntimeClass of the scoring pods, if the GPUs need one.",
    )
    shared_memory: SharedMemory = Field(
        default_factory=SharedMemory, description="Shared memory of the scoring container."
    )
    extra_env: list[EnvVar] = Field(
        default=[],
        description="Environment variables of the scoring container, each with value or valueFrom.",
    )
    extra_volumes: list[ExtraVolume] = Field(default=[], description="Volumes of the pods, as in Kubernetes.")
    extra_volume_mounts: list[ExtraVolumeMount] = Field(
        default=[], description="Volume mounts of the scoring container, as in Kubernetes."
    )
    init_containers: list[ExtraContainer] = Field(
        default=[],
        description="Init containers and sidecars (restartPolicy: Always), which start before the"
        " chart's own.",
    )
    extra_containers: list[ExtraContainer] = Field(
        default=[], description="Containers besides the scoring container."
    )
    extra_objects: list[Any] = Field(
        default=[],
        description="Objects to add to the release, as mappings or text; may contain template actions.",
    )
    pod_security_context: FreeForm = Field(
        default={},
        description="Fields to add to the pods' restricted securityContext, or to override in it.",
    )
    security_context: FreeForm = Field(
        default={},
        description="Fields to add to the containers' restricted securityContext, or to override in it.",
    )
    openshift: StrictBool = Field(
        default=False,
        description="Whether the cluster is OpenShift: omits users and groups, and allows its DNS port.",
    )
    helm_test: HelmTest = Field(default_factory=HelmTest, description="Test that helm test runs.")
    # Helm hands these to a chart that is used as a part of another: the value of its condition, and global.
    enabled: StrictBool | None = Field(default=None, exclude=True)
    global_: dict[str, Any] | None = Field(default=None, alias="global", exclude=True)
