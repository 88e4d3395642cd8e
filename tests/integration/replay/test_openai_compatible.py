"""The endpoint backend against a real HTTP server on loopback."""

from __future__ import annotations

import logging
import socket
import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from llmmon.backends.base import backends
from llmmon.backends.openai_compatible import OpenAICompatible
from llmmon.endpoint.credentials import key_from_environment, resolving
from llmmon.errors import BackendUnavailableError, ConfigError
from llmmon.model import Document
from tests.integration.replay.conftest import answer, delta, event, status


def ask(server, items, **parameters):
    backend = OpenAICompatible(**{"base_url": server.url, "model": "demo", "concurrency": 1, **parameters})
    return {response.item.sample_id: response for response in backend.generate(items)}


def test_a_streamed_answer_is_timed_from_its_first_text_to_its_last(server, item):
    """TTFT ends at the first piece that is not empty, latency at the last; tokens and revision are the server's."""
    server.replies = [answer("No, ", "21 ", "is not.", pause_s=0.05)]
    response = ask(server, [item(documents=(Document(content="3 x 7 = 21"),))])[1]
    assert response.text == "No, 21 is not."
    assert (response.finish_reason, response.n_input_tokens, response.n_output_tokens) == ("stop", 11, 3)
    assert response.model == "served"
    assert response.model_revision == "fp-1"
    assert 50 <= response.ttft_ms < response.latency_ms
    assert response.detail == {"latency_of": "request", "n_attempts": 1}
    sent = server.requests[0]
    assert sent["messages"] == [{"role": "user", "content": "3 x 7 = 21\n\nIs 17 a prime number?"}]
    assert (sent["stream"], sent["temperature"], sent["seed"], sent["max_tokens"]) == (True, 0.0, 1001, 256)


def test_log_probabilities_are_averaged_and_a_variant_may_ask_for_a_temperature(server, item):
    """With logprobs the mean is that of the tokens; a repeat is asked at its own temperature."""
    server.replies = [answer("a", "b", logprobs=[-1.0, -0.5])]
    response = ask(server, [item(change={"rule": "repeat", "temperature": 0.9})], logprobs=True)[1]
    assert response.mean_logprob == -0.75
    assert server.requests[0]["logprobs"] is True
    assert server.requests[0]["temperature"] == 0.9


def test_an_empty_answer_is_an_answer_without_a_first_token(server, item):
    """A stream that ends without text gives the empty text, no TTFT, and no made-up number."""

    def silent(handler):
        handler.send_response(200)
        handler.send_header("content-type", "text/event-stream")
        handler.end_headers()
        handler.wfile.write(delta("") + delta(None, finish_reason="stop") + b"data: [DONE]\n\n")

    server.replies = [silent]
    response = ask(server, [item()])[1]
    assert (response.text, response.ttft_ms, response.n_output_tokens) == ("", None, None)


def test_retry_after_is_honoured_and_does_not_count_as_an_attempt(server, item):
    """Four 429 answers, two with seconds and two with a date, are waited out although two attempts are allowed."""
    soon = format_datetime(datetime.now(UTC) + timedelta(seconds=1), usegmt=True)
    server.replies = [status(429, retry_after="0.3"), status(429, retry_after="0"), status(429, retry_after=soon)]
    response = ask(server, [item()], max_attempts=2)[1]
    assert response.text == "No, it is not."
    assert response.detail["n_attempts"] == 4
    assert server.requests[1]["at"] - server.requests[0]["at"] >= 0.3


def test_a_server_error_is_tried_again_and_then_told(server, item):
    """Two 500s are survived; more than max_attempts give the reason http_500, and the next item is answered."""
    server.replies = [status(500), status(503)]
    assert ask(server, [item()], max_attempts=3)[1].text == "No, it is not."
    server.replies = [status(500, "boom")] * 2
    found = ask(server, [item(1), item(2)], max_attempts=2)
    assert (found[1].reason, found[1].text, found[1].detail) == ("http_500", None, {"told": "boom"})
    assert found[2].text == "No, it is not."


