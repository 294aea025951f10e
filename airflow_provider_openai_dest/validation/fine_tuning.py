"""Fine-tuning: https://platform.openai.com/docs/api-reference/fine-tuning/create."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from pydantic import Field

from airflow_provider_openai_dest.validation.body_model import BodyModel, Metadata, Object

Auto = Literal["auto"]


class Hyperparameters(BodyModel):
    """``hyperparameters`` of any method."""

    batch_size: Auto | Annotated[int, Ge(1), Le(256)] | None = None
    learning_rate_multiplier: Auto | Annotated[float, Gt(0)] | None = None
    n_epochs: Auto | Annotated[int, Ge(1), Le(50)] | None = None


class PreferenceHyperparameters(Hyperparameters):
    """``hyperparameters`` of ``dpo``."""

    beta: Auto | Annotated[float, Gt(0), Le(2)] | None = None


class ReinforcementHyperparameters(Hyperparameters):
    """``hyperparameters`` of ``reinforcement``."""

    compute_multiplier: Auto | Annotated[float, Gt(0.00001), Le(10)] | None = None
    eval_interval: Auto | Annotated[int, Ge(1)] | None = None
    eval_samples: Auto | Annotated[int, Ge(1)] | None = None
    reasoning_effort: str | None = None


class Supervised(BodyModel):
    """``method.supervised``."""

    hyperparameters: Hyperparameters | None = None


class Preference(BodyModel):
    """``method.dpo``."""

    hyperparameters: PreferenceHyperparameters | None = None


class Reinforcement(BodyModel):
    """``method.reinforcement``."""

    grader: Object
    hyperparameters: ReinforcementHyperparameters | None = None


class Method(BodyModel):
    """``method``."""

    type: Literal["dpo", "reinforcement", "supervised"]
    dpo: Preference | None = None
    reinforcement: Reinforcement | None = None
    supervised: Supervised | None = None


class CreateFineTuningJob(BodyModel):
    """``create_fine_tuning_job``."""

    model: str
    training_file: str
    hyperparameters: Hyperparameters | None = None
    integrations: list[Any] | None = None
    metadata: Metadata | None = None
    method: Method | None = None
    seed: int | None = Field(None, ge=0, le=2**31 - 1)
    suffix: str | None = Field(None, min_length=1, max_length=64)
    validation_file: str | None = None
