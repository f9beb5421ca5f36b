"""What a training run is made of, read from a TOML file."""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Mapping
from dataclasses import field, fields
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StrictBool, TypeAdapter, ValidationError, model_validator
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

# Strict: TOML tells 1, "1" and true apart. A whole number stands for a real one all the same.
Share = Annotated[float, Field(strict=True, ge=0, le=1)]
Amount = Annotated[float, Field(strict=True, ge=0, le=1e12, allow_inf_nan=False)]
Factor = Annotated[float, Field(strict=True, ge=1e-3, le=1e3)]
Count = Annotated[int, Field(strict=True, ge=1, le=10**12)]
Side = Annotated[int, Field(strict=True, ge=32, le=4096)]
Sizes = Annotated[tuple[tuple[Side, Side], ...], Field(min_length=1)]
_KNOWN_KEYS_ONLY = ConfigDict(extra="forbid")


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class ModelConfig:
    name: str = "brs-live"
    initial: str = ""
    """Weights of this network (.safetensors) to start from; empty: fresh ones."""
    imagenet: str = ""
    """State dict for the encoder, with torchvision's keys: ``densenet121``, or ``vgg19`` for
    brs-vgg; empty: none."""
    encoder: str = ""
    """Weights of a network (.safetensors) whose DenseNet-121 encoder to start from, be the rest
    of it another network than this one; empty: none."""
    decoders: str = ""
    """Weights of a BRS network (.safetensors) whose decoders to start from, where its encoder's
    channels leave them the same shape; empty: none."""
    teacher: str = ""
    """Weights of a BRS network (.safetensors) whose decoder's readings of its encoder this BRS
    network's are to match, beside the masks; empty: none."""
    train_encoder: StrictBool = False


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class DataConfig:
    crop_sizes: Sizes = ((256, 256), (320, 320), (256, 352), (352, 256))
    """(rows, columns); one is drawn for every step."""
    crops_per_step: Annotated[int, Field(strict=True, ge=1, le=4096)] = 4
    """Shared among the devices."""
    objects_per_crop: Annotated[int, Field(strict=True, ge=1, le=256)] = 3
    """Objects that share one crop, and one pass of the encoder."""
    zoom: Share = 0.45
    """Share of crops in which the object fills 45 to 95 % of the crop."""
    whole: Share = 0.3
    """Share of crops that show the image as the first click sees it; in the rest
    the object fills 10 to 45 % of the crop."""
    whole_scale: tuple[Factor, Factor] = (0.9, 1.15)
    """Jitter of the scale of those crops."""
    native_scale: StrictBool = False
    """Every crop at the image's own scale, centred on an object pixel (the paper)."""
    targets: Literal["objects", "foreground"] = "objects"
    """Single objects for clicks, or all of them together for networks without clicks.
    Then crops of the image's own scale have an object pixel anywhere."""
    scale: tuple[Factor, Factor] = (0.7, 1.4)
    """Jitter of the scale of such crops."""
    merge: Share = 0.08
    """Share of crops in which two objects that touch are also one object."""
    min_pixels: Count = 40
    """Objects with fewer visible pixels in a crop are not trained on."""
    source_weights: dict[str, Amount] = field(default_factory=dict)
    """How often a source is drawn; those not named get the square root of their images.
    Sources with 0 are neither trained nor validated on."""
    rotate: tuple[str, ...] = ()
    """Sources without an up and down: all eight flips and quarter turns."""
    augment: StrictBool = True
    """Colour and intensity augmentation; flips are always on."""
    workers: Annotated[int, Field(strict=True, ge=0, le=256)] = 0
    """Processes that prepare crops for each device; 0: none but its own, which
    pays where a step takes seconds and every core is busy anyway."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        share = self.zoom + self.whole
        _require(share <= 1, "data.zoom + data.whole", share, "<= 1")
        return self


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class ClickConfig:
    strategy: Literal["iterative", "k-medoids"] = "iterative"
    rounds: tuple[Amount, ...] = (0.25, 0.2, 0.15, 0.1, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04)
    """Probability of 1, 2, ... click rounds in a step."""
    single: Share = 0.7
    """Share of objects that start with one foreground click."""
    correction: Share = 0.15
    """Share that starts from a spoilt true mask, clicked where it errs."""
    box: Share = 0.0
    """Share that starts from a filled bounding box as previous mask, half of them without a
    click."""
    moved: Share = 0.0
    """Share that starts from the true mask as a neighbouring frame has it, clicked inside both.
    What these four shares leave starts with several clicks at once."""
    centre: Share = 0.6
    """Share of first clicks at the deepest pixel of the object, where the click robot starts."""
    drop_previous: Share = 0.1
    """Probability that a round does not see the previous mask."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        starts = self.single + self.correction + self.box + self.moved
        names = "clicks.single + clicks.correction + clicks.box + clicks.moved"
        _require(starts <= 1, names, starts, "<= 1")
        _require(sum(self.rounds) > 0, "clicks.rounds", self.rounds, "one positive probability")
        return self


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class LossConfig:
    kind: Literal["focal", "cross-entropy"] = "focal"
    coarse: Amount = 0.4
    """Weight of the coarse probability's cross-entropy."""
    fine: Amount = 1.0
    """Weight of the fine probability's loss; 0 trains without the fine decoder."""
    clicks: Amount = 0.2
    """Weight of the cross-entropy in the neighbourhood of the clicks."""
    hints: Amount = 1.0
    """Weight of the difference to what the teacher's decoder reads from its encoder."""
    cores: Amount = 1.0
    """Weight of the cores' loss against the foreground's, without clicks."""


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class OptimizerConfig:
    kind: Literal["adamw", "sgd"] = "adamw"
    rate: Amount = 1e-3
    encoder_rate: Amount = 1e-4
    encoder_every: Count = 1
    """The encoder is trained in each so manieth step only; the others cost a third less."""
    weight_decay: Amount = 1e-4
    momentum: Share = 0.9
    """Of SGD."""
    warm_up: Share = 0.02
    """Share of the run over which the rate rises from 0."""
    cosine: StrictBool = True
    """Whether the rate then falls to a hundredth."""
    clip: Amount = 1.0
    """Largest norm of the gradient; 0 switches clipping off."""
    ema: Share = 0.998
    """Decay of the averaged weights that are validated and shipped; 0: none."""


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class ValidationConfig:
    every_minutes: Amount = 10.0
    images: Count = 30
    """Of each validation pack."""
    clicks: Annotated[int, Field(strict=True, ge=1, le=100)] = 5


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class RunConfig:
    minutes: Annotated[float, Field(strict=True, gt=0, allow_inf_nan=False)] = 60.0
    steps: Annotated[int, Field(strict=True, ge=0, le=10**12)] = 0
    """Ends the run after so many steps; 0: only the minutes count."""
    seed: Annotated[int, Field(strict=True, ge=0, lt=2**32)] = 0
    precision: str = "auto"
    """As Lightning Fabric names it. ``auto``: ``bf16-mixed`` where the device multiplies
    bfloat16 in hardware, ``32-true`` elsewhere."""
    accelerator: str = "auto"
    devices: Annotated[int, Field(strict=True, ge=1, le=64)] = 1
    """GPUs, or processes on the CPU. On a CPU that others use too, processes of one
    thread each pass more images than one process with as many threads, whose every
    operation waits for its slowest thread."""
    threads: Annotated[int, Field(strict=True, ge=0, le=1024)] = 0
    """Of each process; 0: as many as torch likes."""
    checkpoint_minutes: Amount = 5.0
    compile: tuple[str, ...] = ()
    """Submodules to compile, by name. It pays where little is convolved and much is done
    pixel by pixel: the fine decoder of the BRS networks is three times faster on a CPU."""


