"""Secrets and control characters that must not get out by any way."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, urlencode

import pytest

from strategy_runtime.cli import redaction, run
from strategy_runtime.cli.redaction import hide, hide_in_environment, safe, safe_with_colours
from tests.cli.conftest import Invoke
from tests.cli.support import BUYER, call, proxy
from tests.proxy.plain_server import head, serving

CANARY = "canary-4f9c2d7e81b3a6c5d0e9f8a7b6c5d4e3"


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Forget the secrets of other tests."""
    yield
    redaction._secrets.clear()


def test_what_is_hidden_is_masked_wherever_it_stands() -> None:
    hide(CANARY)
    assert safe(f"ws://user:{CANARY}@host/?key={CANARY}") == "ws://user:********@host/?key=********"


def test_the_longer_of_two_secrets_is_masked_as_a_whole() -> None:
    hide("abcdef")
    hide("abcdefghij")
    assert safe("abcdefghij abcdef") == "******** ********"


ODD = "ca\"na\\ry/ä's key&4f9c2d7e"


@pytest.mark.parametrize(
    "written",
    [
        ODD,
        json.dumps({"key": ODD}),
        json.dumps({"key": ODD}, ensure_ascii=False),
        repr(ODD),
        repr({"key": ODD}),
        ascii(ODD),
        json.dumps({"event": repr({"key": ODD})}),
        f"https://me:{quote(ODD, safe='')}@host/",
        f"https://host/{quote(ODD)}",
        urlencode({"key": ODD}).replace("+", "%20"),
    ],
)
def test_a_secret_is_masked_however_it_is_written(written: str) -> None:
    hide(ODD)
    shown = safe(written)
    assert "********" in shown
    assert "ry" not in shown
    assert "4f9c2d7e" not in shown


PEM = ("-----BEGIN PRIVATE KEY-----", "MIIcanary4f9c2d7e81b3a6c5", "-----END PRIVATE KEY-----")


@pytest.mark.parametrize("break_", ["\n", r"\n"])
def test_no_line_of_a_secret_of_several_lines_is_shown(break_: str) -> None:
    hide(break_.join(PEM))
    for shown in ("\n".join(PEM), "\n    ".join(PEM), json.dumps("\n".join(PEM)), PEM[1]):
        assert "canary" not in safe(shown)


def test_the_password_of_a_url_is_masked_with_its_escapes_and_without() -> None:
    hide_in_environment({"WHERE": "https://me:p%40ss%2Fword@host/"})
    assert safe("p%40ss%2Fword p@ss/word") == "******** ********"


def test_what_is_too_short_to_be_a_secret_is_left() -> None:
    hide("on")
    hide("")
    hide(None)
    assert safe("on and on") == "on and on"


def test_what_the_query_of_a_stream_says_is_not_shown() -> None:
    said = "'wss://h:1/ws?token=abc&api_key=k%2F1&flag' refused; GET http://h/bars?limit=5"
    assert safe(said) == (
        "'wss://h:1/ws?token=********&api_key=********&flag' refused; GET http://h/bars?limit=5"
    )


