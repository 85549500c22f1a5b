"""Whatever a program sends, right or wrong by the description, the answer is one that the description names."""

from collections.abc import Callable

import pytest
import schemathesis
from hypothesis import HealthCheck, given, seed, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from marketplace.accounts import tokens
from marketplace.web import Application
from tests.api.keys import everybody
from tests.api.test_proposals import Keys, keys

__all__ = ["keys"]

EXAMPLES = 8
load_all_checks()
# Not told of in the description: methods that are not served; and a body that is right by its form may break a rule.
NAMED = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
         "response_headers_conformance", "negative_data_rejection", "ignored_auth")  # fmt: skip
CHECKED = CHECKS.get_by_names(list(NAMED))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the tool's own
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_every_answer_is_as_described(
    app: Application, keys: Keys, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REQUESTS_MAX", 10**6)
    monkeypatch.setattr(tokens, "UNKNOWN_MAX", 10**6)
    header_of = everybody(app, keys)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app)
    walked = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if mode == GenerationMode.NEGATIVE and not (operation.body or operation.query):
            continue
        (scope,) = operation.definition.raw["security"][0]["key"]
        walk(operation, mode, header_of[scope])
        walked += 1
    assert walked > 3


def walk(operation: schemathesis.schemas.APIOperation, mode: GenerationMode, header: dict[str, str]) -> None:
    """Send examples of one operation, the same in every run."""

    @seed(7)
    @settings(max_examples=EXAMPLES, database=None, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.headers.update(header)
        case.call_and_validate(headers=header, checks=CHECKED)

    ask_it: Callable[[], None] = ask
    ask_it()
