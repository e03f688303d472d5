"""What strangers learn of how the node does."""

from flask.testing import FlaskClient


def test_strangers_learn_whether_it_is_ready_and_no_more(client: FlaskClient) -> None:
    """There is no router here."""
    far = {"REMOTE_ADDR": "192.0.2.7"}
    assert client.get("/healthz", environ_base=far).status_code == 200
    answer = client.get("/readyz", environ_base=far)
    assert (answer.status_code, answer.json) == (503, {"ready": False, "missing": ["router"]})
    assert client.get("/metrics", environ_base=far).status_code == 403
