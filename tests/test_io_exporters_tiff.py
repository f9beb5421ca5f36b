"""OME-TIFF, read by tifffile."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from labelled import plane, series

from napari_brs.io.exporters.labelled_image import LabelledImage
from napari_brs.io.exporters.tiff import write


@pytest.mark.parametrize(("labelled", "dtype"), [(plane(), np.uint32), (series(), np.uint16)])
def test_labels_come_back_with_their_axes_in_the_smallest_type(labelled, dtype, tmp_path):
    write(labelled, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert file.series[0].axes == labelled.axes
        again = file.asarray()
    assert again.dtype == dtype
    assert np.array_equal(again, labelled.labels)


def test_pixel_sizes_are_in_the_ome_xml(tmp_path):
    labelled = LabelledImage(np.ones((2, 3, 4), int), "ZYX", pixel_size=(2, 0.5, 0.25), unit="um")
    write(labelled, tmp_path / "a.tif")
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        pixels = tifffile.xml2dict(file.ome_metadata)["OME"]["Image"]["Pixels"]
    assert [pixels[f"PhysicalSize{axis}"] for axis in "ZYX"] == [2, 0.5, 0.25]
    assert pixels["PhysicalSizeXUnit"] == "µm"


def test_an_axis_that_ome_does_not_know_is_refused(tmp_path):
    with pytest.raises(ValueError, match="QYX"):
        write(LabelledImage(np.ones((2, 3, 4), int), "QYX"), tmp_path / "a.tif")
    assert not list(tmp_path.iterdir())
