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
_ANSWER = "answer-of-the-environment-9d02e7"
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
        self._shown: dict[tuple[str, ...], bool] = {}
        """Whether the template shows messages of these roles behind a turn of the assistant."""
        added = policy.tokenizer.added_tokens_decoder.values()
        control = {*policy.tokenizer.all_special_tokens, *(token.content for token in added if token.special)}
        self._control = sorted(control, key=len, reverse=True)

    def between(self, messages: Sequence[Message], written: Sequence[int], tools: Sequence[JsonObject]) -> list[int]:
        """Token ids between two turns of the policy: the end of the first, where it wrote none, and the messages.

        Args:
            written: what the policy wrote last.

        A template that refuses or drops some role (of tools, mostly) is given one message of the user instead.

        Raises:
            ConfigError: the template cannot render messages behind a turn of the assistant.
        """
        cut = [message.model_copy(update={"content": self._short(message.content)}) for message in messages]
        if not self.policy.tokenizer.chat_template:
            return self._encode("\n\n".join(message.content for message in cut))
        if not self._shows(tuple(message.role for message in cut), tools):
            cut = [Message(role="user", content="\n\n".join(message.content for message in cut))]
        ids = self._encode(self._after_turn(cut, tools))
        return ids[1:] if written and ids[:1] == [written[-1]] else ids

    def read(self, ids: Sequence[int], text: str, *, finished: bool) -> Completion:
        """What the policy wrote in a turn, with its tool calls.

        Args:
            text: of `ids`, cut at a stop string where there was one.
        """
        tokenizer = self.policy.tokenizer
        if getattr(tokenizer, "response_template", None) is None:
            whole = self.policy.decode(list(ids))  # a stop string may be the end of a call
            return Completion(text, read_calls(whole), finished=finished)

        def parsed() -> Completion:
            message = tokenizer.parse_response(tokenizer.decode(list(ids), skip_special_tokens=False), prefix="")
            calls = [call_of(call.get("function", call)) for call in message.get("tool_calls") or []]
            content = message.get("content")
            return Completion(content if isinstance(content, str) else text, calls, finished=finished)

        problem = [Call("", {}, "the call cannot be read")]
        return boundary(parsed, lambda _error: Completion(text, problem, finished=finished))

    def _shows(self, roles: tuple[str, ...], tools: Sequence[JsonObject]) -> bool:
        """Whether all messages of these roles come out of the template. Raises ConfigError where not even the user's do."""
        if roles not in self._shown:
            answers = [Message(role=role, content=_ANSWER) for role in roles]
            try:
                self._shown[roles] = self._after_turn(answers, tools).count(_ANSWER) == len(roles)
            except ConfigError:
                if roles == ("user",):
                    raise
                self._shown[roles] = False
            if not self._shown[roles] and (roles == ("user",) or not self._shows(("user",), tools)):
                raise ConfigError("the model's chat template drops what follows a turn of the assistant")
        return self._shown[roles]

    def _after_turn(self, messages: Sequence[Message], tools: Sequence[JsonObject]) -> str:
        """What the template writes behind a turn of the assistant that these messages follow."""
        turn = [Message(role="user", content="?"), Message(role="assistant", content=_MARK)]
        _before, mark, after = self._render([*turn, *messages], tools, add_generation_prompt=True).partition(_MARK)
        if not mark:
            raise ConfigError("the model's chat template drops turns of the assistant: it cannot hold several turns")
        return after

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