def test_a_request_that_the_server_dislikes_is_not_repeated(server, item):
    """A 400 is final for its item, says what was told, and opens no breaker."""
    server.replies = [status(400, '{"error": "context too long"}')] * 9
    found = ask(server, [item(number) for number in range(10)], breaker_after=3)
    assert [found[number].reason for number in range(10)] == ["http_400"] * 9 + [None]
    assert "context too long" in found[0].detail["told"]
    assert len(server.requests) == 10


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (answer("half an", done=False), "truncated_stream"),
        (status(200, "<html>", "text/html"), "wrong_content_type"),
        (status(200, "data: {broken\n\n", "text/event-stream"), "malformed_stream"),
        (status(200, "data: [1, 2]\n\n", "text/event-stream"), "malformed_stream"),
        (status(200, event(error={"message": "overloaded"}).decode(), "text/event-stream"), "stream_error"),
    ],
)
def test_half_an_answer_is_a_failure_with_a_reason(server, item, reply, reason):
    """A broken stream never becomes an answer; a server that does it every time makes the item fail."""
    server.replies = [reply] * 2
    found = ask(server, [item(1), item(2)], max_attempts=1)
    assert (found[1].reason, found[1].text) == (reason, None)


def test_a_slow_drip_ends_at_the_timeout_of_the_request(server, item):
    """Bytes that keep coming do not keep an attempt alive for ever."""
    server.replies = [answer(*"slowly", pause_s=0.4)]
    found = ask(server, [item(1), item(2)], request_timeout_s=1.2, max_attempts=1)
    assert found[1].reason == "timeout"
    assert found[2].text is not None


def test_the_deadline_ends_the_whole_call(server, item):
    """What is not answered by the deadline fails with that reason, also while it waits for its turn."""
    server.otherwise = answer("slow", pause_s=0.4)
    found = ask(server, [item(number) for number in range(9)], deadline_s=2.0)
    reasons = [found[number].reason for number in range(9)]
    assert reasons[0] is None
    assert reasons[-1] == "deadline"
    assert len(found) == 9


def test_a_refused_connection_fails_every_item_and_then_raises(item):
    """With nothing listening each item is told as failed, and the call ends with the error that Airflow retries."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    backend = OpenAICompatible(base_url=f"http://127.0.0.1:{port}/v1", model="demo", breaker_after=3, max_attempts=2)
    found = []
    with pytest.raises(BackendUnavailableError, match=f"127.0.0.1:{port}/v1: no answer to 12 requests"):
        iter_into(found, backend.generate([item(number) for number in range(12)]))
    assert len(found) == 12
    assert {response.reason for response in found} == {"unreachable", "breaker_open"}


def iter_into(found, responses):
    for response in responses:
        found.append(response)


def test_the_breaker_stops_asking_a_server_that_is_down(server, item):
    """After three outages in a row nothing more is sent; the rest fail fast with breaker_open."""
    server.otherwise = status(502)
    backend = OpenAICompatible(base_url=server.url, model="demo", concurrency=1, breaker_after=3, max_attempts=2)
    found = []
    with pytest.raises(BackendUnavailableError, match="http_502"):
        iter_into(found, backend.generate([item(number) for number in range(8)]))
    assert len(server.requests) == 3
    assert [response.reason for response in found] == ["http_502", "http_502", *["breaker_open"] * 6]


def test_a_success_closes_the_count_of_outages(server, item):
    """Outages that are not in a row open no breaker."""
    server.replies = [reply for _ in range(5) for reply in (status(500), answer())]
    found = ask(server, [item(number) for number in range(5)], breaker_after=2)
    assert all(response.text for response in found.values())


def test_requests_run_at_the_same_time_up_to_the_limit(server, item):
    """Answers that each wait for three others come through with concurrency 4, and never five are asked at once."""
    together, now, most = threading.Barrier(4, timeout=30), [0], [0]

    def wait_for_three(handler):
        now[0] += 1
        most[0] = max(most[0], now[0])
        together.wait()
        now[0] -= 1
        answer()(handler)

    server.otherwise = wait_for_three
    found = ask(server, [item(number) for number in range(8)], concurrency=4)
    assert all(response.text for response in found.values())
    assert most[0] <= 4


def test_the_key_comes_from_the_connection_and_appears_nowhere(server, item, caplog, monkeypatch):
    """The password of the Airflow connection is sent as bearer token; it is in no log, parameter or refusal."""
    from llmmon.registry import parameters_of

    monkeypatch.setenv("AIRFLOW_CONN_LLM", '{"conn_type": "http", "password": "sk-secret"}')
    server.replies = [answer(), status(401, "Incorrect API key: sk-secret")]
    backend = OpenAICompatible(base_url=server.url, model="demo", connection="llm", concurrency=1)
    with caplog.at_level(logging.DEBUG):
        found = [*backend.generate([item(1), item(2)])]
    assert server.requests[0]["headers"]["Authorization"] == "Bearer sk-secret"
    assert [response.reason for response in found] == [None, "http_401"]
    assert "sk-secret" not in caplog.text + repr(found) + repr(parameters_of(backend))


def test_what_a_hopeless_endpoint_answers_is_kept_and_not_raised(server, item, caplog):
    """It can quote the prompt: it is kept with the response, which is sealed; the task's error has the status only."""
    server.otherwise = status(404, '{"error": "cannot answer: Is 17 a prime number?"}')
    found = []
    backend = OpenAICompatible(base_url=server.url, model="demo")
    with pytest.raises(BackendUnavailableError, match="http_404") as caught:
        iter_into(found, backend.generate([item()]))
    assert "prime" in found[0].detail["told"]
    assert "prime" not in str(caught.value) + caplog.text


