"""Turns as tokens: what a chat template puts around an environment's messages, and the tool calls in what the policy wrote.

The policy's own tokens are never rendered or tokenised again: what was drawn is what is trained on. Only what comes after
them is encoded, as the template writes it behind a turn of the assistant.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rlar.errors import ConfigError, boundary
from rlar.trainer.environments.base import Call, Completion
from rlar.trainer.environments.tools import call_of, read_calls
from rlar.trainer.model.policy import Policy
from rlar.types import JsonObject, Message

_MARK = "turn-of-the-assistant-b5c81f"
_CUT = " [...]"


class Conversation:
    """The chat template of a policy, or plain text where its tokenizer has none."""

    def __init__(self, policy: Policy, *, message_tokens: int) -> None:
        """
        Args:
            message_tokens: longer messages of the environment are cut.
        """
        self.policy = policy
        self.message_tokens = message_tokens
        # What a message says must not end a turn or open one: such tokens are broken up.
        added = policy.tokenizer.added_tokens_decoder.values()
        control = {*policy.tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        self._control = sorted(control, key=len, reverse=True)

    def between(self, messages: Sequence[Message], written: Sequence[int], tools: Sequence[JsonObject]) -> list[int]:
        """Token ids between two turns of the policy: the end of the first, where it wrote none, and the messages.

        Args:
            written: what the policy wrote last.

        Raises:
            ConfigError: the template cannot render these messages behind a turn of the assistant.
        """
        cut = [message.model_copy(update={"content": self._short(message.content)}) for message in messages]
        if not self.policy.tokenizer.chat_template:
            return self._encode("\n\n".join(message.content for message in cut))
        turn = [Message(role="user", content="?"), Message(role="assistant", content=_MARK)]
        _before, mark, after = self._render([*turn, *cut], tools, add_generation_prompt=True).partition(_MARK)
        if not mark:
            raise ConfigError("the model's chat template drops turns of the assistant: it cannot hold several turns")
        ids = self._encode(after)
        return ids[1:] if written and ids[:1] == [written[-1]] else ids

    def read(self, ids: Sequence[int], text: str, *, finished: bool) -> Completion:
        """What the policy wrote in a turn, with its tool calls.

        Args:
            text: of `ids`, cut at a stop string where there was one.
        """
        tokenizer = self.policy.tokenizer
        if getattr(tokenizer, "response_template", None) is None:
            return Completion(text, read_calls(text), finished=finished)

        def parsed() -> Completion:
            message = tokenizer.parse_response(tokenizer.decode(list(ids), skip_special_tokens=False), prefix="")
            calls = [call_of(call.get("function", call)) for call in message.get("tool_calls") or []]
            content = message.get("content")
            return Completion(content if isinstance(content, str) else text, calls, finished=finished)

        problem = [Call("", {}, "the call cannot be read")]
        return boundary(parsed, lambda _error: Completion(text, problem, finished=finished))

    def _short(self, text: str) -> str:
        for token in self._control:
            text = text.replace(token, f"{token[:1]} {token[1:]}")
        ids = self._encode(text) if len(text) > self.message_tokens else []
        if len(ids) <= self.message_tokens:
            return text
        return str(self.policy.tokenizer.decode(ids[: self.message_tokens])) + _CUT

    def _encode(self, text: str) -> list[int]:
        return [int(token) for token in self.policy.tokenizer(text, add_special_tokens=False)["input_ids"]]

    def _render(self, messages: Sequence[Message], tools: Sequence[JsonObject], **options: Any) -> str:
        def unusable(error: Exception) -> str:
            roles = ", ".join(message.role for message in messages)
            raise ConfigError(
                f"the model's chat template cannot render the turns {roles}: {' '.join(str(error).split())[:200]}; take "
                "the chat_template out of the tokenizer to train on plain text"
            ) from error

        def render() -> str:
            plain = [{"role": message.role, "content": message.content} for message in messages]
            return str(
                self.policy.tokenizer.apply_chat_template(plain, tools=list(tools) or None, tokenize=False, **options)
            )

        return boundary(render, unusable)
