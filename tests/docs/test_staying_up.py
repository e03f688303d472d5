"""The page on supervised processes: its settings are those that there are."""

import json
import re
from dataclasses import fields
from pathlib import Path

from flask_wamp._twisted.supervise.settings import Settings

from .tables import rows_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/howto/staying-up.md").read_text()


def test_example_is_taken() -> None:
    (block,) = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    settings = Settings.from_extra(json.loads(block)["extra"])
    assert (settings.processes, settings.view_limit, settings.max_calls) == (2, 30, 100_000)


def test_every_setting_is_named_with_its_default() -> None:
    shown = {None: "none", False: "false"}
    defaults = {
        field.name: shown.get(field.default, str(field.default))
        if field.default is None or field.default is False
        else str(field.default)
        for field in fields(Settings)
    }
    rows = [row for row in rows_of("howto/staying-up.md") if row[0].startswith("`")]
    assert {row[0].strip("`"): row[1] for row in rows} == defaults
