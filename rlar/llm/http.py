"""The HTTP client under the chat client: a limit on a whole answer, and headers that stay here."""

from __future__ import annotations

import sys
import time
from typing import Any

from rlar.llm.http_body import PLAIN, BodyLate, BodyRefused, answered_until, read_body, watch_reads


def timeout(seconds: float) -> Any:
    """Limits of one request's steps, for the openai client."""
    import openai

    return openai.Timeout(seconds, connect=min(seconds, 15.0))


def bounded_client(seconds: float, *, without: tuple[str, ...] = ()) -> Any:
    """An HTTP client for the openai package that reads an answer for `seconds` at most, and follows no redirect.

    The package's own timeout is one of silence: a server that sends a byte now and then holds it for ever. A redirect
    would carry prompts to a host that nobody named.

    Args:
        without: headers that are not sent (organisation and project of another service).
    """
    import openai

    parent = openai.DefaultHttpxClient
    # openai moved from httpx to httpx2; both have these names.
    httpx = sys.modules[parent.__mro__[1].__module__.partition(".")[0]]

    class BoundedClient(parent):  # type: ignore[misc, valid-type]
        def send(self, request: Any, *, stream: bool = False, **options: Any) -> Any:
            for name in without:
                request.headers.pop(name, None)
            request.headers.update(PLAIN)
            request.extensions = {**request.extensions, "trace": watch_reads}
            until = time.monotonic() + seconds
            try:
                with answered_until(until):
                    response = super().send(request, stream=True, **options)
                    if stream:
                        return response
                    try:
                        content = read_body(response, until=until)
                    finally:
                        response.close()
            except BodyRefused as error:
                raise httpx.RemoteProtocolError(f"the answer {error}", request=request) from None
            except BodyLate:
                raise httpx.ReadTimeout("the answer took too long", request=request) from None
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                content=content,
                request=request,
                extensions=response.extensions,
            )

    return BoundedClient(timeout=timeout(seconds), follow_redirects=False)
