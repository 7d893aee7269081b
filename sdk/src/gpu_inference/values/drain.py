"""`drain.*`: how a pod leaves without failing a request."""

from pydantic import Field

from gpu_inference.values.base import CountOrZero, KubernetesSection


class Drain(KubernetesSection):
    """The two waits between the decision to end a pod and its last request."""

    pre_stop_sleep_seconds: CountOrZero = Field(
        default=5,
        description="Time between leaving the Service's endpoints and being told to end, in seconds.",
    )
    seconds: CountOrZero = Field(
        default=10,
        description="Time that a pod told to end still accepts requests, in seconds.",
    )
