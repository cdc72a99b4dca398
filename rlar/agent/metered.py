"""The build's LLM as a judge under test asks it: within the build's budget, on the bill of its task."""

from __future__ import annotations

from collections.abc import Sequence

from rlar.agent.llm import Llm
from rlar.errors import BudgetSpent, ChatDenied, ChatUnavailable
from rlar.tools.chat import ChatReply
from rlar.types import JsonObject, Message


class MeteredChat:
    """A `rlar.tools.chat.Chat` for the judges of one task. Thread-safe."""

    def __init__(self, llm: Llm, fingerprint: str) -> None:
        self.endpoint = llm.endpoint
        self._llm = llm
        self._fingerprint = fingerprint
        self.trouble = ""
        """Why some question was not answered at all (budget, network, key): what was measured then proves nothing."""

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
        """See Chat.complete; also raises BudgetSpent."""
        try:
            return self._llm.complete(
                messages,
                fingerprint=self._fingerprint,
                schema=schema,
                schema_name=schema_name,
                temperature=temperature,
                max_tokens=max_tokens,
                seed=seed,
            )
        except (BudgetSpent, ChatDenied, ChatUnavailable) as error:
            self.trouble = self.trouble or str(error)
            raise
