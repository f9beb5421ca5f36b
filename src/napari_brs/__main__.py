"""``python -m napari_brs`` is ``napari-brs``."""

import sys

from napari_brs.cli import main

sys.exit(main())
