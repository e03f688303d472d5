"""Tables of the documentation that name tests."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_ROW = re.compile(r"^\| (.+?) \| (.+) \| (.+?) \|$", re.MULTILINE)
_FILE = re.compile(r"^```python (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def rows_of(page: str) -> list[tuple[str, str, str]]:
    """Return the rows of the tables of a *page* of ``docs/``: their name, their words, their test."""
    rows = _ROW.findall((ROOT / "docs" / page).read_text())
    return [row for row in rows if row[2] != "test"]


def is_there(test: str) -> bool:
    """Tell whether there is the *test* that a table names, as pytest would, in backticks."""
    path, _, function = test.strip("`").partition("::")
    tree = ast.parse((ROOT / path).read_text())
    return function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def files_of(page: str) -> dict[str, str]:
    """Return the Python files on a *page* of ``docs/``, by their names."""
    return dict(_FILE.findall((ROOT / "docs" / page).read_text()))
