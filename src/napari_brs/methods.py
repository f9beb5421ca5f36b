"""What a session says in a paper: a paragraph for its methods section, and the citations."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from statistics import mean, median

from napari_brs import __version__
from napari_brs.models import list_models
from napari_brs.session import Session

_BIBTEX = """\
@inproceedings{{jang2019brs,
  title = {{Interactive Image Segmentation via Backpropagating Refinement Scheme}},
  author = {{Jang, Won-Dong and Kim, Chang-Su}},
  booktitle = {{Proceedings of the IEEE/CVF Conference on Computer Vision and Pattern \
Recognition (CVPR)}},
  pages = {{5297--5306}},
  year = {{2019}}
}}

@software{{napari_brs,
  title = {{napari-brs: interactive segmentation in napari with the backpropagating refinement \
scheme}},
  author = {{{{The napari-brs developers}}}},
  version = {{{version}}}
}}
"""


def bibtex() -> str:
    """The paper whose method the program implements, and the program, as BibTeX."""
    return _BIBTEX.format(version=__version__)


def methods_text(session: Session) -> str:
    """A paragraph: program, model, parameters, objects, clicks per object, corrections.

    A correction is a click on an object after its first, or after a box, in the same plane.

    Raises
    ------
    ValueError
        If the session has neither a click nor a box.
    """
    prompted = [
        [plane for plane in item.planes.values() if plane.prompted] for item in session.objects
    ]
    prompted = [planes for planes in prompted if planes]
    if not prompted:
        raise ValueError("the session has no click and no box to report")
    every = [plane for planes in prompted for plane in planes]
    counts = [sum(len(plane.clicks) for plane in planes) for planes in prompted]
    signs = [click.positive for plane in every for click in plane.clicks]
    boxes = sum(plane.box is not None for plane in every)
    single = sum(
        len(planes) == 1 and len(planes[0].clicks) + (planes[0].box is not None) == 1
        for planes in prompted
    )
    positions = {p for o in session.objects for p, plane in o.planes.items() if plane.prompted}
    # What comes first in a plane, a click or a box, corrects nothing.
    corrections = sum(counts) + boxes - len(every)
    sizes = " × ".join(map(str, session.shape))
    where = f" in {_number(len(positions), 'plane')}" if len(session.shape) > 2 else ""
    were = "was" if len(prompted) == 1 else "were"
    sentences = [
        f"{_number(len(prompted), 'object')} {were} segmented{where} of an image of {sizes} pixels "
        f"by foreground and background clicks{' and boxes' if boxes else ''} with napari-brs "
        f"{__version__}{_versions()}, "
        f"{_model(session.model)}.",
        f"Pixels with a probability above {session.threshold:g} were taken as the object"
        + (
            ""
            if session.contrast_limits is None
            else "; grey values were shown between {:g} and {:g}".format(*session.contrast_limits)
        )
        + ".",
        f"{f'Boxes: {boxes}. ' if boxes else ''}Clicks: {len(signs)} ({sum(signs)} foreground, "
        f"{len(signs) - sum(signs)} background), {mean(counts):.1f} an object on average, "
        f"{median(counts):g} in the median, {min(counts)} to {max(counts)}.",
        f"Of these, {corrections} corrected a mask; {single} of "
        f"{_number(len(prompted), 'object')} took a single click{' or box' if boxes else ''}.",
    ]
    return " ".join(sentences)


def _model(model: str) -> str:
    for info in list_models():
        if info.name == model and info.kind == "classical":
            return f"method {model}: {info.description}"
        if info.name == model:
            digest = f" (weights SHA-256 {info.sha256[:16]}…)" if info.sha256 else ""
            return (
                f"model {model}{digest}, refined by the backpropagating refinement scheme "
                "(Jang & Kim, 2019) where a mask contradicted a click"
            )
    return (
        f"model file {model}, refined by the backpropagating refinement scheme "
        "(Jang & Kim, 2019) where a mask contradicted a click"
    )


def _versions() -> str:
    """Of napari and PyTorch, where they are installed."""
    found = []
    for package, name in (("napari", "napari"), ("torch", "PyTorch")):
        try:
            found.append(f"{name} {version(package)}")
        except PackageNotFoundError:
            continue
    return f" ({', '.join(found)})" if found else ""


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
