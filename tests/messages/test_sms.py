"""An SMS is 160 letters of its alphabet, and goes to a number as the network knows it."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.messages.sms import LETTERS, SmsFolder, SmsGateway, in_gsm, mobile_number


@given(st.text())
def test_whatever_is_said_is_said_in_letters_of_the_alphabet(text: str) -> None:
    assert set(in_gsm(text)) <= LETTERS


@given(st.text(alphabet=sorted(LETTERS)))
def test_what_is_in_the_alphabet_stays_as_it_is(text: str) -> None:
    assert in_gsm(text) == text


def test_accents_and_quotes_become_what_a_telephone_has() -> None:
    assert in_gsm("È l’“età” di Zoë: 8,63 €…") == "E' l'\"età\" di Zoe: 8,63 euro..."
    assert in_gsm("漢") == "?"


@pytest.mark.parametrize("text", ["347 1234567", "+39 347/123.45.67", "0039 3471234567", "347-1234567"])
def test_a_number_is_one_however_it_is_written(text: str) -> None:
    assert mobile_number(text) == "+393471234567"


def test_numbers_of_other_countries_have_their_prefix() -> None:
    assert mobile_number("+41 79 123 45 67") == "+41791234567"


@pytest.mark.parametrize(
    "text", ["", "0521 123456", "+39 0521 123456", "12", "347 12", "ciao", "3471234567890123", "+0123456789"]
)
def test_what_gets_no_sms_is_no_mobile_number(text: str) -> None:
    assert mobile_number(text) is None


def test_the_stand_in_writes_a_file_for_each_message_twice_is_once(tmp_path: Path) -> None:
    send = SmsFolder(tmp_path / "sms")
    for _ in range(2):
        send("+393471234567", "ciao", "one")
    assert [path.read_text() for path in (tmp_path / "sms").iterdir()] == ["+393471234567\nciao\n"]


def test_the_gateway_is_told_who_what_and_a_key_and_a_refusal_is_an_error() -> None:
    seen: list[tuple[str | None, Any]] = []
    codes = [202, 500]

    class Provider(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            seen.append((self.headers["Authorization"], body))
            self.send_response(codes.pop(0))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = HTTPServer(("127.0.0.1", 0), Provider)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        send = SmsGateway(f"http://127.0.0.1:{server.server_port}/sms", "secret")
        send("+393471234567", "ciao", "key")
        with pytest.raises(OSError, match="500"):
            send("+393471234567", "ciao", "key")
    finally:
        server.shutdown()
        server.server_close()
    assert seen == [("Bearer secret", {"to": "+393471234567", "text": "ciao", "id": "key"})] * 2
