"""Joins a session, the layers of a viewer, the dock and the worker.

For programs that drive the dock (the demo, tests)::

    _, dock = viewer.window.add_plugin_dock_widget("napari-brs", "BRS segmentation")
    controller = dock.controller
    controller.set_image_layer(viewer.layers["phase contrast"])
    controller.add_click(row, column, positive=True)     # pixels of the displayed plane
    controller.wait(60)                                  # seconds; until nothing runs
    label = controller.commit()                          # id in the objects layer, or None
    controller.objects_layer, controller.preview_layer   # napari Labels, or None
    controller.foreground_layer, controller.background_layer   # napari Points, or None
    controller.status                                    # the line under the buttons
"""
