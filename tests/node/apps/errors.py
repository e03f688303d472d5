"""Exceptions that the two applications of these tests know alike."""


class NoStock(Exception):
    """There are too few of an item."""

    def __init__(self, item: str, *, wanted: int) -> None:
        super().__init__(f"{item}: {wanted} are too many")
        self.item = item
        self.wanted = wanted
