"""Where Hail runs: the address workers are told, and a master that is not there."""

import socket

import pytest

from ecgwas import hail_session
from ecgwas.errors import UserError


def test_on_this_machine_everything_stays_on_loopback():
    assert hail_session.own_address("local") == "127.0.0.1"


def test_workers_are_told_the_address_the_master_is_reached_from():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert hail_session.own_address(f"spark://127.0.0.1:{port}") == "127.0.0.1"
    with pytest.raises(UserError, match=rf"hail\.master: no Spark master answers at spark://127\.0\.0\.1:{port}"):
        hail_session.own_address(f"spark://127.0.0.1:{port}")
