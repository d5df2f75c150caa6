"""The process that renders chat templates: a row of requests on stdin, a row of answers on stdout.

A template is a program of whoever published the base. Here it has jinja2's sandbox, a bound on memory and on the
seconds of each request, and nothing else. `rendering.py` is the other side.
"""

import json
import os
import resource
import sys
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment

MEMORY_BYTES = 1 << 30
# Characters that a template may put around what it is given, which it may also write out more widely.
MOST_ADDED, MOST_WIDENED = 1 << 20, 4


class _Generation(Extension):
    """`{% generation %}` marks what a model is trained on; here its content is just rendered."""

    tags = {"generation"}  # noqa: RUF012 - jinja2's own declaration

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        return nodes.Scope(parser.parse_statements(("name:endgeneration",), drop_needle=True)).set_lineno(line)


def _raise(message: str) -> None:
    raise TemplateError(message)


def _json(value: Any, ensure_ascii: bool = False, **options: Any) -> str:
    return json.dumps(value, ensure_ascii=ensure_ascii, **options)


@lru_cache(maxsize=8)  # compiling one takes far longer than rendering it
def _compiled(environment: ImmutableSandboxedEnvironment, template: str) -> Template:
    return environment.from_string(template)


def _environment() -> ImmutableSandboxedEnvironment:
    """What transformers gives chat templates, by the names that they use."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _json
    environment.globals["raise_exception"] = _raise
    environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
    return environment


def _render(environment: ImmutableSandboxedEnvironment, request: dict[str, Any]) -> dict[str, str]:
    try:
        text = _compiled(environment, request["template"]).render(request["values"])
    except TemplateError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"limit": "wants too much memory"}
    except Exception as error:  # whatever the template's own expressions raise
        return {"refused": f"{type(error).__name__}: {error}"}
    most = MOST_ADDED + MOST_WIDENED * len(json.dumps(request["values"]))
    return {"text": text} if len(text) <= most else {"limit": "makes an endless prompt"}


def main() -> None:
    """Answer requests until the parent closes the pipe."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS refuses the limit; there the seconds bound the memory
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    most = resource.getrlimit(resource.RLIMIT_CPU)[1]
    environment = _environment()
    for line in sys.stdin:
        request = json.loads(line)
        used = resource.getrusage(resource.RUSAGE_SELF)
        seconds = int(used.ru_utime + used.ru_stime) + 1 + request["seconds"]
        resource.setrlimit(resource.RLIMIT_CPU, (seconds if most < 0 else min(seconds, most), most))
        print(json.dumps(_render(environment, request)), file=answers, flush=True)


if __name__ == "__main__":
    main()
