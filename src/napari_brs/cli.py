"""The command line: ``napari-brs COMMAND``.

Commands live in `commands`, one file each, and are imported when they are chosen, so
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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from napari_brs import __version__

BAD_INPUT = 2
INTERRUPTED = 130
LONGEST_LINE = 2000
"""Characters of a message."""


class Command(NamedTuple):
    """A subcommand; the module of its name in `commands` declares its arguments and runs it.

    Attributes
    ----------
    help : str
        Its line.
    window : bool
        Whether it opens one, where an exception may not end it.
    """

    help: str
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
            module = import_module(f"napari_brs.commands.{name.replace('-', '_')}")
            module.add_arguments(sub)
            sub.set_defaults(run=module.run)
    return parser


COMMANDS = {
    "demo": Command("Open napari on sample cells and replay clicks", window=True),
    "segment": Command("Segment objects of an image by clicks"),
    "batch": Command("Segment all objects of many images"),
    "replay": Command("Make the labels of a session again from its clicks"),
    "export": Command("Write finished objects in the format of another program"),
    "evaluate": Command("Let a robot click on a dataset pack and measure"),
    "benchmark": Command("Measure how long a click takes on this machine"),
    "train": Command("Train a network on dataset packs"),
    "models": Command("List the models and whether their weights are here"),
    "import-caffe": Command("Convert the released Caffe weights of BRS-DenseNet"),
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
