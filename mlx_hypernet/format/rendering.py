"""Chat templates, rendered in a process that can be killed: a base's own program never runs in ours."""

from __future__ import annotations

import atexit
import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Of processor time, for one template; usual ones take a thousandth of one.
CPU_SECONDS = 5
_CHILD = Path(__file__).with_name("render_child.py")


class TemplateLimitError(ValueError):
    """A chat template that does not end, or wants more memory than any prompt needs."""


class _Renderer:
    """One process for all templates, started when it is first needed and again after it was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def render(self, template: str, values: dict[str, Any]) -> str:
        from jinja2 import TemplateError

        with self._lock:
            answer = self._answer(json.dumps({"template": template, "values": values, "seconds": CPU_SECONDS}))
        if "text" in answer:
            return answer["text"]
        if "limit" in answer:
            raise TemplateLimitError(f"the chat template {answer['limit']}")
        raise TemplateError(answer["refused"])

    def close(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _answer(self, request: str) -> dict[str, str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._process = subprocess.Popen(
                [sys.executable, "-P", str(_CHILD)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="utf-8",
                start_new_session=True,  # Ctrl-C is the parent's
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(request + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        except BaseException:
            self.close()  # half a message would be taken for the next one's answer
            raise
        if line:
            return dict(json.loads(line))
        self.close()  # the limit on its seconds has ended it
        return {"limit": "does not end, or wants too much memory"}


_RENDERER = _Renderer()
atexit.register(_RENDERER.close)


def render(tokenizer: Any, messages: Sequence[dict[str, Any]], tools: Sequence[dict[str, Any]] = ()) -> str:
    """Render a tokenizer's chat template with the generation prompt.

    Args:
        tokenizer: a tokenizer of transformers, or mlx-lm's wrapper of one.
        messages: `role` and `content` of each; those of tools as transformers has them.
        tools: schemas of the tools that the model may call.

    Raises:
        TemplateLimitError: The template does not end, or wants too much memory.
        jinja2.TemplateError: It refuses the messages, or is no template.
        ValueError: There is none.
    """
    values: dict[str, Any] = {
        "messages": list(messages),
        "tools": list(tools) or None,
        "documents": None,
        "add_generation_prompt": True,
    }
    names = {name: str(token) for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    if thinking := getattr(tokenizer, "_thinking_kwarg", None):  # mlx-lm's wrapper says whether the base thinks
        values[thinking] = tokenizer.has_thinking
    # Some bases have a template of its own for tools.
    template = tokenizer.get_chat_template(tools=values["tools"]) if tools else tokenizer.get_chat_template()
    return _RENDERER.render(template, names | values)
