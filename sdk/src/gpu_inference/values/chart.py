"""All values of the chart, in the order in which a person reads them."""

from typing import Any, Self

from pydantic import Field, model_validator

from gpu_inference.values.autoscaling import Autoscaling
from gpu_inference.values.base import FreeForm, KubernetesSection, Switch, Text
from gpu_inference.values.batching import Batching
from gpu_inference.values.cluster import Cluster
from gpu_inference.values.data_collection import DataCollection
from gpu_inference.values.deployment import Deployment
from gpu_inference.values.disruption import PodDisruptionBudget, Rollout, TopologySpreadConstraint
from gpu_inference.values.drain import Drain
from gpu_inference.values.env import EnvVar
from gpu_inference.values.extras import ExtraContainer, ExtraVolume, ExtraVolumeMount
from gpu_inference.values.helm_test import HelmTest
from gpu_inference.values.http_route import HttpRoute
from gpu_inference.values.image import Image, ImagePullSecret
from gpu_inference.values.inference import Inference
from gpu_inference.values.ingress import Ingress
from gpu_inference.values.keys import Keys
from gpu_inference.values.metrics import Metrics
from gpu_inference.values.models import ModelVersion
from gpu_inference.values.network_policy import NetworkPolicy
from gpu_inference.values.rules import problems
from gpu_inference.values.service import Service, ServiceAccount
from gpu_inference.values.shared_memory import SharedMemory
from gpu_inference.values.telemetry import Telemetry
from gpu_inference.values.token_auth import TokenAuth


class ChartValues(KubernetesSection):
    """The chart's values; building one checks them as the chart does at install."""

    deployment: Deployment = Field(
        default_factory=Deployment,
        description="Parameters of AksWebservice.deploy_configuration (Azure ML SDK v1), under its names.",
    )
    cluster: Cluster = Field(
        default_factory=Cluster, description="The GPUs that the cluster lends to this service."
    )
    autoscaling: Autoscaling = Field(
        default_factory=Autoscaling,
        description="The autoscaler behind deployment.autoscale_enabled.",
    )
    image: Image = Field(
        default_factory=Image,
        description="The image with the scoring server, the entry script and the models.",
    )
    image_pull_secrets: list[ImagePullSecret] = Field(
        default=[], description="Secrets with the credentials of the image's registry; none unless given."
    )
    inference: Inference = Field(
        default_factory=Inference, description="The entry script and its folder, as in InferenceConfig."
    )
    batching: Batching = Field(
        default_factory=Batching,
        description="Whether one call of the script's run() may take what several requests hold.",
    )
    models: list[ModelVersion] = Field(
        default=[],
        description="Models, by name and version, each from one source; those of the image unless given.",
    )
    fullname_override: Text = Field(
        default="",
        description="Name of the service, 3 to 32 characters long; the release's name unless given.",
    )
    keys: Keys = Field(default_factory=Keys, description="Where the service's two keys come from.")
    token_auth: TokenAuth = Field(
        default_factory=TokenAuth,
        description="Whose tokens let a request score while deployment.token_auth_enabled is true.",
    )
    service_account: ServiceAccount = Field(
        default_factory=ServiceAccount, description="The ServiceAccount of the scoring pods."
    )
    service: Service = Field(default_factory=Service, description="The Service in front of the pods.")
    ingress: Ingress = Field(
        default_factory=Ingress, description="An Ingress to the service, and to nothing else of the pods."
    )
    http_route: HttpRoute = Field(
        default_factory=HttpRoute, description="A route of the Gateway API to the service."
    )
    network_policy: NetworkPolicy = Field(
        default_factory=NetworkPolicy, description="Who may reach the pods, and what they may reach."
    )
    metrics: Metrics = Field(
        default_factory=Metrics, description="What Prometheus and Grafana get to know of the service."
    )
    data_collection: DataCollection = Field(
        default_factory=DataCollection,
        description="Where collected rows go while deployment.collect_model_data is true.",
    )
    telemetry: Telemetry = Field(
        default_factory=Telemetry,
        description="Where traces go while deployment.enable_app_insights is true.",
    )
    drain: Drain = Field(default_factory=Drain, description="How a pod leaves without failing a request.")
    rollout: Rollout = Field(default_factory=Rollout, description="When a rollout counts as failed.")
    pod_disruption_budget: PodDisruptionBudget = Field(
        default_factory=PodDisruptionBudget,
        description="How many pods a node's drain may take away at a time.",
    )
    common_labels: dict[Text, Text] = Field(
        default={}, description="Further labels of all objects and pods; none unless given."
    )
    common_annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of all objects, not of their pods; none unless given."
    )
    deployment_annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the Deployment; none unless given."
    )
    pod_annotations: dict[Text, Text] = Field(
        default={}, description="Annotations of the scoring pods; none unless given."
    )
    pod_labels: dict[Text, Text] = Field(
        default={}, description="Further labels of the scoring pods; none unless given."
    )
    node_selector: dict[Text, Text] = Field(
        default={}, description="Labels that a node must have to run the pods; none unless given."
    )
    affinity: FreeForm = Field(
        default={},
        description="Affinity of the pods, beside cluster.gpu_products; none unless given.",
    )
    tolerations: list[FreeForm] = Field(
        default=[],
        description="Tolerations of the pods, beside that of cluster.gpu_toleration; none unless given.",
    )
    topology_spread_constraints: list[TopologySpreadConstraint] = Field(
        default=[],
        description="How the service's pods are spread over nodes or zones; not at all unless given.",
    )
    priority_class_name: Text = Field(
        default="", description="PriorityClass of the scoring pods; the cluster's default unless given."
    )
    runtime_class_name: Text = Field(
        default="",
        description="RuntimeClass of the scoring pods, where GPUs need one; none unless given.",
    )
    shared_memory: SharedMemory = Field(
        default_factory=SharedMemory, description="Memory that the processes of a pod share."
    )
    extra_env: list[EnvVar] = Field(
        default=[],
        description="Environment variables of the pods, with value or valueFrom; none unless given.",
    )
    extra_volumes: list[ExtraVolume] = Field(
        default=[], description="Volumes of the pods, as in Kubernetes; none unless given."
    )
    extra_volume_mounts: list[ExtraVolumeMount] = Field(
        default=[], description="Mounts of the scoring container, as in Kubernetes; none unless given."
    )
    init_containers: list[ExtraContainer] = Field(
        default=[],
        description="Init containers and sidecars (restartPolicy: Always), run first; none unless given.",
    )
    extra_containers: list[ExtraContainer] = Field(
        default=[], description="Containers beside the scoring container; none unless given."
    )
    extra_objects: list[Any] = Field(
        default=[],
        description="Objects of the release, mappings or texts, with template actions; none unless given.",
    )
    pod_security_context: FreeForm = Field(
        default={},
        description="What to add to the pods' restricted securityContext, or replace; none by default.",
    )
    security_context: FreeForm = Field(
        default={},
        description="What to add to the containers' restricted securityContext, or replace; none by default.",
    )
    openshift: Switch = Field(
        default=False,
        description="Whether this is OpenShift: no users and groups from values, its DNS port let through.",
    )
    helm_test: HelmTest = Field(default_factory=HelmTest, description="What helm test asks of the service.")
    # Helm hands these to a chart that is used as a part of another: the value of its condition, and global.
    enabled: Switch | None = Field(default=None, exclude=True)
    global_: dict[str, Any] | None = Field(default=None, alias="global", exclude=True)

    @model_validator(mode="after")
    def _obeys_the_rules(self) -> Self:
        if found := problems(self):
            raise ValueError("\n".join(found))
        return self
