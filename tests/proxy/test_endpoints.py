"""Addresses of a proxy, and the credentials that must not be sent there."""

import pytest

from strategy_runtime.errors import ConfigError
from strategy_runtime.proxy import Endpoints


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("ws://h:1", ["ws://h:1/", "ws://h:1/ws", "ws://h:1/v1/ws"]),
        ("ws://h:1/", ["ws://h:1/", "ws://h:1/ws", "ws://h:1/v1/ws"]),
        ("ws://h/x/", ["ws://h/x/"]),
        ("ws://h?k=a/b", ["ws://h/?k=a/b", "ws://h/ws?k=a/b", "ws://h/v1/ws?k=a/b"]),
        ("ws://h/x?k=a", ["ws://h/x?k=a"]),
        ("ws://[::1]:5/?k", ["ws://[::1]:5/?k", "ws://[::1]:5/ws?k", "ws://[::1]:5/v1/ws?k"]),
    ],
)
def test_a_stream_without_a_path_is_looked_for_and_keeps_its_query(
    url: str, tried: list[str]
) -> None:
    assert Endpoints(ws_url=url).stream_urls == tried


@pytest.mark.parametrize(
    ("url", "tried"),
    [
        ("http://h/", ["http://h", "http://h/v1"]),
        ("https://h:1/api/", ["https://h:1/api"]),
    ],
)
def test_requests_without_a_path_are_tried_with_prefixes(url: str, tried: list[str]) -> None:
    assert Endpoints(rest_url=url).request_bases == tried


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"rest_url": "http://h/?token=abc"},
            "PROXY_REST_URL has a query, and requests have their own",
        ),
        (
            {"ws_url": "ws://me:word@localhost", "api_key": "k"},
            "PROXY_WS_URL has a user name in it, and --token-file, PROXY_API_KEY or "
            "PROXY_API_KEY_FILE a key; a proxy can be shown only one of them",
        ),
        (
            {"ws_url": "ws://me:word@far.example"},
            "PROXY_WS_URL: the password would cross the network in the clear to far.example; use wss://",
        ),
        (
            {"rest_url": "http://me:word@10.0.0.1"},
            "PROXY_REST_URL: the password would cross the network in the clear to 10.0.0.1; use https://",
        ),
        (
            {"rest_url": "http://far.example", "api_key": "k", "rest_setting": "--rest-url"},
            "--rest-url: the API key would cross the network in the clear to far.example; use https://",
        ),
    ],
)
def test_what_cannot_be_an_address_is_refused(given: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Endpoints(**given)
    assert str(refused.value).startswith(said)
    assert "word" not in str(refused.value).replace("password", "")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "set the key with --token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"),
        ({"api_key": "k"}, "check --token-file, PROXY_API_KEY or PROXY_API_KEY_FILE"),
        ({"api_key": "k", "api_key_setting": "PROXY_API_KEY"}, "check PROXY_API_KEY"),
        (
            {"rest_url": "http://me:word@localhost", "rest_setting": "GATEWAY_URL"},
            "check the user name and the password in GATEWAY_URL",
        ),
    ],
)
def test_who_is_refused_is_told_where_to_look(given: dict[str, str], said: str) -> None:
    assert Endpoints(**given).auth_hint == said


def test_a_password_may_go_over_tls_and_to_this_machine() -> None:
    Endpoints(ws_url="wss://me:word@far.example", rest_url="http://me:word@[::1]:8080")
