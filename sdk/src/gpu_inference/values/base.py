"""What all sections of the values have in common: closed, strictly typed, and null where the SDK has None."""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, model_validator
from pydantic.alias_generators import to_camel


def _without_point(value: object) -> object:
    """Return 2 for 2.0: Helm hands every number of a values file to the chart as a float."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


# Kubernetes keeps numbers of pods, GPUs and seconds in 32 bits.
LARGEST = 2**31 - 1
# The validator comes last, so that it runs first and leaves the bounds visible to the schema.
Count = Annotated[int, Strict(), Field(ge=1, le=LARGEST), BeforeValidator(_without_point)]
CountOrZero = Annotated[int, Strict(), Field(ge=0, le=LARGEST), BeforeValidator(_without_point)]
Amount = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
Switch = Annotated[bool, Strict()]
Text = Annotated[str, Strict()]
FreeForm = dict[str, Any]


class Section(BaseModel):
    """A mapping of the values file that knows all its keys."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @classmethod
    def accepts_null(cls, key: str) -> bool:  # noqa: ARG003 (the subclasses need it)
        """Tell whether `key: null` means the same as leaving the key out."""
        return False

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        return {key: value for key, value in given.items() if value is not None or not cls.accepts_null(key)}


class KubernetesSection(Section):
    """A section in Kubernetes' own terms, hence with keys in camelCase."""

    model_config = ConfigDict(alias_generator=to_camel)
