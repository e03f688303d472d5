"""An application with a page that catches up with what was published before it was opened."""

from pathlib import Path
from typing import Any

from flask import Flask, abort, g

from flask_wamp import WAMP

VENDOR = Path(__file__).resolve().parents[3] / "flask_app" / "static" / "vendor"
#: Events that the router keeps of a topic at most, each once for every subscriber.
LIMIT = 50_000

app = Flask(__name__, static_folder=VENDOR, static_url_path="/vendor")
app.config.from_prefixed_env()
wamp = WAMP(app)

PAGE = """<!doctype html>
<html lang="en">
<title>Ticks</title>
<link rel="icon" href="data:,">
<script src="/vendor/wampy.min.js"></script>
<script>
  // wampy.js 8.0.2 does not tell handlers the publication id of an event: put it where they look.
  class Serializer {
    protocol = "json";
    isBinary = false;
    encode(message) { return JSON.stringify(message); }
    decode(text) {
      const message = JSON.parse(text);
      if (message[0] === 36) message[3].publication = message[2];
      return message;
    }
  }

  const numbers = [];

  async function follow(topic) {
    const seen = new Set();
    let early = [];
    const take = (publication, number) => {
      if (seen.has(publication)) return;
      seen.add(publication);
      numbers.push(number);
    };
    const wampy = new Wampy(`ws://${location.host}/ws`, { realm: "realm1", serializer: new Serializer() });
    await wampy.connect();
    await wampy.subscribe(topic, ({ details, argsList }) => {
      if (early) early.push([details.publication, argsList[0]]);
      else take(details.publication, argsList[0]);
    });
    const fetched = await wampy.call("com.history.fetch", { argsList: [topic] });
    for (const { publication, args } of fetched.argsList[0]) take(publication, args[0]);
    for (const event of early) take(...event);
    early = null;
  }
</script>
"""


@app.get("/")
def page() -> str:
    """Return a page whose ``follow(topic)`` fills ``numbers``."""
    return PAGE


@wamp.callee("com.history.fetch")
def fetch(topic: str) -> list[dict[str, Any]]:
    """Return what the router has kept: browsers do not call below ``wamp.`` themselves."""
    if not topic.startswith("com.history."):
        abort(403)
    return [
        {"publication": each.publication, "args": each.args, "kwargs": each.kwargs}
        for each in g.wampy.history(topic, limit=LIMIT)
    ]
