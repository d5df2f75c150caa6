"""Numbers for Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest


class Metrics:
    """What a server did since it started; a registry of its own, since a program may run two."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "thoth_requests", "Requests by route and status.", ["route", "status"], registry=self._registry
        )
        self.seconds = Histogram("thoth_answer_seconds", "Seconds from a question to its end.", registry=self._registry)
        self.first_token = Histogram(
            "thoth_first_token_seconds", "Seconds from a question to its first token.", registry=self._registry
        )
        self.prompt_tokens = Counter("thoth_prompt_tokens", "Tokens of prompts.", registry=self._registry)
        self.cached_tokens = Counter(
            "thoth_cached_tokens", "Tokens of prompts found in a cache.", registry=self._registry
        )
        self.generated_tokens = Counter("thoth_generated_tokens", "Tokens of answers.", registry=self._registry)
        self.answers = Counter("thoth_answers", "Answers by what they stand on.", ["support"], registry=self._registry)
        self._in_flight = Gauge("thoth_questions_in_flight", "Questions in flight or waiting.", registry=self._registry)
        self._documents = Gauge("thoth_documents", "Documents in the library.", registry=self._registry)

    def text(self, in_flight: int, documents: int) -> bytes:
        """Return everything in Prometheus' text format."""
        self._in_flight.set(in_flight)
        self._documents.set(documents)
        return generate_latest(self._registry)
