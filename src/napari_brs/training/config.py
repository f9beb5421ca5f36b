"""What a training run is made of, read from a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from importlib import resources
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from .ranges import LARGEST, RANGES


@dataclass(frozen=True)
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
    train_encoder: bool = False


@dataclass(frozen=True)
class DataConfig:
    crop_sizes: tuple[tuple[int, int], ...] = ((256, 256), (320, 320), (256, 352), (352, 256))
    """(rows, columns); one is drawn for every step."""
    crops_per_step: int = 4
    """Shared among the devices."""
    objects_per_crop: int = 3
    """Objects that share one crop, and one pass of the encoder."""
    zoom: float = 0.45
    """Share of crops in which the object fills 45 to 95 % of the crop."""
    whole: float = 0.3
    """Share of crops that show the image as the first click sees it; in the rest
    the object fills 10 to 45 % of the crop."""
    whole_scale: tuple[float, float] = (0.9, 1.15)
    """Jitter of the scale of those crops."""
    native_scale: bool = False
    """Every crop at the image's own scale, centred on an object pixel (the paper)."""
    targets: Literal["objects", "foreground"] = "objects"
    """Single objects for clicks, or all of them together for networks without clicks.
    Then crops of the image's own scale have an object pixel anywhere."""
    scale: tuple[float, float] = (0.7, 1.4)
    """Jitter of the scale of such crops."""
    merge: float = 0.08
    """Share of crops in which two objects that touch are also one object."""
    min_pixels: int = 40
    """Objects with fewer visible pixels in a crop are not trained on."""
    source_weights: Mapping[str, float] = field(default_factory=dict)
    """How often a source is drawn; those not named get the square root of their images.
    Sources with 0 are neither trained nor validated on."""
    rotate: tuple[str, ...] = ()
    """Sources without an up and down: all eight flips and quarter turns."""
    augment: bool = True
    """Colour and intensity augmentation; flips are always on."""
    workers: int = 0
    """Processes that prepare crops for each device; 0: none but its own, which
    pays where a step takes seconds and every core is busy anyway."""


@dataclass(frozen=True)
class ClickConfig:
    strategy: Literal["iterative", "k-medoids"] = "iterative"
    rounds: tuple[float, ...] = (0.25, 0.2, 0.15, 0.1, 0.07, 0.06, 0.05, 0.04, 0.04, 0.04)
    """Probability of 1, 2, ... click rounds in a step."""
    single: float = 0.7
    """Share of objects that start with one foreground click."""
    correction: float = 0.15
    """Share that starts from a spoilt true mask, clicked where it errs."""
    box: float = 0.0
    """Share that starts from a filled bounding box as previous mask, half of them without a
    click."""
    moved: float = 0.0
    """Share that starts from the true mask as a neighbouring frame has it, clicked inside both.
    What these four shares leave starts with several clicks at once."""
    centre: float = 0.6
    """Share of first clicks at the deepest pixel of the object, where the click robot starts."""
    drop_previous: float = 0.1
    """Probability that a round does not see the previous mask."""


@dataclass(frozen=True)
class LossConfig:
    kind: Literal["focal", "cross-entropy"] = "focal"
    coarse: float = 0.4
    """Weight of the coarse probability's cross-entropy."""
    fine: float = 1.0
    """Weight of the fine probability's loss; 0 trains without the fine decoder."""
    clicks: float = 0.2
    """Weight of the cross-entropy in the neighbourhood of the clicks."""
    hints: float = 1.0
    """Weight of the difference to what the teacher's decoder reads from its encoder."""
    cores: float = 1.0
    """Weight of the cores' loss against the foreground's, without clicks."""


@dataclass(frozen=True)
class OptimizerConfig:
    kind: Literal["adamw", "sgd"] = "adamw"
    rate: float = 1e-3
    encoder_rate: float = 1e-4
    encoder_every: int = 1
    """The encoder is trained in each so manieth step only; the others cost a third less."""
    weight_decay: float = 1e-4
    momentum: float = 0.9
    """Of SGD."""
    warm_up: float = 0.02
    """Share of the run over which the rate rises from 0."""
    cosine: bool = True
    """Whether the rate then falls to a hundredth."""
    clip: float = 1.0
    """Largest norm of the gradient; 0 switches clipping off."""
    ema: float = 0.998
    """Decay of the averaged weights that are validated and shipped; 0: none."""


@dataclass(frozen=True)
class ValidationConfig:
    every_minutes: float = 10.0
    images: int = 30
    """Of each validation pack."""
    clicks: int = 5


