"""The first request to a cluster."""

import os
import secrets

import pytest

from agents.cluster.grpc_greeting import _number, _text, greet
from agents.cluster.ray_session import TOKEN
from agents.faults.nodes import local_cluster


@pytest.mark.parametrize(
    ("value", "bits", "expected"), [(10, 5, "0a"), (1337, 5, "1f9a0a"), (42, 8, "2a")]
)
def test_integers_are_those_of_the_rfc(value: int, bits: int, expected: str) -> None:
    """RFC 7541, appendix C.1."""
    assert _number(value, bits).hex() == expected


def test_a_text_is_that_of_the_rfc() -> None:
    """RFC 7541, appendix C.2.1."""
    assert _text("custom-header").hex() == "0d637573746f6d2d686561646572"


@pytest.mark.slow
def test_a_cluster_answers_and_says_whether_the_token_is_its_own() -> None:
    with local_cluster(num_cpus=1) as cluster:
        host, port = str(cluster.address).split(":")
        tokens = (os.environ[TOKEN], secrets.token_hex(99), "")
        answers = [greet(host, int(port), token, 5.0) for token in tokens]
    assert [b"InvalidAuthToken" in (answer or b"") for answer in answers] == [False, True, True]
    assert answers[0]
