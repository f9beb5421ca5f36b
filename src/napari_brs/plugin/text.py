"""Every word of the dock: labels and tooltips of its controls, messages, the status line."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from napari_brs.session import ObjectState


class Control(NamedTuple):
    """What a control is called, and what it does."""

    label: str
    tooltip: str


CONTROLS = {
    "image": Control("Image", "The image to segment. Slices of a stack are segmented one by one."),
    "objects": Control(
        "Objects",
        "The labels layer that finished objects are written to. "
        "Any labels layer of the image's shape can be continued.",
    ),
    "model": Control(
        "Model",
        "The network, or a classical method, which needs no weights and nothing to refine. "
        "Switching keeps all clicks; each model has its masks.",
    ),
    "open_model": Control(
        "Open model…",
        "A segmentation network of your own: TorchScript (.pt), exported program (.pt2) or "
        "BioImage.IO package (.zip, rdf.yaml). Clicks correct what it finds.",
    ),
    "segment_image": Control(
        "Segment image",
        "Let the model find all objects of this plane again. Only models that segment without "
        "clicks can; labels that are there stay.",
    ),
    "device": Control(
        "Device", "Where the network runs; auto takes a GPU if there is one, else the CPU."
    ),
    "refine": Control(
        "Refine clicks (BRS)",
        "If a click is not obeyed, refine until it is (backpropagating refinement). "
        "Off: take the network's first answer.",
    ),
    "run_on_click": Control(
        "Run on click", "Segment after every click. Off: collect clicks, then press Segment."
    ),
    "overwrite": Control(
        "Overwrite other objects",
        "Let Commit write over pixels of other objects. Off: finished objects are never changed.",
    ),
    "threshold": Control(
        "Threshold", "A pixel belongs to the object where its probability is above this value."
    ),
    "sign": Control(
        "Click adds",
        "What a click on the image means. Shift+click or right-click always adds background.",
    ),
    "object": Control(
        "Object", "The object that takes the clicks. Choose a finished one to correct it."
    ),
    "segment": Control("Segment", "Segment the object from its clicks now."),
    "cancel": Control("Cancel", "Stop, and keep the best mask so far."),
    "undo": Control("Undo", "Take back the last click or commit; nothing is computed again."),
    "redo": Control("Redo", "Do again what was undone."),
    "clear": Control(
        "Clear", "Remove all clicks and the mask of this object. Undo brings them back."
    ),
    "new_object": Control(
        "New object", "Begin another object; this one stays open in the list above."
    ),
    "commit": Control("Commit", "Write the mask into the objects layer and begin the next object."),
    "find_rest": Control(
        "Find the rest", "Propose the objects of this plane that are like the finished ones."
    ),
    "confidence": Control(
        "Confidence", "From here on a proposal is filled, and Accept all finishes it."
    ),
    "accept_all": Control(
        "Accept all", "Finish the filled proposals in one step of undo; the others go."
    ),
    "discard": Control("Discard", "Drop all proposals."),
    "resume": Control("Resume", "Take up earlier work on this image, with its undo steps."),
    "save_session": Control(
        "Save session…",
        "Save clicks, objects and labels as a file of its own. Work is saved by itself beside "
        "the image all the time; this is for keeping or sharing.",
    ),
    "load_session": Control("Load session…", "Take up the work of a session file on this image."),
    "recent": Control("Recent", "Sessions that were worked on last; choose one to take it up."),
    "saved": Control("Saved", "Whether your work is on the disk, or why it cannot be written."),
    "follow_backward": Control(
        "← Follow", "Follow the finished objects of this plane back to the first one."
    ),
    "follow_both": Control("↔", "Follow the finished objects of this plane to both ends."),
    "follow_forward": Control(
        "Follow →",
        "Follow the finished objects of this plane to the last one. Frames in which you make or "
        "correct an object stay as they are; what lies between them is found anew.",
    ),
    "frames": Control(
        "Frames",
        "Blue: followed; orange: in doubt; white: made or corrected by you; "
        "black rim: on display. Click to go there.",
    ),
    "next_doubtful": Control(
        "Next in doubt", "Show the next frame in which an object is in doubt."
    ),
    "show_keys": Control("Keys", "Show all keys."),
    "status": Control("", "The object, its clicks, the time taken, and whether clicks are obeyed."),
}

SECTIONS = {
    "image": "Image",
    "clicks": "Clicks",
    "objects": "Objects",
    "proposals": "Proposals",
    "session": "Session",
    "frames": "Through time or depth",
}
"""Titles of the dock's sections."""

SIGNS = ("foreground", "background")
"""Choices of what a click adds."""