@dataclass(frozen=True, config=_KNOWN_KEYS_ONLY)
class TrainingConfig:
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    clicks: ClickConfig = field(default_factory=ClickConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    run: RunConfig = field(default_factory=RunConfig)

    @model_validator(mode="after")
    def _check(self) -> Self:
        crops, devices = self.data.crops_per_step, self.run.devices
        allowed = f"a multiple of run.devices, {devices}"
        _require(crops % devices == 0, "data.crops_per_step", crops, allowed)
        return self


def load_config(path: str | Path) -> TrainingConfig:
    """Read a training configuration.

    Its key ``base`` names another one, whose settings hold where this one has none.

    Parameters
    ----------
    path : str or Path
        A TOML file, or the name of one that ships with the package ("live").
        ``base`` is the same, relative to the file that has it.

    Raises
    ------
    ValueError
        If there is no such file, it is no TOML, it is its own base, or a key or
        value is not known. The message names it and what is allowed.
    """
    return parse_config(_read(Path(path), ()))


def _read(path: Path, derived: tuple[Path, ...]) -> dict[str, Any]:
    """The tables of a file over those of its base; ``derived`` are the files on the way here."""
    shipped = resources.files(__package__) / "configs"
    try:
        if not path.is_file() and (shipped / f"{path.name}.toml").is_file():
            # By name, from wherever it was asked for.
            file = Path(str(shipped)) / f"{path.name}.toml"
        else:
            file = path
        if not file.is_file():  # a device may have no end
            raise FileNotFoundError(f"no such file: {file}")
        table = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        names = sorted(entry.name.removesuffix(".toml") for entry in shipped.iterdir())
        raise ValueError(
            f"no training configuration {str(path)!r}: give a TOML file or one of {names}"
        ) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, nested too deeply
        raise ValueError(f"{path} is not valid TOML: {error}") from error
    base = table.pop("base", None)
    if base is None:
        return table
    if not isinstance(base, str):
        raise ValueError(f"base = {base!r}: allowed is the name of a configuration or a file")
    if file in derived:
        raise ValueError(f"base = {base!r}: {file} is its own base; allowed is another one")
    return _merged(_read(file.parent / base, (*derived, file)), table)


def _merged(base: Mapping[str, Any], table: Mapping[str, Any]) -> dict[str, Any]:
    """Both, table by table; lists and single values of the second replace the first's."""
    result = dict(base)
    for key, value in table.items():
        old = result.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        result[key] = _merged(old, value) if both else value  # type: ignore[arg-type]
    return result


def parse_config(table: Mapping[str, Any]) -> TrainingConfig:
    """Turn nested tables into a `TrainingConfig`; see `load_config`."""
    try:
        return TypeAdapter(TrainingConfig).validate_python(table)
    except ValidationError as error:
        raise ValueError(_explain(error.errors()[0])) from None


# Where pydantic speaks of Python, what TOML calls it.
_ALLOWED = {
    "dataclass_type": "a table",
    "dict_type": "a table",
    "tuple_type": "a list",
    "too_short": "at least one",
    "missing": "2 values",
    "too_long": "2 values",
}


def _explain(problem: ErrorDetails) -> str:
    """One line: which key, its value, and what is allowed."""
    if problem["type"] == "value_error":  # from the checks of several values above
        return str(problem["ctx"]["error"])
    # Of a list, its key alone: the value tells which entry it is.
    name = ".".join(step for step in problem["loc"] if isinstance(step, str))
    if problem["type"] == "unexpected_keyword_argument":
        section = TrainingConfig()
        for step in problem["loc"][:-1]:
            section = getattr(section, str(step))
        return f"unknown key {name}: allowed are {sorted(each.name for each in fields(section))}"
    allowed = _ALLOWED.get(problem["type"], problem["msg"].removeprefix("Input should be "))
    return f"{name} = {reprlib.repr(problem['input'])}: allowed is {allowed}"


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{name} = {value!r}: allowed is {allowed}")
