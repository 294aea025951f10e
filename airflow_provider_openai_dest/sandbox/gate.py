"""Gate: how a request passes. Key, fault, body, limit, work, time, answer; in this order, on this page."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from contextlib import nullcontext
from dataclasses import replace

from starlette.datastructures import Headers, QueryParams
from starlette.types import Receive, Scope, Send

from airflow_provider_openai_dest.sandbox.answers import Answer, ApiError
from airflow_provider_openai_dest.sandbox.calls import Request, read_call
from airflow_provider_openai_dest.sandbox.damage import altered, instead_of_work
from airflow_provider_openai_dest.sandbox.faults import MODES, FaultRule
from airflow_provider_openai_dest.sandbox.operation import Operation
from airflow_provider_openai_dest.sandbox.state import SandboxState
from airflow_provider_openai_dest.sandbox.wire import Connection

RESETS = ("reset", "reset_after_work")

FAILURE = ApiError(500, "The sandbox itself failed; its log says why.", type="server_error")

log = logging.getLogger(__name__)


class ClientGoneError(Exception):
    """The client went away before its request was complete."""


class Gate:
    """The ASGI application of one operation."""

    def __init__(self, operation: Operation, state: SandboxState) -> None:
        self.operation = operation
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        started = time.perf_counter()
        with self.state.counters.flight() if self.operation.is_observed else nullcontext():
            try:
                request = await _read_request(scope, receive, self.state.settings.max_body_bytes)
                self._check_key(request)
                rule = self._meet_fault(request)
                answer = await self._answer(request, rule)
            except (ClientGoneError, asyncio.CancelledError):  # cancelled: the server stops, nobody listens any more
                return
            except ApiError as error:
                rule, answer = None, error.answer()
            except Exception:
                log.exception("The sandbox failed at %s %s", scope["method"], scope["path"])
                rule, answer = None, FAILURE.answer()
            how = rule.mode if rule else "whole"
            self._count(scope["method"], "reset" if how in RESETS else str(answer.status))
            answer = replace(answer, content=answer.body(), headers={**self._headers(started), **answer.headers})
            await _send(Connection(scope, receive, send), answer, how, rule.interval if rule else 0.0)

    def _check_key(self, request: Request) -> None:
        if not self.operation.needs_key or not self.state.settings.needs_key:
            return
        settings, key = self.state.settings, _key_of(request, self.state.settings.key_header)
        if settings.subject is not None:
            if not self.state.issued.use(key.strip(), self.state.clock()):
                raise ApiError(401, "The access token is expired or not known.", code="token_expired")
            return
        wanted = settings.api_key
        if wanted is not None and not secrets.compare_digest(key.strip().encode(), wanted.encode()):
            raise ApiError(401, "Incorrect API key provided.", code="invalid_api_key")

    def _meet_fault(self, request: Request) -> FaultRule | None:
        return self.state.faults.pick(request.path, request.body) if self.operation.is_observed else None

    async def _answer(self, request: Request, rule: FaultRule | None) -> Answer:
        if rule and not MODES[rule.mode].works:
            answer = instead_of_work(rule)
        else:
            answer = await self._work(request)
        if rule:
            await asyncio.sleep(rule.slow)
            answer = altered(answer, rule)
        return answer

    async def _work(self, request: Request) -> Answer:
        operation, state = self.operation, self.state
        if "deployment" in request.parameters and "api-version" not in request.query:
            raise ApiError(404, "Resource not found", code="404")
        call = await read_call(request, operation.json, operation.form)
        tokens = operation.tokens_of(call)
        if operation.count_tokens:
            state.limit.admit(tokens, state.clock(), call.body.get("model", "the default model"))
        answer = operation.answer(state, call)
        if operation.is_work:
            state.counters.count_work(operation.pieces_of(call), tokens)
            await asyncio.sleep(state.settings.latency)
        return answer

    def _headers(self, started: float) -> dict[str, str]:
        if not self.operation.needs_key:
            return {}
        limits = self.state.limit.headers(self.state.clock()) if self.operation.count_tokens else {}
        return {
            "x-request-id": f"req_{secrets.token_hex(16)}",
            "openai-version": "2020-10-01",
            "openai-organization": "org-sandbox",
            "openai-processing-ms": str(int((time.perf_counter() - started) * 1000)),
            **limits,
        }

    def _count(self, method: str, outcome: str) -> None:
        if self.operation.is_observed:
            self.state.counters.count_outcome(f"{method} {self.operation.path}", outcome)


def _key_of(request: Request, header: str) -> str:
    value = request.headers.get(header, "")
    if header != "authorization":
        if not value:
            raise ApiError(401, "Access denied due to invalid subscription key or wrong API endpoint.", code="401")
        return value
    scheme, _, key = value.partition(" ")
    if scheme.lower() != "bearer" or not key.strip():
        raise ApiError(401, "You didn't provide an API key. Send it as 'Authorization: Bearer YOUR_KEY'.")
    return key


async def _read_request(scope: Scope, receive: Receive, max_bytes: int) -> Request:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise ApiError(413, f"The request body is larger than {max_bytes} bytes.")
        if not message.get("more_body"):
            break
    return Request(
        method=scope["method"],
        path=scope["path"],
        parameters=scope["path_params"],
        query=QueryParams(scope["query_string"]),
        headers=Headers(scope=scope),
        body=bytes(body),
    )


async def _send(connection: Connection, answer: Answer, how: str, interval: float) -> None:
    match how:
        case "reset" | "reset_after_work":
            await connection.reset()
        case "truncated":
            await connection.send_truncated(answer)
        case "drip":
            await connection.send_drip(answer, interval)
        case _:
            await connection.send_whole(answer)
