"""Types that all sections of the values share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictStr
from pydantic.alias_generators import to_camel

# Kubernetes keeps numbers of pods, GPUs and seconds in 32 bits.
LARGEST = 2**31 - 1
PositiveInt = Annotated[int, Strict(), Field(ge=1, le=LARGEST)]
NonNegativeInt = Annotated[int, Strict(), Field(ge=0, le=LARGEST)]
PositiveNumber = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NonNegativeNumber = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Port = Annotated[PositiveInt, Field(le=65535)]
PortOrZero = Annotated[NonNegativeInt, Field(le=65535)]
NonEmpty = Annotated[StrictStr, Field(min_length=1)]
FreeForm = dict[str, Any]


def text(pattern: str, must: str, *, max_length: int | None = None) -> Any:
    """Return the constraints of a text.

    Args:
        pattern: regular expression that the whole text matches, in the syntax that ECMA 262 and Go share.
        must: end of the error's sentence "VALUE must …" when the text does not match.
        max_length: longest length, in characters.
    """
    return Field(pattern=rf"^{pattern}$", max_length=max_length, json_schema_extra={"must": must})


class SnakeCaseSection(BaseModel):
    """A closed mapping of the values file, with keys in snake_case."""

    model_config = ConfigDict(extra="forbid")

    @classmethod
    def accepts_null(cls, key: str) -> bool:  # noqa: ARG003 (the subclasses need it)
        """Return whether `key: null` means the same as leaving the key out."""
        return False


class Section(SnakeCaseSection):
    """A closed mapping of the values file, with keys in camelCase as in Kubernetes."""

    model_config = ConfigDict(alias_generator=to_camel)
