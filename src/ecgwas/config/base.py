"""What blocks of every kind have in common: strictness, names, shares, the twelve leads."""

from typing import Annotated

import pydantic
from pydantic import Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


class Strict(pydantic.BaseModel):
    """A block of keys: unknown keys are errors, values do not change after reading."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)
