"""Views, handlers and an error that see neither an application nor its extension."""

from datetime import date
from enum import Enum
from typing import Annotated, Any, Literal

from flask import Blueprint
from pydantic import BaseModel, Field

from flask_wamp import Namespace, event, invocation

orders = Namespace("com.serving.orders", concurrency=2, queue=0)
items = orders.namespace("items", concurrency=1)
archive = items.namespace("archive", queue=5)
blueprint = Blueprint("orders", __name__)

noted: list[dict[str, Any]] = []


class Speed(Enum):
    """How fast an order is delivered."""

    SLOW = "slow"
    FAST = "fast"


class Item(BaseModel):
    """A line of an order."""

    sku: str = Field(pattern=r"^[A-Z]{2}-\d+$")
    quantity: int = Field(gt=0, le=100)


@orders.error("refused")
class Refused(Exception):
    """An order that nobody takes."""

    def __init__(self, reason: str, *, code: int) -> None:
        super().__init__(reason)
        self.code = code


@orders.callee
def total(*numbers: int) -> int:
    """Return the sum, under the function's name."""
    return sum(numbers)


@orders.callee("refuse")
def refuse(reason: str) -> None:
    """Raise the namespace's error."""
    raise Refused(reason, code=7)


@items.callee("names")
def names() -> list[str]:
    """Answer from a namespace in the namespace."""
    return ["tea", invocation.uri]


@archive.callee("year")
def year(of: int) -> int:
    """Answer from two namespaces down."""
    return of


@items.consume("added.", match="prefix")
def on_added(number: int) -> None:
    """Record an event of the inner namespace."""
    noted.append({"uri": event.uri, "parts": event.parts, "number": number})


@items.callee("noted")
def what_was_noted() -> list[dict[str, Any]]:
    """Return what the handler has recorded."""
    return noted


@blueprint.post("/orders/<int:number>")
@orders.callee("place")
def place(
    number: Annotated[int, Field(lt=1000)],
    item: Item,
    due: date,
    speed: Speed = Speed.SLOW,
    kind: Literal["gift", "own"] = "own",
) -> dict[str, Any]:
    """Return what the arguments have become."""
    return {
        "number": number,
        "item": [type(item).__name__, item.sku, item.quantity],
        "due": [type(due).__name__, due.isoformat()],
        "speed": [type(speed).__name__, speed.name],
        "kind": kind,
    }