def test_a_refused_key_is_told_as_such(server, item):
    """When every item is refused with 401 the call ends with an error, so that a task turns red."""
    server.otherwise = status(401)
    with pytest.raises(BackendUnavailableError, match="http_401"):
        ask(server, [item()])


def test_a_connection_is_resolved_as_uri_json_or_by_the_caller(server, item, monkeypatch):
    """The variable may be a URI or JSON; inside `resolving` the caller decides; an unknown name is an error."""
    monkeypatch.setenv("AIRFLOW_CONN_AS_URI", "http://:k%2Fy@host/")
    monkeypatch.setenv("AIRFLOW_CONN_AS_JSON", '{"password": "key"}')
    monkeypatch.setenv("AIRFLOW_CONN_BARE", "http://host")
    monkeypatch.setenv("AIRFLOW_CONN_BROKEN", '{"password": sk-secret}')
    assert [key_from_environment(name) for name in ("as_uri", "as_json", "bare")] == ["k/y", "key", None]
    with pytest.raises(BackendUnavailableError, match="AIRFLOW_CONN_BROKEN") as caught:
        key_from_environment("broken")
    assert "sk-secret" not in str(caught.value)
    with pytest.raises(BackendUnavailableError, match="AIRFLOW_CONN_NOT_THERE"):
        ask(server, [item()], connection="not_there")
    with resolving({"not_there": "given"}.get):
        ask(server, [item()], connection="not_there")
    assert server.requests[0]["headers"]["Authorization"] == "Bearer given"


def test_leaving_early_stops_the_requests(server, item):
    """A consumer that stops after the first answer leaves no request running behind it."""
    server.otherwise = answer("slow", pause_s=0.2)
    backend = OpenAICompatible(base_url=server.url, model="demo", concurrency=1)
    responses = backend.generate([item(number) for number in range(50)])
    next(responses)
    responses.close()
    assert len(server.requests) <= 3


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"base_url": "ftp://host/v1"}, "http:// or https://"),
        ({"base_url": "host:8000"}, "http:// or https://"),
        ({"base_url": "http:///v1"}, "a host"),
        ({"base_url": "http://user:sk-secret@host/v1"}, "Airflow connection"),
        ({"base_url": "http://host/v1?key=sk-secret"}, "Airflow connection"),
        ({"base_url": "http://host:99999/v1"}, "cannot be read"),
        ({"base_url": "http://host", "concurrency": 0}, "at least 1"),
        ({"base_url": "http://host", "deadline_s": 0}, "more than 0"),
        ({"base_url": "http://host", "temperature": 3}, "0 to 2"),
    ],
)
def test_wrong_parameters_say_what_was_expected(parameters, expected):
    """A wrong URL or number is refused where it stands in the configuration, without repeating a secret."""
    with pytest.raises(ConfigError, match=expected) as caught:
        backends.create("openai_compatible", {"model": "demo", **parameters}, where="backends.serving")
    assert "sk-secret" not in str(caught.value)
