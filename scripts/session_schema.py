"""Write docs/session.schema.json from the models of a session file."""

import json
from pathlib import Path

from napari_brs.io.session_models import schema

path = Path(__file__).parents[1] / "docs" / "session.schema.json"
path.write_text(json.dumps(schema(), indent=1) + "\n", encoding="utf-8")
