"""The HTTP client under the chat client: a limit on a whole answer, and headers that stay here."""

from __future__ import annotations

import sys
import time
from typing import Any

MAX_ANSWER_BYTES = 32 * 1024 * 1024


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
            deadline = time.monotonic() + seconds
            response = super().send(request, stream=True, **options)
            if stream:
                return response
            parts: list[bytes] = []
            size = 0
            try:
                for part in response.iter_raw():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_ANSWER_BYTES:
                        raise httpx.RemoteProtocolError(f"more than {MAX_ANSWER_BYTES} bytes", request=request)
                    if time.monotonic() > deadline:
                        raise httpx.ReadTimeout("the answer took too long", request=request)
            finally:
                response.close()
            return httpx.Response(
                response.status_code,
                headers=response.headers,
                content=b"".join(parts),
                request=request,
                extensions=response.extensions,
            )

    return BoundedClient(timeout=timeout(seconds), follow_redirects=False)
