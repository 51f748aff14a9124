"""What scikit-learn and imbalanced-learn ask of a sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from sklearn.utils import InputTags as _InputTags
from sklearn.utils import Tags as _Tags


@dataclass(slots=True)
class SamplerTags:
    """What a sampler says of itself."""

    sample_indices: bool = True


@dataclass(slots=True)
class InputTags(_InputTags):
    """What goes in, frames included."""

    dataframe: bool = True


@dataclass(slots=True)
class Tags(_Tags):
    """What an estimator says of itself, a sampler included."""

    sampler_tags: SamplerTags = field(default_factory=SamplerTags)
