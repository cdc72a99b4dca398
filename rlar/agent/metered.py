"""A chat inside a build's budget: what the gate's judges ask counts like every other question."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rlar.agent.budget import Budget
from rlar.errors import ChatError
from rlar.tools.chat import Chat, ChatReply, UnusableReply
from rlar.types import JsonObject, Message, canonical_json


class MeteredChat:
    """Another chat, each call of which is reserved before it is made. Raises BudgetSpent where a limit is reached."""

    def __init__(
        self, chat: Chat, budget: Budget, on_reply: Callable[[int, int], None] = lambda _in, _out: None
    ) -> None:
        """
        Args:
            on_reply: called with the input and output tokens of every call (0, 0 where none came back).
        """
        self.endpoint = chat.endpoint
        self._chat, self._budget, self._on_reply = chat, budget, on_reply

    def complete(
        self,
        messages: Sequence[Message],
        *,
        schema: JsonObject | None = None,
        schema_name: str = "answer",
        temperature: float = 0.0,
        max_tokens: int | None = None,
        seed: int | None = None,
    ) -> ChatReply:
        """The answer; see `Chat.complete`."""
        sent = sum(len(message.content.encode("utf-8", "replace")) for message in messages)
        held = self._budget.reserve(sent + len(canonical_json(schema)))
        limits = [limit for limit in (held.output_tokens, max_tokens) if limit is not None]
        reply: ChatReply | None = None
        try:
            reply = self._chat.complete(
                messages,
                schema=schema,
                schema_name=schema_name,
                temperature=temperature,
                max_tokens=min(limits, default=None),
                seed=seed,
            )
            return reply
        except ChatError as error:
            reply = error.reply if isinstance(error, UnusableReply) else None
            raise
        finally:
            tokens = (reply.input_tokens, reply.output_tokens) if reply is not None else (0, 0)
            self._budget.settle(held, *tokens)
            self._on_reply(*tokens)

    def close(self) -> None:
        """Close the chat behind it."""
        close = getattr(self._chat, "close", None)
        if close is not None:
            close()
