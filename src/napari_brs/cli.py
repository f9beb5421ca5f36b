"""The command line: ``napari-brs COMMAND``.

Commands live where their work is done and are imported when they are chosen, so
that ``--help`` is quick. Whatever is wrong with the input is a ValueError or an
OSError there; here it becomes one line on stderr and exit code 2.
"""

from __future__ import annotations

import argparse
import logging
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from napari_brs import __version__

BAD_INPUT = 2
INTERRUPTED = 130
LONGEST_LINE = 2000
"""Characters of a message."""


class Command(NamedTuple):
    """A subcommand.

    Attributes
    ----------
    help : str
        Its line.
    prepare : callable
        Declares its arguments and ``run``.
    window : bool
        Whether it opens one, where an exception may not end it.
    """

    help: str
    prepare: Callable[[argparse.ArgumentParser], None]
    window: bool = False


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; the exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Raises
    ------
    SystemExit
        After ``--help`` and ``--version``, and if the arguments cannot be parsed.
    """
    argv = _join_negative_values(sys.argv[1:] if argv is None else argv)
    parser = _parser(argv)
    for word in argv:
        if re.fullmatch("--[^=]+=--", word):  # which argparse takes for no value at all
            parser.error(f"argument {word[:-3]}: '--' is no value")
    args = parser.parse_args(argv)
    # Decoders log what they also raise; the exception has the one line that is wanted.
    logging.getLogger("tifffile").addHandler(logging.NullHandler())
    window = COMMANDS[args.command].window
    try:
        with _warnings_on_one_line(), nullcontext() if window else _ended_by_exception():
            return args.run(args) or 0
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and not _is_out_of_memory(error):
            raise
        print(f"napari-brs {args.command}: {_one_line(_message(error))}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        return INTERRUPTED


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(BAD_INPUT, f"{self.prog}: {_one_line(message)} (see {self.prog} --help)\n")


def _parser(argv: Sequence[str]) -> argparse.ArgumentParser:
    parser = _Parser(
        prog="napari-brs",
        description="Click a cell, get its mask: interactive segmentation with BRS.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"napari-brs {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(
            name, help=command.help, description=f"{command.help}.", allow_abbrev=False
        )
        if name == chosen:
            command.prepare(sub)
    return parser


def _demo(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        metavar="DIR",
        help="leave a screenshot and the labels there, and close; without a display "
        "that is done anyway, in demo-output",
    )

    def run(args: argparse.Namespace) -> int:
        from napari_brs.io.outputs import check_outputs
        from napari_brs.plugin.demo import run_demo

        if args.output is not None:
            folder, names = Path(args.output), ("screenshot.png", "labels.tif")
            check_outputs([folder / name for name in names], folder=folder)
            if folder.is_dir() and not {path.name for path in folder.iterdir()} <= {*names}:
                raise ValueError(f"{folder} holds other files; a new or an empty one is allowed")
        return run_demo(args.output)

    parser.set_defaults(run=run)


def _segment(parser: argparse.ArgumentParser) -> None:
    from napari_brs import segment_arguments, segment_command

    segment_arguments.add_arguments(parser)
    parser.set_defaults(run=segment_command.run)


def _evaluate(parser: argparse.ArgumentParser) -> None:
    from napari_brs.evaluation import command

    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _benchmark(parser: argparse.ArgumentParser) -> None:
    from napari_brs.benchmarking import command

    command.add_arguments(parser)
    parser.set_defaults(run=command.run)


def _train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("config", metavar="CONFIG.toml", help="a file, or a shipped one: live")
    parser.add_argument(
        "--data", metavar="PACK", nargs="+", required=True, help="packs; those named *_val validate"
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="default: the configuration's")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument(
        "-o", "--output", metavar="DIR", default="runs/train", help="default: %(default)s"
    )

    def run(args: argparse.Namespace) -> None:
        try:
            from napari_brs.training.run import train
        except ModuleNotFoundError as error:
            raise ValueError(f'{error}; training needs: pip install "napari-brs[train]"') from None
        print(
            train(
                args.config,
                args.data,
                minutes=args.minutes,
                resume=args.resume,
                output=args.output,
            )
        )

    parser.set_defaults(run=run)


def _models(parser: argparse.ArgumentParser) -> None:
    def run(args: argparse.Namespace) -> None:
        from napari_brs.models import list_models

        for info in list_models():
            if info.kind == "classical":
                size = "-"
            elif info.available:
                size = f"{info.path.stat().st_size / 1e6:.1f} MB"
            else:
                size = "no weights"
            print(f"{info.name:<14}{size:>10}  {info.description}")

    parser.set_defaults(run=run)


def _import_caffe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", metavar="MODEL.caffemodel", help="weights of BRS-DenseNet")
    parser.add_argument("-o", "--output", metavar="OUT.safetensors", required=True)

    def run(args: argparse.Namespace) -> None:
        from napari_brs.io.outputs import check_outputs

        if Path(args.output).suffix != ".safetensors":
            raise ValueError(f"{args.output} must end in .safetensors")
        check_outputs([args.output], [args.model])

        from napari_brs.models import save_weights
        from napari_brs.networks.caffe import import_caffemodel

        path = save_weights(import_caffemodel(args.model), args.output, "brs-densenet")
        print(f"{path}: {path.stat().st_size / 1e6:.1f} MB; use it with --model {path}")

    parser.set_defaults(run=run)


COMMANDS = {
    "demo": Command("Open napari on sample cells and replay clicks", _demo, window=True),
    "segment": Command("Segment objects of an image by clicks", _segment),
    "evaluate": Command("Let a robot click on a dataset pack and measure", _evaluate),
    "benchmark": Command("Measure how long a click takes on this machine", _benchmark),
    "train": Command("Train a network on dataset packs", _train),
    "models": Command("List the models and whether their weights are here", _models),
    "import-caffe": Command("Convert the released Caffe weights of BRS-DenseNet", _import_caffe),
}


def _join_negative_values(argv: Sequence[str]) -> list[str]:
    """``--fg -3,4`` as ``--fg=-3,4``: argparse takes the value for an option otherwise."""
    joined: list[str] = []
    for word in argv:
        if joined and joined[-1].startswith("--") and re.match(r"-[\d.]+,", word):
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def _is_out_of_memory(error: Exception) -> bool:
    # torch has no class for it on the CPU.
    return isinstance(error, MemoryError) or "you tried to allocate" in str(error)


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if _is_out_of_memory(error):
        return f"there is not enough memory: {error}"
    return str(error)


def _one_line(text: str) -> str:
    """A message without line breaks, control characters, and more than can be read."""
    line = " ".join(text.split())
    if len(line) > LONGEST_LINE:  # what is wrong stands at its ends
        line = f"{line[: LONGEST_LINE // 2]} … {line[-LONGEST_LINE // 2 :]}"
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)


@contextmanager
def _ended_by_exception() -> Iterator[None]:
    """Signals that end the process raise SystemExit: files that are written are cleaned up."""

    def end(number: int, _: Any) -> None:
        raise SystemExit(128 + number)

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:
                before[number] = signal.signal(number, end)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _warnings_on_one_line() -> Iterator[None]:
    """Each warning once, wherever it comes from, without the place in the source."""
    told: set[str] = set()

    def show(message: Warning | str, *_: Any, **__: Any) -> None:
        text = str(message)
        if text not in told:
            told.add(text)
            print(f"napari-brs: {text}", file=sys.stderr)

    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning, append=True)
        warnings.showwarning = show
        yield
