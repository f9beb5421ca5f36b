"""What all parts of the dock work on: the viewer, the settings, the image and its workspace."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from napari.layers import Image, Layer
from psygnal import Signal

from napari_brs.clicks import Click
from napari_brs.plugin.layers import kept
from napari_brs.plugin.layers.objects import fits, is_writable
from napari_brs.plugin.layers.planes import ImagePlane, fingerprint, plane_image, to_click
from napari_brs.plugin.layers.workspace import Workspace
from napari_brs.plugin.napari_edge import plain
from napari_brs.plugin.offer import Offer
from napari_brs.plugin.size_hint import size_hint, visible_length
from napari_brs.plugin.state import DockState, Settings
from napari_brs.plugin.text import MESSAGES
from napari_brs.session import Position

if TYPE_CHECKING:
    from napari.components import ViewerModel


class Context:
    """The work in one viewer; its parts change it, and call `update` or `refresh` once done.

    Attributes
    ----------
    settings : Settings
    offer : Offer
    image : Image layer or None
    work : Workspace or None
        Session and layers of the image.
    state : DockState
        As resolved after the last change.
    resolve : callable
        Makes the next one.
    message : str
        What the status line says instead of how the object stands.
    note : str
        A remark on the last mask.
    paused : bool
        Whether it is us who change layers now.
    """

    changed = Signal(object)
    """(DockState) Something that the dock shows may be different now."""

    image_chosen = Signal(object)
    """(Image) It is the one that is worked on from now on."""

    image_left = Signal(object)
    """(Image) It is not worked on any more."""

    layer_added = Signal(object, str)
    """(Layer, kind) One of our layers is there now: points, preview or objects."""

    layer_left = Signal(object)
    """(Layer) A layer is not ours any more."""

    def __init__(self, viewer: ViewerModel) -> None:
        self.viewer = viewer
        self.offer = Offer()
        self.settings = Settings(self.offer.default())
        self.image: Image | None = None
        self.work: Workspace | None = None
        self.state = DockState(self.settings)
        self.resolve: Callable[[], DockState] = lambda: self.state
        self.message = ""
        self.note = ""
        self.paused = False
        self.closed = False
        self._free_label = 1
        self._painted: Position | None = None
        self._version = 0
        self._visible: dict[Layer, bool] = {}

    # what the dock shows

    def update(self) -> None:
        """Resolve what the dock shows, and tell of it."""
        if not self.closed:
            self.state = self.resolve()
            self.changed.emit(self.state)

    def refresh(self, message: str = "") -> None:
        """Show the session as it is now, with a new message or none."""
        if not self.closed:
            self.message, self.note = message, ""
            self.state = self.resolve()
            self.show()
            self.changed.emit(self.state)

    def say(self, message: str) -> None:
        """Put a message in the status line; an empty one lets it speak of the object again."""
        self.message = message
        self.update()

    def show(self) -> None:
        """Bring the layers in line with the session."""
        if self.work is not None and not self.closed:
            with self.writing():
                self.work.show(self.state.position)

    # the image

    def choose(self, image: Any) -> None:
        """Work on an image, or on none; its clicks and objects come back."""
        # A plugin's viewer hands out wrapped layers; as keys they must be themselves.
        image = plain(image)
        self._leave()
        self.image = image
        if image is not None:
            self.work = kept.workspace_of(self.viewer, image)
            self.work.model = self.settings.model
            self.image_chosen.emit(image)
            for layer in self.work.layers:
                self.layer_added.emit(layer, self.work.kind_of(layer))
            for layer in self.work.helpers:
                layer.visible = self._visible.pop(layer, True)
            try:
                self.make_layers()
            except ValueError as error:
                self.say(str(error))
                return
            self.number()
        self.refresh()

    def _leave(self) -> None:
        if self.work is not None:
            self.image_left.emit(self.image)
            for layer in self.work.helpers:
                self._visible[layer] = layer.visible
                layer.visible = False
            self.take_paint()
        self.work = None

    def outdate(self) -> None:
        """Know that the image has another array now."""
        self._version += 1

    def image_plane(self) -> ImagePlane:
        """The pixels of the plane on display."""
        image, position = self.image, self.position
        assert image is not None
        limits = None
        if not image.rgb:
            low, high = (float(limit) for limit in image.contrast_limits)
            if math.isfinite(low) and math.isfinite(high) and low < high:
                limits = (low, high)
        pixels = plane_image(image, position)
        # Pixels can be changed in place, without napari telling of it.
        content = (self._version, fingerprint(pixels))
        return ImagePlane((image.unique_id, content, position, limits), pixels, limits)

    def has(self, plane: ImagePlane) -> bool:
        """Whether pixels belong to the image and the array it has now."""
        unique_id, content, *_ = plane.key
        there = self.image is not None and self.image.unique_id == unique_id
        return bool(there and content[0] == self._version)

    # the plane on display

    @property
    def position(self) -> Position:
        """The plane on display.

        Raises
        ------
        ValueError
            If no image is chosen, or none of its planes is on display.
        """
        if self.state.position is None:
            raise ValueError(self.state.problems.get("image", MESSAGES["no image"]))
        return self.state.position

    def to_plane(self, world: Any, positive: bool) -> Click:
        """A point of the viewer's world as a click; ValueError if no plane is on display."""
        position = self.position
        assert self.image is not None
        return to_click(self.image.world_to_data(world), position, positive)

    def under_cursor(self) -> Click:
        """Where the mouse is."""
        return self.to_plane(self.viewer.cursor.position, True)

    def nearest_to_cursor(self) -> Click:
        """The pixel of the plane on display that is nearest to the mouse."""
        assert self.work is not None
        shape = self.work.session.plane_shape(self.position)
        row, column = (
            min(max(0, pixel), size - 1)
            for pixel, size in zip(self.under_cursor().pixel, shape, strict=True)
        )
        return Click(row, column)

    def size_hint(self, click: Click) -> float | None:
        """About how long an object is that is clicked on first, in pixels, if anything tells."""
        assert self.work is not None
        assert self.image is not None
        position = self.position
        shape = self.work.session.plane_shape(position)
        lengths = self.work.lengths_near(position, click)
        return size_hint(lengths, visible_length(self.image, position), shape)

    # our layers

    @contextmanager
    def writing(self) -> Iterator[None]:
        """While we change our layers ourselves: that is nothing the user did."""
        before, self.paused = self.paused, True
        try:
            yield
        finally:
            self.paused = before

    def make_layers(self) -> None:
        """Add those of our layers that are missing; ValueError if there is no memory for them."""
        assert self.work is not None
        assert self.image is not None
        self.lose_unfit()
        with self.writing():
            made = self.work.make_layers(self.viewer, self.image)
        for layer in made:
            self.layer_added.emit(layer, self.work.kind_of(layer))

    def lose_unfit(self) -> list[Layer]:
        """Let go of those of our layers that something gave another shape; return them."""
        lost = [] if self.work is None else self.work.lose_unfit()
        for layer in lost:
            self.layer_left.emit(layer)
        return lost

    def can_be_objects(self, layer: Any) -> bool:
        """Whether objects of the image may be written to a layer."""
        layer = plain(layer)
        if self.image is None or not fits(layer, self.image) or not is_writable(layer):
            return False
        return not self._is_helper(layer)

    def set_objects_layer(self, layer: Any) -> None:
        """Choose the labels layer that objects are written to; clicks stay above it.

        Raises
        ------
        ValueError
            If its shape is not that of the image, it cannot be written to, or it is a
            preview.
        """
        layer = plain(layer)
        if self.work is None or self.image is None or layer is self.work.objects:
            return
        if not fits(layer, self.image):
            raise ValueError(f"{layer} is no labels layer of shape {self.work.session.shape}")
        if not is_writable(layer):
            raise ValueError(MESSAGES["not editable"].format(name=layer.name))
        if self._is_helper(layer):
            raise ValueError(MESSAGES["helper"].format(name=layer.name))
        if self.work.objects is not None:
            self.layer_left.emit(self.work.objects)
        self.work.objects = layer
        self.layer_added.emit(layer, "objects")
        self.work.raise_helpers(self.viewer)
        self.number()
        self.refresh()

    def _is_helper(self, layer: Layer) -> bool:
        """Whether a layer shows the clicks or the mask of this image or another."""
        return any(layer is aid for work in kept.workspaces(self.viewer) for aid in work.helpers)

    # ids, and what was painted

    @property
    def label(self) -> int:
        """Id that the current object has, or will get."""
        if self.work is None:
            return 1
        session = self.work.session
        return session.current.label or max(self._free_label, session.highest_label + 1)

    def number(self) -> None:
        """Find the next free id; looks at every label, so not for every click."""
        # If there is none, it is said when an object is committed.
        if self.work is not None:
            with suppress(ValueError):
                self._free_label = self.work.free_label()

    def note_paint(self) -> None:
        """Know that the preview was painted in, in the plane on display."""
        self._painted = self.state.position

    def take_paint(self) -> None:
        """Take over what was painted in the preview."""
        position, self._painted = self._painted, None
        if position is not None and self.work is not None and self.work.read_paint(position):
            self.refresh()