def test_variables_named_like_secrets_and_passwords_in_urls_are_hidden() -> None:
    hide_in_environment(
        {
            "BROKER_API_KEY": "key-of-the-broker",
            "DATABASE_PASSWORD": "word-of-the-base",
            "BROKER_PASSPHRASE": "phrase-of-the-broker",
            "WHERE": "https://me:word-in-a-url@host/",
            "KEYBOARD": "qwertz-layout",
            "ODD": "http://[not@url",
        }
    )
    assert safe("key-of-the-broker word-of-the-base word-in-a-url") == "******** ******** ********"
    assert safe("phrase-of-the-broker") == "********"
    assert safe("qwertz-layout") == "qwertz-layout"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[31mred", "a\\x1b[31mred"),
        ("two\r\nlines", "two\\r\nlines"),
        ("nul\x00", "nul\\x00"),
        ("right\u202eleft", "right\\u202eleft"),
        ("tab\tstays", "tab\tstays"),
        ("ä€ stay", "ä€ stay"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_our_own_colours_stay() -> None:
    hide(CANARY)
    assert safe_with_colours(f"\x1b[31m{CANARY}\x1b[0m\x07") == "\x1b[31m********\x1b[0m\\x07"


# The canary: a secret given in every possible way must not appear in any output.

LOOSE = """
import logging
import os
import warnings

from strategy_runtime import Candle, Strategy


class Bot(Strategy):
    broker: str = "none"

    def on_candle(self, candle: Candle) -> None:
        key = os.environ["BROKER_SECRET"]
        self.log.info("structured", key=key, text=f"the key is {key}")
        logging.getLogger("mine").warning("plain %s", key)
        warnings.warn(f"warned {key}", stacklevel=1)
        raise ValueError(f"the broker said no to {key}")
"""


@pytest.mark.parametrize("secret", [CANARY, ODD])
@pytest.mark.parametrize("log_format", ["json", "console"])
@pytest.mark.parametrize("command", ["run", "backtest"])
def test_a_strategy_that_logs_its_secret_does_not_publish_it(
    tmp_path: Path, command: str, log_format: str, secret: str
) -> None:
    (tmp_path / "bot.py").write_text(LOOSE)
    (tmp_path / "X.csv").write_text("timestamp,open,high,low,close,volume\n2024-03-04,1,1,1,1,1\n")
    data = ("--data", "X.csv", "--timeframe", "1d")
    env = {"BROKER_SECRET": secret, "LOG_FORMAT": log_format}
    if command == "run":
        with proxy(*data, cwd=tmp_path) as (_, urls):
            done = call("run", "bot", *urls, cwd=tmp_path, env=env)
    else:
        done = call("backtest", "bot", *data, cwd=tmp_path, env=env)
    assert done.returncode == 70
    assert secret[-8:] not in done.stderr + done.stdout
    for said in ("structured", "plain ********", "warned ********", "said no to ********"):
        assert said in done.stderr


NOBODY = ("--ws-url", "ws://127.0.0.1:9", "--rest-url", "http://127.0.0.1:9")
WITH_PASSWORD = tuple(each.replace("//", f"//me:{CANARY}@") for each in NOBODY)


@pytest.mark.parametrize("extra", [(), ("--check",)])
@pytest.mark.parametrize(
    ("given", "code"),
    [
        ((*NOBODY, "--token-file", "key"), 69),
        (WITH_PASSWORD, 69),
        ((*WITH_PASSWORD, "--token-file", "key"), 2),
    ],
)
def test_a_key_and_a_password_are_not_shown_when_nobody_answers(
    tmp_path: Path, given: tuple[str, ...], code: int, extra: tuple[str, ...]
) -> None:
    (tmp_path / "bot.py").write_text(BUYER)
    (tmp_path / "key").write_text(CANARY)
    done = call("run", "bot", *given, "--connect-timeout", 0.1, *extra, cwd=tmp_path)
    assert done.returncode == (1 if extra else code), done.stderr
    assert CANARY not in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    if code == 2:
        said = done.stdout if extra else done.stderr
        assert ": --ws-url has a user name in it, and --token-file a key; a proxy can be" in said


@pytest.mark.parametrize(
    "given", [("run", "bot", *NOBODY), ("proxy", "--demo")], ids=["run", "proxy"]
)
def test_a_key_of_two_lines_is_refused_and_not_shown(
    folder: Path, invoke: Invoke, given: tuple[str, ...]
) -> None:
    (folder / "bot.py").write_text(BUYER)
    (folder / "key").write_text(f"{CANARY}\n{CANARY}\n")
    for place, options, env in (
        ("--token-file: key", ("--token-file", "key"), {}),
        ("PROXY_API_KEY_FILE: key", (), {"PROXY_API_KEY_FILE": "key"}),
        ("PROXY_API_KEY", (), {"PROXY_API_KEY": f"{CANARY}\n{CANARY}"}),
    ):
        done = invoke(*given, *options, env=env)
        assert (done.exit_code, done.stdout) == (2, "")
        assert done.stderr == f"Error: {place} has more than one line; write the key alone\n"


def test_a_fault_of_our_own_publishes_no_secret(
    folder: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object) -> None:
        raise LookupError(f"no {CANARY}\x1b[2J here")

    monkeypatch.setattr(run, "_load", fail)
    (folder / "key").write_text(CANARY)
    done = invoke("run", "bot", *NOBODY, "--token-file", "key")
    assert done.exit_code == 1
    assert "Traceback (most recent call last):" in done.stderr
    assert "LookupError: no ********\\x1b[2J here" in done.stderr
    assert CANARY not in done.stderr + done.stdout


# Control characters in data and from clients.


def test_names_in_the_data_are_no_commands_to_the_terminal(folder: Path, invoke: Invoke) -> None:
    (folder / "bot.py").write_text(BUYER)
    (folder / "odd.csv").write_text(
        "timestamp,symbol,open,high,low,close,volume\n"
        "2024-03-04,\x1b]0;title\x07X,1,1,1,1,1\n"
        "2024-03-05,\x1b]0;title\x07X,1,1,1,1,1\n"
    )
    done = invoke(
        *("backtest", "bot", "--data", "odd.csv", "--timeframe", "1d", "--explain", "ord-1")
    )
    assert done.exit_code == 0, done.stderr
    heading, story = "\\x1b]0;title\\x07X  1d", "to buy 10 \\x1b]0;title\\x07X by a market order"
    assert heading in done.stdout
    assert story in done.stdout
    assert not {"\x1b", "\x07"} & {*done.stdout, *done.stderr}


# Forged log lines.


def test_remote_text_cannot_make_up_lines_of_the_log(tmp_path: Path) -> None:
    (tmp_path / "bot.py").write_text(
        "from strategy_runtime import Strategy\n"
        "class Bot(Strategy):\n"
        "    def on_candle(self, candle):\n"
        "        self.log.info('said\\n2026-01-01 [error    ] all lost\\x1b[2J')\n"
    )
    (tmp_path / "X.csv").write_text("timestamp,open,high,low,close,volume\n2024-03-04,1,1,1,1,1\n")
    done = call(
        "backtest",
        *("bot", "--data", "X.csv", "--timeframe", "1d", "--fills", "f.csv"),
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stderr.splitlines()
    assert not any(line.startswith("2026-01-01 [error") for line in lines)
    assert "\x1b" not in done.stderr
    as_json = call(
        "backtest",
        *("bot", "--data", "X.csv", "--timeframe", "1d", "--fills", "f.csv"),
        cwd=tmp_path,
        env={"LOG_FORMAT": "json"},
    )
    (line,) = map(json.loads, as_json.stderr.splitlines())
    assert line["event"] == "said\n2026-01-01 [error    ] all lost\x1b[2J"


FORGED = '{"level":"error","event":"all lost"}'


@pytest.mark.parametrize("extra", [(), ("--check",)])
async def test_the_reason_of_an_end_cannot_make_up_lines_of_the_log(
    tmp_path: Path, extra: tuple[str, ...]
) -> None:
    (tmp_path / "bot.py").write_text(BUYER)

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        body = json.dumps({"code": "NO", "message": f"no\n{FORGED}\x1b[2J"}).encode()
        await head(reader)
        writer.write(b"HTTP/1.1 401 No\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()

    async with serving(refuse) as place:
        urls = ("--ws-url", f"ws://{place}", "--rest-url", f"http://{place}")
        done = await asyncio.to_thread(call, "run", "bot", *urls, *extra, cwd=tmp_path)
    assert done.returncode == (1 if extra else 77)
    said = (done.stdout + done.stderr).splitlines()
    assert f"    {FORGED}\\x1b[2J; set the key with --token-file" in "\n".join(said)
    assert not any(line.startswith("{") and "all lost" in line for line in said)


@pytest.mark.parametrize(
    "does", ["raise ValueError(said)", "raise KeyError from ValueError(said)", "self.fail(said)"]
)
def test_an_error_message_cannot_make_up_lines_of_the_log(tmp_path: Path, does: str) -> None:
    (tmp_path / "bot.py").write_text(
        "from strategy_runtime import Strategy\n"
        f"said = 'no\\n{FORGED}'\n"
        "class Bot(Strategy):\n"
        "    def on_candle(self, candle):\n"
        f"        {does}\n"
        "    def fail(self, said):\n"
        "        try:\n"
        "            raise ValueError(said)\n"
        "        except ValueError:\n"
        "            self.log.exception('failed')\n"
    )
    (tmp_path / "X.csv").write_text("timestamp,open,high,low,close,volume\n2024-03-04,1,1,1,1,1\n")
    done = call("backtest", "bot", "--data", "X.csv", "--timeframe", "1d", cwd=tmp_path)
    assert "ValueError: no\n    " in done.stderr
    assert FORGED not in done.stderr.splitlines()
