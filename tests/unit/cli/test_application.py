"""What an application declares that is spelled alike."""

import pytest

from flask_wamp.cli.application import alike

URIS = {
    "com.shop.delivery",
    "com.shop.order",
    "com.shop.orders.total",
    "com.shop.sell",
    "com.shop.price",
    "org.shop.price",
}


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("com.shop.delivry", ["com.shop.delivery"]),
        ("com.shop.dleivery", ["com.shop.delivery"]),
        ("com.shop.ordr", ["com.shop.order"]),
        ("con.shop.sell", ["com.shop.sell"]),
        ("com.shp.prise", ["com.shop.price"]),
        ("com.shop.order.total", ["com.shop.orders.total"]),
        ("com.shop.orderstotal", ["com.shop.orders.total", "com.shop.order"]),
        # Without what stands before it.
        ("price", ["com.shop.price", "org.shop.price"]),
        ("shop.sell", ["com.shop.sell"]),
        # Sharing com.shop. is not enough.
        ("com.shop.news", []),
        ("net.nothing.like_it", []),
    ],
)
def test_alike_are_those_with_a_misspelled_word(uri: str, expected: list[str]) -> None:
    assert alike(uri, URIS) == expected


def test_alike_are_three_at_most_the_likest_first() -> None:
    uris = ["com.priced", "com.price", "com.prices", "com.pricing"]
    assert alike("com.prce", uris) == ["com.price", "com.priced", "com.prices"]
