"""Permissions in the configuration, for nodes whose applications say nothing about rights."""

#: What strangers may, but for the poll's topics.
STRANGERS = [
    {
        "uri": uri,
        "match": "prefix",
        "cache": False,
        "allow": dict.fromkeys(allowed, True),
        "disclose": {"caller": True, "publisher": True},
    }
    for uri, allowed in (
        ("", ("call", "publish")),
        ("com.", ("call", "publish", "subscribe")),
        ("com.example.polls.", ("call", "subscribe")),
        ("wamp.", ()),
    )
]
#: The rights to one namespace.
NARROW = {
    "uri": "com.",
    "match": "prefix",
    "cache": False,
    "allow": {"call": True, "subscribe": True, "publish": True},
    "disclose": {"caller": True, "publisher": True},
}