MESSAGES = {
    "no image": "open an image and choose it above",
    "3d": "clicks need the 2D view; leave the 3D view with the button at the lower left",
    "other axes": "the view shows axes that this image does not have",
    "no plane": "the image ends before this slice",
    "no clicks": "click on an object first",
    "unavailable": "no weights for {name} are installed",
    "outside": "outside the image; nothing was added",
    "another layer": "select the image in the layer list to click on it",
    "elsewhere": "points belong in the slice on display; nothing was added",
    "nothing to commit": "there is no mask to commit yet",
    "taken": "object {label}: {taken:,} of {asked:,} px belong to other objects; nothing was "
    "written. Correct it, or tick Overwrite other objects",
    "full": "ids of {dtype} labels end at {highest}; convert the objects layer to a wider type",
    "no label here": "there is no finished object under the cursor",
    "not editable": "{name} cannot be written to; choose another objects layer",
    "hint": "click on it, or draw a box around it with Shift",
    "by hand": "mask edited by hand",
    "opened": "object {label} opened; click to correct it",
    "opened here": "click to correct it",
    "deleted": "object {label} deleted; Ctrl+Z brings it back",
    "nothing to delete": "there is no object under the cursor, and none is open",
    "reshaped": "the image is {new} now; clicks and objects of {old} come back with that shape",
    "shape back": "the image is {new} again; its clicks are back",
    "lost": "{name} has another shape now and stays as it is; another layer is made when needed",
    "helper": "{name} shows clicks or masks being made; choose another objects layer",
    "model failed": "{name} cannot be used: {reason}; back to {before}",
    "keys": "Keys",
    "committed": "object {label} committed; click on the next one",
    "no examples": "finish an object first; the others are found by it",
    "completing": "finding the rest",
    "proposed": "{count} objects proposed; W accepts, Q rejects the one under the mouse",
    "accepted": "{count} proposals accepted; Ctrl+Z takes them back",
    "rejected": "rejected; press F to look again without it",
    "no proposal here": "there is no proposal under the cursor",
    "as it was": "as it was left",
    "earlier work": "there is earlier work on this image: {words}; press Shift+R to resume it",
    "resuming": "reading the session",
    "resumed": "resumed: {words}",
    "open elsewhere": "this image is open elsewhere, too ({holder}); what you do here is saved "
    "in a file of its own",
    "held": "{name} is open elsewhere; close it there first",
    "other image": "{name} is of an image of {there}; this one has {here}",
    "saved": "all is saved",
    "not yet": "nothing to save yet",
    "not saved": "NOT SAVED: {reason}",
    "save a session": "Save session",
    "load a session": "Load session",
    "session files": "Sessions",
    "session saved": "saved as {name}",
    "open its image": "open the image of {name} first",
    "following": "following the objects",
    "followed": "frame {frame} · {rate:.1f} frames/s · Esc stops",
    "followed all": "{count} frames followed; Ctrl+Z takes them back",
    "followed in doubt": "{count} frames followed, {doubtful} in doubt; / shows the next",
    "no frames": "the image has one plane only; there is nothing to follow objects through",
    "nothing to follow": "finish an object in this plane first",
    "nothing doubtful": "no frame is in doubt",
    "doubtful": "frame {frame}: look at object {labels}; R on it reopens it",
    "least certain": "least certain here; a click tells most",
    "all certain": "nothing is uncertain here",
    "collecting": "release Ctrl to segment",
    "cancelled": "cancelled; this is the best mask so far",
    "refining": "refining {done} of {limit}",
    "found": "{count} objects found; click on one to correct it",
    "labels there": "there are labels already; press Segment image to add what the model finds",
    "unstable": "obeying would change the image far from the click",
    "more methods": "More methods…",
    "open a model": "Open a model",
    "model files": "Models",
    "runs code": "{name} is a program: opening it runs its code, with all your rights. "
    "Open it only if you trust those it comes from.",
    "memory": "there is not enough memory for labels of this image's size",
}


def describe_object(found: ObjectState) -> str:
    """Such as ``object 3``, or ``open 5, box, 2 clicks`` without an id; no two are alike."""
    if found.label is not None:
        return f"object {found.label}"
    if found.empty:
        return "new object"
    planes = found.planes.values()
    clicks, boxed = sum(len(plane.clicks) for plane in planes), any(plane.box for plane in planes)
    parts = [f"open {found.key + 1}", *(["box"] if boxed else [])]
    if clicks or not boxed:
        parts.append(f"{clicks} click{'' if clicks == 1 else 's'}")
    return ", ".join(parts)


def describe_shape(shape: tuple[int, ...]) -> str:
    """Such as ``512 x 640``."""
    return " x ".join(str(size) for size in shape)


def describe_clicks(foreground: int, background: int, box: bool = False) -> str:
    """Such as ``2 FG, 1 BG``, or ``box, 1 BG``."""
    counts = ((foreground, "FG"), (background, "BG"))
    parts = ["box"] if box else []
    parts += [f"{count} {name}" for count, name in counts if count]
    return ", ".join(parts) or "no clicks"


def describe_seconds(seconds: float) -> str:
    """Such as ``84 ms`` or ``1.3 s``."""
    return f"{seconds * 1000:.0f} ms" if seconds < 0.9995 else f"{seconds:.1f} s"


def describe_scale(scale: float) -> str:
    """Such as ``seen at 12 % of its resolution``; nothing if the network saw every pixel.

    Parameters
    ----------
    scale : float
        Pixels of the network's grid per pixel of the image.
    """
    return f"seen at {100 * scale:.0f} % of its resolution" if scale < 0.995 else ""


def describe_obeyed(obeyed: tuple[bool, ...]) -> str:
    """Whether the mask does what the clicks say."""
    missed = obeyed.count(False)
    if not missed:
        return "every click obeyed"
    return f"{missed} of {len(obeyed)} clicks not obeyed"


def describe_session(objects: int, clicks: int, age: float | None = None) -> str:
    """Such as ``12 objects, 40 clicks, 3 hours ago``; the age is in seconds."""
    parts = [_counted(objects, "object"), _counted(clicks, "click")]
    return ", ".join(parts if age is None else [*parts, describe_age(age)])


def describe_age(seconds: float) -> str:
    """Such as ``3 hours ago``; a clock that was set back makes it ``just now``."""
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{_counted(int(seconds // length), unit)} ago"
    return "just now"


def describe_saved(begun: bool, problem: str) -> str:
    """Whether the work is on the disk."""
    if problem:
        return MESSAGES["not saved"].format(reason=problem)
    return MESSAGES["saved" if begun else "not yet"]


def _counted(count: int, name: str) -> str:
    return f"{count} {name}" if count == 1 else f"{count} {name}s"
