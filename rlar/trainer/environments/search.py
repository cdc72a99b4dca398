"""search: retrieval by tool calls, over a file of documents by BM25 or from a retrieval server; the registry's tools judge."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

from rlar.foreign import parse_json
from rlar.rows.example import RejectedRow
from rlar.rows.read import read_objects
from rlar.tool import Resources
from rlar.trainer.environments.tools import ToolEnvironment

LONGEST = 500
"""Characters of a query."""
SHOWN = 1_000
"""Characters of a document that are shown."""
K1, B = 1.2, 0.75


class Search(ToolEnvironment):
    """One tool, `search`."""

    summary: ClassVar[str] = "retrieval from your documents (BM25) or a retrieval server by tool calls"
    offers: ClassVar[tuple[str, ...]] = ("search",)

    def __init__(
        self, resources: Resources, *, corpus: str = "", url: str = "", top: int = 3, seconds: float = 10.0
    ) -> None:
        """
        Args:
            corpus: JSONL of documents: `text` (or `contents`), and perhaps a `title`.
            url: of a server in Search-R1's shape instead, e.g. "http://127.0.0.1:8000/retrieve".
            top: documents of an answer.
            seconds: of a request to the server.
        """
        super().__init__(resources)
        if bool(corpus) == bool(url) or not 1 <= top <= 50:
            raise ValueError("search needs corpus = FILE or url = ADDRESS, one of them, and top from 1 to 50")
        self.url, self.top, self.seconds = url, top, seconds
        self.index = resources.shared(f"search:{corpus}", lambda: Index.of_file(Path(corpus))) if corpus else None

    def search(self, query: str) -> str:
        """
        Search the documents and return the best ones.

        Args:
            query: What to look for, in words.
        """
        if not query.strip() or len(query) > LONGEST:
            return f"error: a query has 1 to {LONGEST} characters"
        documents = (
            self.index.best(query, self.top) if self.index else retrieve(self.url, query, self.top, self.seconds)
        )
        shown = [f"[{place}] {text[:SHOWN]}" for place, text in enumerate(documents, 1)]
        return "\n".join(shown) or "nothing was found"


class Index:
    """Documents with the weight of every word in each: BM25 (Robertson and Zaragoza 2009), idf as in Lucene, never negative."""

    def __init__(self, documents: Sequence[str]) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import CountVectorizer

        self.documents = list(documents)
        self.words = CountVectorizer(token_pattern=r"(?u)\w+", dtype=np.float32)
        counts = self.words.fit_transform(self.documents).tocoo()
        lengths = np.bincount(counts.row, counts.data, len(self.documents))
        among = np.bincount(counts.col, minlength=counts.shape[1])  # documents with the word
        idf = np.log1p((len(self.documents) - among + 0.5) / (among + 0.5))
        norm = K1 * (1 - B + B * lengths / lengths.mean())
        counts.data = idf[counts.col] * counts.data * (K1 + 1) / (counts.data + norm[counts.row])
        self.weights = counts.tocsc()

    @classmethod
    def of_file(cls, path: Path) -> Index:
        """Raises ValueError, OSError or an RlarError for a file without documents."""
        documents = []
        for found in read_objects([path]):
            if isinstance(found, RejectedRow):
                raise ValueError(f"{found.origin}: {found.reason}")
            text, title = found.row.get("text") or found.row.get("contents"), found.row.get("title")
            if not isinstance(text, str):
                raise ValueError(f"{found.origin}: a document needs `text` (or `contents`)")
            documents.append(f"{title}\n{text}" if isinstance(title, str) and title else text)
        if not documents:
            raise ValueError(f"{path}: no documents")
        return cls(documents)

    def best(self, query: str, top: int) -> list[str]:
        """The documents with the highest scores, those without a word of the query left out; ties in the file's order."""
        import numpy as np

        columns = self.words.transform([query]).tocoo()
        scores = np.asarray(self.weights[:, columns.col] @ columns.data).ravel()
        order = np.argsort(-scores, kind="stable")[:top]
        return [self.documents[place] for place in order if scores[place] > 0]

    def close(self) -> None:
        """Nothing to let go of."""


def retrieve(url: str, query: str, top: int, seconds: float) -> list[str]:
    """The documents that a server gives. Raises what means that the environment broke: no answer, or none of this shape."""
    import httpx

    from rlar.llm.http_body import answered_until, read_body, watch_reads

    until = time.monotonic() + seconds
    body = {"queries": [query], "topk": top, "return_scores": True}
    options: Any = {"json": body, "timeout": seconds, "extensions": {"trace": watch_reads}}
    with answered_until(until), httpx.Client() as client, client.stream("POST", url, **options) as response:
        content = read_body(response, until=until)
    if response.status_code != 200:
        raise RuntimeError(f"{url} answered {response.status_code}")
    found = parse_json(content)["result"][0][:top]
    documents = [item.get("document", item) for item in found]
    return [str(document.get("contents") or document["text"]) for document in documents]
