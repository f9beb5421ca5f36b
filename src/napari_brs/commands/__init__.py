"""The subcommands of ``napari-brs``: each declares its arguments, and runs."""
