"""Prediction of diseases and its interpretation: outcomes, methods, protocol."""

import warnings
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field

from ecgwas.config.base import Fraction, Name, Strict

RENAMED_SPLITS = {"choose": "validation", "choose_share": "validation_share"}  # until 0.3
METHODS = ("finetuned", "attention", "probe", "combined", "random", "supervised", "xresnet1d", "intervals", "demographics")


class Outcome(Strict):
    """One disease or finding: definition of a case, prevalent at the recording or incident after it."""

    codes: list[str] = Field([], description="Codes of a cohort's statements and diagnoses that define a case, of any system; I48* matches every code with that prefix.")
    column: str | None = Field(None, description="0/1 column of the people table, instead of codes.")
    kind: Literal["prevalent", "incident"] = Field(
        "prevalent", description="prevalent: present by the time of the recording; incident: occurs after it, prevalent cases excluded."
    )
    window_days: int = Field(30, ge=0, description="prevalent: a dated diagnosis counts up to so many days after the recording.")
    landmark_days: int = Field(0, ge=0, description="incident: follow-up starts so many days after the recording; people with the event or without follow-up by then are excluded.")


class Splits(Strict):
    """Training, validation (settings and thresholds) and test splits. People, never recordings, are split."""

    train: list[int] = Field([], description="Official folds of the cohort (`labels.fold_column`) for training, such as 1 to 8 of PTB-XL; empty: people at random.")
    validation: list[int] = Field([], description="Folds of the validation split, which selects settings and thresholds.")
    test: list[int] = Field([], description="Folds of the test split, scored once.")
    validation_share: Fraction = Field(0.15, description="Share of people in the validation split, where there are no folds.")
    test_share: Fraction = Field(0.25, description="Share of people in the test split, where there are no folds.")

    @pydantic.model_validator(mode="before")
    @classmethod
    def _renamed(cls, values: Any) -> Any:
        """The names before 0.3 are read with a warning: choose, choose_share."""
        old = [name for name in RENAMED_SPLITS if isinstance(values, dict) and name in values]
        for name in old:
            new = RENAMED_SPLITS[name]
            if new in values:
                raise ValueError(f"{name} is the former name of {new}; write {new} alone")
            warnings.warn(f"predict.splits.{name} is now called {new}; write {new}", FutureWarning, stacklevel=2)
        return {RENAMED_SPLITS.get(name, name): value for name, value in values.items()} if old else values

    @pydantic.model_validator(mode="after")
    def _apart(self) -> "Splits":
        named = (self.train, self.validation, self.test)
        if any(named) and not all(named):
            raise ValueError("name folds of train, validation and test, or of none")
        every = [*self.train, *self.validation, *self.test]
        repeated = sorted({fold for fold in every if every.count(fold) > 1})
        if repeated:
            raise ValueError(f"folds {repeated} appear in more than one of train, validation and test")
        if self.validation_share + self.test_share >= 1:
            raise ValueError("validation_share and test_share leave nobody in the training split")
        return self


class Predict(Strict):
    """Disease prediction: one protocol for every cohort. Without outcomes there is no prediction."""

    outcomes: dict[Name, Outcome] = Field({}, description="Outcomes predicted, by name.")
    model: Name | None = Field(None, description="Model whose encoder is used; the report's model by default.")
    train: Name | None = Field(None, description="Training cohort; the first by default. All others are external: evaluated as a whole, at its thresholds.")
    methods: list[Literal["finetuned", "attention", "probe", "combined", "random", "supervised", "xresnet1d", "intervals", "demographics"]] = Field(
        list(METHODS),
        min_length=1,
        description="finetuned: all weights, from the model's; attention: frozen, attention pooling; probe: frozen, linear; combined: probe and intervals; random:"
        " probe of the untrained encoder; supervised, xresnet1d: from new weights; intervals: classical measurements; demographics: age, sex.",
    )
    together: bool = Field(True, description="One network for all prevalent outcomes; false: one each.")
    recording: Literal["first", "last", "all"] = Field("first", description="Which recording of a person is used.")
    splits: Splits = Splits()
    min_cases: int = Field(5, ge=1, description="An outcome with fewer cases, or fewer controls, in a cohort is not estimable there.")
    label_shares: list[Annotated[float, Field(ge=0.001, le=0.999)]] = Field([], description="Shares of the training people's labels to train on besides all, such as 0.01, 0.1; whole per milles, each once.")
    label_draws: int = Field(3, ge=1, description="Label subsamples of people for each of these shares.")
    epochs: int = Field(20, ge=1, description="Passes of a network over the training recordings, at most.")
    patience: int = Field(4, ge=1, description="Passes without a better validation score, after which training stops.")
    learning_rates: list[Annotated[float, Field(gt=0)]] = Field(
        [3e-4, 1e-3, 3e-3], min_length=1, description="Tried by every network, the same number for each; the validation score selects one."
    )
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(0.75, description="finetuned: learning rate of a block over that of the next.")
    batch: int = Field(64, ge=2, description="Recordings a step.")
    weight_decay: float = Field(0.05, ge=0, description="AdamW weight decay.")
    threshold: Literal["youden", "specificity"] = Field("youden", description="How the threshold is set in the validation split; it is the same in every cohort.")
    specificity: Fraction = Field(0.9, description="threshold: specificity: the specificity it is to have.")
    resamples: int = Field(1000, ge=100, description="Bootstrap resamples of people.")
    subgroups: list[str] = Field(
        ["sex", "age", "ancestry", "device", "leads"], description="age (bands), leads (number), or any column of people, samples or recordings."
    )
    age_bands: list[float] = Field([45, 55, 65, 75], description="Limits of the age bands, years.")
    horizons_years: list[Annotated[float, Field(gt=0)]] = Field([1, 5, 10], description="incident: horizons of predicted risk and its evaluation, years.")
    axes: int = Field(16, ge=1, description="incident: principal axes of the embedding in the Cox and discrete-time models.")
    min_cell: int = Field(5, ge=1, description="Smallest count of people shown in a table of groups (small-cell suppression).")

    @pydantic.field_validator("label_shares")
    @classmethod
    def _named_by_per_mille(cls, shares: list[float]) -> list[float]:
        odd = [share for share in shares if abs(1000 * share - round(1000 * share)) > 1e-9]
        if odd or len(set(shares)) < len(shares):
            raise ValueError(f"{odd or shares}: write whole per milles such as 0.01 or 0.125, each once")
        return shares


class Interpret(Strict):
    """Explanation of predictions and loci by the ECG."""

    methods: list[Literal["finetuned", "attention", "probe"]] = Field(["finetuned"], description="Predictors explained, among predict.methods.")
    recordings: int = Field(100, ge=1, description="Test recordings explained an outcome, highest scores first.")
    steps: int = Field(32, ge=2, description="Steps of integrated gradients.")
    checked: int = Field(10, ge=1, description="Recordings an outcome, of those explained, on which the maps are checked.")
    loci: int = Field(20, ge=0, description="Loci of a model whose change of the median beat per allele is reported, strongest first.")
