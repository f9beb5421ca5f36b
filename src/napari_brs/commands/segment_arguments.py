"""What ``napari-brs segment`` is told: its arguments, and how each is read."""

from __future__ import annotations

import argparse
from typing import Any

from napari_brs.clicks import Click
from napari_brs.commands.arguments import add_model_arguments, channel, limits, pair
from napari_brs.io.images import KINDS
from napari_brs.masks import Box

DEFAULT_MODEL = "brs-live"
DEFAULT_THRESHOLD = 0.5

EPILOG = """\
Clicks are made one after the other, in the order given, as in napari: each sees the mask
of those before it. Positions are row,column in pixels, (0, 0) the centre of the first pixel.

  napari-brs segment cells.tif --fg 120,84 --bg 131,90 -o labels.tif
  napari-brs segment cells.tif --fg 120,84 --object --fg 40,200 -o labels.tif
  napari-brs segment cells.tif --box 100,60,150,110 --bg 131,90 -o labels.tif
  napari-brs segment stack.tif --slice 12 --replay clicks.json -o labels.tif
  napari-brs segment cells.tif --labels old.tif --correct 7 --bg 131,90 -o labels.tif
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EPILOG
    parser.add_argument("image", metavar="IMAGE", help=KINDS)
    for flag, meaning, sign in (("--fg", "foreground", True), ("--bg", "background", False)):
        parser.add_argument(
            flag,
            type=_click,
            action=_AddClick,
            const=sign,
            dest="objects",
            metavar="R,C",
            help=f"a {meaning} click; may be repeated",
        )
    parser.add_argument(
        "--box",
        type=_box,
        action=_AddBox,
        dest="objects",
        metavar="T,L,B,R",
        help="a box around the object, rows T to B - 1 and columns L to R - 1, with or without "
        "clicks after it",
    )
    parser.add_argument(
        "--object", nargs=0, action=_NextObject, dest="objects", help="begin the next object"
    )
    parser.add_argument(
        "--labels",
        metavar="LABELS.tif",
        help="objects that are there already, of any program; they are kept, and new ones "
        "get ids after them",
    )
    parser.add_argument(
        "--correct",
        type=int,
        action=_CorrectObject,
        dest="objects",
        metavar="ID",
        help="begin an object that starts from the mask of this one of LABELS, and replaces it",
    )
    parser.add_argument(
        "--size",
        type=float,
        metavar="PIXELS",
        help="about how long the clicked objects are; it helps where they are small",
    )
    parser.add_argument("--replay", metavar="S.json", help="take objects and clicks from a session")
    parser.add_argument(
        "-o", "--output", metavar="LABELS.tif", required=True, help="the labels, as TIFF"
    )
    parser.add_argument("--session", metavar="S.json", help="write the clicks as a session")
    parser.add_argument(
        "--whole",
        action="store_true",
        help="instead of clicked objects, all that the model finds by itself; "
        "correct them with --labels",
    )
    add_model_arguments(parser)
    parser.add_argument(
        "--device", metavar="D", default="auto", help="auto, cuda, mps or cpu (default: auto)"
    )
    parser.add_argument(
        "--no-refine",
        dest="refine",
        action="store_false",
        help="do not correct the mask where it contradicts a click",
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="T",
        help=f"probability above which a pixel is foreground (default: {DEFAULT_THRESHOLD})",
    )
    parser.add_argument(
        "--channel", type=channel, metavar="C", help="a channel's index, mean or max"
    )
    parser.add_argument(
        "--contrast-limits",
        type=limits,
        metavar="LOW,HIGH",
        help="grey values to show as black and white (default: robust limits of the image)",
    )
    parser.add_argument(
        "--slice",
        type=_indices,
        default=(),
        metavar="N[,N...]",
        help="which plane of a stack, one index per axis",
    )


class Clicks(list[Click]):
    """The clicks of one object, the box around it, and its id if it has one already."""

    label: int | None = None
    box: Box | None = None

    def __bool__(self) -> bool:
        return len(self) > 0 or self.box is not None


class _AddClick(argparse.Action):
    """Adds to the last object; signs share one list, so that their order is kept."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        objects = namespace.objects or [Clicks()]
        row, column = values
        objects[-1].append(Click(row, column, positive=bool(self.const)))
        namespace.objects = objects


class _AddBox(argparse.Action):
    """Puts a box around the last object."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        objects = namespace.objects or [Clicks()]
        if objects[-1].box is not None:
            parser.error("an object has two boxes; --object begins the next one")
        objects[-1].box = values
        namespace.objects = objects


class _NextObject(argparse.Action):
    """Begins another object; before the first click it changes nothing."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if namespace.objects:
            namespace.objects.append(Clicks())


class _CorrectObject(argparse.Action):
    """Begins an object that has an id."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        begun = Clicks()
        begun.label = values
        namespace.objects = [*filter(None, namespace.objects or []), begun]


def _click(text: str) -> tuple[float, float]:
    return pair(text, "a position; row,column such as 120,84.5 is allowed")


def _box(text: str) -> Box:
    try:
        top, left, bottom, right = map(int, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a box; top,left,bottom,right such as 10,20,60,90 is allowed"
        ) from None
    return Box(top, left, bottom, right)


def _indices(text: str) -> tuple[int, ...]:
    try:
        return tuple(map(int, text.split(",")))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a slice; integers such as 12, or 0,12 for two axes, are allowed"
        ) from None