@dataclass(frozen=True)
class RunConfig:
    minutes: float = 60.0
    steps: int = 0
    """Ends the run after so many steps; 0: only the minutes count."""
    seed: int = 0
    precision: str = "auto"
    """As Lightning Fabric names it. ``auto``: ``bf16-mixed`` where the device multiplies
    bfloat16 in hardware, ``32-true`` elsewhere."""
    accelerator: str = "auto"
    devices: int = 1
    """GPUs, or processes on the CPU. On a CPU that others use too, processes of one
    thread each pass more images than one process with as many threads, whose every
    operation waits for its slowest thread."""
    threads: int = 0
    """Of each process; 0: as many as torch likes."""
    checkpoint_minutes: float = 5.0
    compile: tuple[str, ...] = ()
    """Submodules to compile, by name. It pays where little is convolved and much is done
    pixel by pixel: the fine decoder of the BRS networks is three times faster on a CPU."""


@dataclass(frozen=True)
class TrainingConfig:
    model: ModelConfig = field(default_factory=ModelConfig)
    data: DataConfig = field(default_factory=DataConfig)
    clicks: ClickConfig = field(default_factory=ClickConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    run: RunConfig = field(default_factory=RunConfig)


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
    config: TrainingConfig = _build(TrainingConfig, table, "")
    for name, (least, most) in RANGES.items():
        section, key = name.split(".")
        for number in _numbers(getattr(getattr(config, section), key)):
            allowed = f"{least:g} or more" if most == LARGEST else f"{least:g} to {most:g}"
            _require(least <= number <= most, name, number, allowed)
    data, clicks = config.data, config.clicks
    _require(bool(data.crop_sizes), "data.crop_sizes", data.crop_sizes, "at least one size")
    for size in data.crop_sizes:
        _require(min(size) >= 32, "data.crop_sizes", size, "32 pixels or more")
        _require(max(size) <= 4096, "data.crop_sizes", size, "4096 pixels at most")
    _require(data.zoom + data.whole <= 1, "data.zoom + data.whole", data.zoom + data.whole, "<= 1")
    starts = clicks.single + clicks.correction + clicks.box + clicks.moved
    _require(starts <= 1, "clicks.single + clicks.correction + clicks.box + clicks.moved",
             starts, "<= 1")  # fmt: skip
    _require(sum(clicks.rounds) > 0, "clicks.rounds", clicks.rounds, "one positive probability")
    _require(data.crops_per_step % config.run.devices == 0, "data.crops_per_step",
             data.crops_per_step, f"a multiple of run.devices, {config.run.devices}")  # fmt: skip
    return config


def _numbers(value: Any) -> Iterable[float]:
    """Those in one entry."""
    if isinstance(value, Mapping):
        return value.values()
    return value if isinstance(value, tuple) else (value,)


def _require(holds: bool, name: str, value: object, allowed: str) -> None:
    if not holds:
        raise ValueError(f"{name} = {value!r}: allowed is {allowed}")


def _build(kind: type, table: Mapping[str, Any], prefix: str) -> Any:
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}
    for key in table:
        if key not in known:
            raise ValueError(f"unknown key {prefix}{key}: allowed are {sorted(known)}")
    return kind(
        **{key: _convert(hints[key], value, f"{prefix}{key}") for key, value in table.items()}
    )


def _convert(hint: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if isinstance(hint, type) and hasattr(hint, "__dataclass_fields__"):
        if not isinstance(value, Mapping):
            raise ValueError(f"{name} = {value!r}: allowed is a table")
        return _build(hint, value, f"{name}.")
    if origin is Literal:
        _require(value in arguments, name, value, f"one of {list(arguments)}")
        return value
    if origin is tuple:
        _require(isinstance(value, list), name, value, "a list")
        if arguments[-1] is Ellipsis:
            return tuple(_convert(arguments[0], item, name) for item in value)
        _require(len(value) == len(arguments), name, value, f"{len(arguments)} values")
        return tuple(_convert(a, item, name) for a, item in zip(arguments, value, strict=True))
    if origin is not None and not isinstance(hint, UnionType):  # Mapping[str, float]
        _require(isinstance(value, Mapping), name, value, "a table")
        return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        _require(abs(value) <= LARGEST, name, value, f"{LARGEST:g} at most")
        return float(value)
    if type(value) is not hint:
        raise ValueError(f"{name} = {value!r}: allowed is a value of type {hint.__name__}")
    return value
