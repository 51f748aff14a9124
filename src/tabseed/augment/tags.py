"""The tags that scikit-learn and imbalanced-learn expect of a sampler."""

from __future__ import annotations

from dataclasses import dataclass, field

from sklearn.utils import InputTags as _InputTags
from sklearn.utils import Tags as _Tags


@dataclass(slots=True)
class SamplerTags:
    """Tags of a sampler."""

    sample_indices: bool = True


@dataclass(slots=True)
class InputTags(_InputTags):
    """Tags of the input, including frames."""

    dataframe: bool = True


@dataclass(slots=True)
class Tags(_Tags):
    """Tags of an estimator, including those of a sampler."""

    sampler_tags: SamplerTags = field(default_factory=SamplerTags)
