"""A prompt as clauses: quoted material masked, abbreviations protected, each clause with its mood.

Rules match on the masked text, where everything inside quotation marks is filler, so that an instruction which is
*mentioned* (`rewrite "do not use commas"`) is not taken for one that is *given*; what was quoted is looked up by position.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property

from rlar.kinds.constraints.read.lexicon import word_set
from rlar.kinds.constraints.read.model import Constraint

FILL = "\ue000"
"""Stands for one masked character."""
DOT = "\ue001"
"""Stands for a dot that ends no sentence."""

MAX_CHARACTERS = 20_000
"""Longer prompts are read at both ends only: instructions stand there, documents in the middle."""

_CURLY = str.maketrans(
    {"“": '"', "”": '"', "„": '"', "‟": '"', "″": '"', "’": "'", "‘": "'", "‛": "'", "\u00a0": " ", "\r": " "}
)
_QUOTED = re.compile(
    r"```[^`]{0,4000}```"
    r"|\"(?=\S)[^\"\n]{0,600}(?:\n[^\"\n]{1,300}){0,8}\""
    r"|«[^»\n]{0,400}»"
    r"|「[^」\n]{0,400}」"
    r"|`[^`\n]{1,200}`"
    r"|(?<![\w'])'(?=[^\s'])(?:[^'\n]|'(?=[a-z])){0,200}'(?![a-zA-Z])"
)
_ABBREVIATION = re.compile(
    r"(?<=\s)[.!?](?=\s*+[(,]|\s++(?:as|or|and|in|to|is|are)\b)|\b(?:p\s?\.\s?p\s?\.\s?s\b\.?|p\s?\.\s?s\b\.?|p\.p\.s\.?|i\s?\.\s?e\b\.?|e\s?\.\s?g\b\.?|etc\.|vs\.|mr\.|mrs\.|ms\.|dr\.|st\.|approx\.|"
    r"max\.|min\.|no\.(?=\s?\d)|u\.s\.|a\.m\.|p\.m\.|z\.\s?b\.|ca\.|bzw\.|d\.h\.)",
    re.IGNORECASE,
)
_DOTS = re.compile(r"[.!?]")
_BOUNDARY = re.compile(
    rf"(?<=[.!?;])[\"')\]]*\s++|(?<=[.!?]{FILL}\")\s++(?=[A-Z])|(?<!\s)[^\S\n]*+\n[^\S\n]*+\n\s*+|(?<=[.!?:;])[^\S\n]*+\n\s*+|(?<!\s)[^\S\n]*+\n\s*+(?![a-z])|[。！？；]"
    r"|(?<=:)[^\S\n]++(?<!question: )(?<!phrase: )(?<!sentence: )(?<!words: )(?<!following: )(?<!with: )(?<!line: )(?=(?:[Ww]hat|[Ww]hy|[Ww]ho|[Ww]here|[Ww]hen|[Ww]hich|[Hh]ow)\b[^.\n:]{1,200}\?)"
)

_VERBS = (
    "write|give|include|use|answer|respond|reply|explain|describe|list|create|make|generate|provide|tell|compose|draft|produce|"
    "summari[sz]e|rewrite|re-write|translate|mention|add|avoid|refrain|repeat|start|begin|end|finish|conclude|close|open|wrap|put|place|enclose|"
    "surround|highlight|mark|separate|divide|split|format|output|return|limit|keep|restrict|ensure|have|capitali[sz]e|italici[sz]e|bold|name|choose|"
    "select|pick|suggest|recommend|plan|design|invent|elaborate|convert|say|state|do|don't|never|please|let|let's|leave|omit|exclude|skip|insert|"
    "incorporate|employ|print|present|structure|organi[sz]e|label|title|number|feature|stick|aim|cap|restate|copy|paraphrase|discuss|outline|"
    "compare|imagine|pretend|act|help|show|identify|classify|construct|develop|prepare|build|try|remember|note|be|go|consider|speak|spell|"
    "hallucinate|critique|analy[sz]e|define|brainstorm|turn|rephrase|edit|correct|expand|continue|complete|fill|come|stay|contain|quote|send|"
    "schreibe?|verwende|benutze|nenne|erkläre|gib|antworte|beschreibe|vermeide|beginne|beende|füge|formuliere|erstelle|fasse|"
    "escribe|escriba|usa|utiliza|incluye|evita|responde|explica|termina|empieza|comienza|redacta|haz|crea|menciona|"
    "écris|écrivez|utilise|utilisez|réponds|répondez|inclus|incluez|évite|évitez|commence|commencez|termine|terminez|rédige|rédigez|"
    "scrivi|usa|includi|evita|rispondi|inizia|spiega|escreva|use|inclua|evite|responda"
)
_DIRECTIVE = re.compile(
    rf"(?:^|[,:;(–—]\s*+|\b(?:please|and|then|also|but|or|first|finally|additionally|to|not|just|sure|kindly|bitte|por\s++favor|s'il\s++vous\s++plaît|"
    rf"lastly|next|now|always|only|simply|furthermore|moreover|so|response|answer|reply)(?:\s*+,)?\s++)(?:{_VERBS})\b"
    r"|\b(?:i\s++(?:would\s++|'d\s++)?(?:want|need|like|love|prefer|expect)|we\s++(?:want|need|would\s++like)|'d\s++(?:like|love|prefer)|would\s++(?:like|love|prefer)|i\s++don't\s++want|"
    r"not\s++allowed|allowed|permitted|required|requirements?|forbidden|prohibited|can\s++you|could\s++you|would\s++you|will\s++you|please|looking\s++for|"
    r"acceptable|banned|mandatory|make\s++sure|be\s++sure|ensure|bitte|möchte|quiero|veuillez|por\s++favor|s'il\s++vous\s++plaît|per\s++favore|"
    r"no\s++(?:other|commas?|capital|need)|(?:is|are)\s++(?:needed|necessary|expected|a\s++must))\b"
)
MODAL = re.compile(
    r"\b(?:(?:must|should|shall|need)(?:n't)?|has\s++to|have\s++to|needs?|may\s++not|may\s++only|cannot|can't|can\s++not|can\s++only|ought\s++to|supposed\s++to|expected\s++to|"
    r"soll(?:te|ten|en)?|muss|müssen|darf|dürfen|debe(?:n|s|rá|rán|ría)?|tiene\s++que|doit|doivent|devez|dois|deve|devono|devem|is\s++to|are\s++to|will)\b"
)
PERMITTED = re.compile(
    r"\b(?:(?:not|n't|isn't|aren't|never)\s++(?:(?:strictly|really|absolutely)\s++)?(?:necessary|needed|required|mandatory|obligatory)|no\s++need|(?:don't|doesn't|do\s++not|does\s++not|needn't|need\s++not)\s++(?:have|need|has)\s++to|need\s++not|needn't|unnecessary|optional)\b"
)
"""What need not be is no demand."""
_SUBJECT = re.compile(
    r"\b(?:you|it|they|there|each|every|all|words?|sentences?|paragraphs?|lines?|letters?|sections?|bullets?|points?|commas?|keywords?|phrases?|title|"
    r"wort|wörter|sätze|satz|absätze|palabras?|oraciones|párrafos?|mots?|phrases|parole|frasi|palavras|placeholders?|language|capitals?|text|"
    r"characters?|length|format|count|punctuation|numbers|digits|these|this|that|quotes|quotation|brackets|marks|case|nothing|anything|output|your|my|everything|terms?|names?|expressions?|marks?|vowels?|emojis?|hashtags?|headings?|lists?|items?|stanzas?|verses?|parts?)\b"
)
_STATEMENT = re.compile(
    r"\b(?:is|are|was|were|has|had|does|did|will|can|may|might|says?|said|contains|includes|uses|consists|went|made|took|got|used|came|became|began|"
    r"likes?|loves?|buys?|bought|sells?|sold|takes|makes|gives|gave|gets|works?|lives?|lived|wrote|writes|reads?|received|spent|earned|found)\b"
)
_QUESTION_LEAD = re.compile(
    r"^(?:and\s++|so\s++|but\s++)?(?:what|why|who|whom|whose|where|when|which|how|is|are|was|were|does|did|do\s++(?:you|i|we|they|people)|has|had|am|will\s++(?!you)|would\s++(?!you)|should\s++i|can\s++(?!you))\b"
)
_RESPONSE_NOUN = re.compile(
    r"\b(?:response|answer|reply|output|essay|poem|story|article|letter|email|summary|text|post|song|tweet|paragraph|message|description|list|"
    r"review|speech|script|report|blog|resume|pitch|riddle|joke|haiku|limerick|rap|proposal|advertisement|ad|plan|itinerary|dialogue|outline|"
    r"antwort|text|respuesta|réponse|risposta|resposta|texto|texte)\b"
)
_SUBCLAUSE = re.compile(
    r"(?:\s*+,)?\s++(?=(?:but|while|however|yet)\b)"
    r"|(?<!start)(?<!begin)(?:\s*+,)?\s++(?=and\s++(?:please\s++|also\s++|then\s++|finally\s++|the\s++response\s++|your\s++\w+\s++|it\s++)*"
    r"(?:do|don't|never|use|using|make|include|includes|avoid|highlight|wrap|must|should|shall|end|ends|start|starts|begin|begins|refrain|write|mention|add|contain|contains|"
    r"put|finish|finishes|keep|limit|ensure|have|has|without|no\b(?!\s++(?:more|less|fewer))|italicize|separate|repeat|answer|respond|format|that\s++you|there\s++should|the\s++(?:word|letter|response|answer|text)|i\s++(?:want|need|would)|your\s++(?:entire\s++|whole\s++)?(?:response|answer|reply|output)|"
    r"capitalize|bold|be\s++|in\s++all|refer|give|provide|place|enclose|conclude|close|insert|exclude|omit)\b)"
    r"|,\s++(?=(?:do\s++not|don't|without|make\s++sure|and\s++do|end\s++with|ending\s++with|use|include|with\s++(?:at|no|exactly|less|more|fewer)|no\s++\w+\s++(?:is|are)|must|should|wrap|avoid|starting|please|just|in\s++(?:all|exactly|at|less|under|lower|upper))\b)"
)

NEGATION = re.compile(
    r"\b(?:not|n't|don't|do\s++not|never|avoid(?:ing|s)?|refrain(?:ing|s)?|without|no|none|cannot|can't|shouldn't|mustn't|won't|doesn't|neither|nor|"
    r"exclud(?:e|es|ing)|omit(?:ting|s)?|leave\s++out|leaving\s++out|steer\s++clear|stay\s++away|keep\s++out|free\s++(?:of|from)|devoid|ban(?:ned)?|"
    r"forbidden|prohibited|disallowed|skip(?:ping)?|eschew(?:ing)?|instead\s++of|lacking|lacks|absent|nicht|kein(?:e|en|er|es)?|ohne|vermeide[nt]?|niemals|"
    r"sin|nunca|evit(?:a|e|ar|ando|ez|er)|sans|ne|pas|jamais|aucune?|senza|non|sem|não|nem)\b|-free\b"
)
_NOT_NEGATION = re.compile(
    r"\b(?:not\s++only|no\s++(?:matter|later|need|more\s++than|less\s++than|fewer\s++than|longer\s++than)|not\s++(?:more|less|fewer)\s++than|why\s++not|not\s++just|(?:not|n't|never)\s++(?:forget|hesitate|fail)|no\s++other)\b|\bdon't\s++(?:forget|hesitate|fail)\b"
)


@dataclass(frozen=True)
class Clause:
    """A stretch of the prompt that holds one instruction or statement."""

    text: str
    """Masked and lower-cased; same length as the original stretch."""
    start: int
    end: int
    directive: bool
    """It asks for something (imperative, modal, request, or a verbless fragment such as "No commas.")."""
    question: bool
    """It is a question about the world ("Why is ...?")."""
    words: frozenset[str]
    mooded: bool = True
    """Whether `directive` and `question` were looked at; a clause that no rule would read has neither."""

    def negated_before(self, position: int, reach: int = 60) -> bool:
        """Whether a negation governs what stands at `position`."""
        window = self.text[max(0, position - reach) : position]
        window = _NOT_NEGATION.sub(" ", window)
        return NEGATION.search(window) is not None


_BREAK = re.compile(r"(?<![ \t])[ \t]*+\n[ \t\n]*+")
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")


def lowered(text: str) -> str:
    """The text in lower case, with as many characters as before."""
    lowered = text.lower()
    if len(lowered) == len(text):
        return lowered
    return "".join(low if len(low := character.lower()) == 1 else character for character in text)


@dataclass
class Doc:
    """A prompt, ready for the rules."""

    original: str
    """Quotation marks straightened; otherwise the prompt's own words."""
    interesting: frozenset[str] = frozenset()
    """A clause without any of these words is not worth telling its mood (it gets none); empty: all are."""
    masked: str = field(init=False)
    lower: str = field(init=False)
    quotes: dict[int, str] = field(init=False)
    """Start of each masked stretch (its opening mark) -> what stands inside."""

    def __post_init__(self) -> None:
        text = self.original
        if len(text) > MAX_CHARACTERS:
            half = MAX_CHARACTERS // 2
            text = text[:half] + "\n\n" + text[-half:]
        self.original = text.translate(_CURLY)
        self.quotes = {}
        pieces: list[str] = []
        at = 0
        for match in _QUOTED.finditer(self.original):
            start, end = match.span()
            width = 3 if match.group().startswith("```") else 1
            inner = self.original[start + width : end - width]
            self.quotes[start] = inner
            # The last character stays visible when it ends a sentence, so that the clause can end there too.
            pieces.append(self.original[at:start] + '"' * width + FILL * len(inner) + '"' * width)
            if inner[-1:] in (".", "!", "?") and len(inner) > 1:
                pieces[-1] = pieces[-1][: -width - 2] + inner[-1] + FILL + '"' * width
            at = end
        pieces.append(self.original[at:])
        masked = "".join(pieces)
        self.masked = _ABBREVIATION.sub(lambda m: _DOTS.sub(DOT, m.group()), masked)
        self.lower = lowered(self.masked)

    @cached_property
    def clauses(self) -> tuple[Clause, ...]:
        return tuple(self._split())

    def _split(self) -> Iterator[Clause]:
        at = 0
        edges = [match.span() for match in _BOUNDARY.finditer(self.masked)]
        for start, end in [*edges, (len(self.masked), len(self.masked))]:
            if start > at:
                yield from self._subclauses(at, start)
            at = end

    def _subclauses(self, start: int, end: int) -> Iterator[Clause]:
        text = self.lower[start:end]
        if not text.strip():
            return
        words = frozenset(_WORD.findall(text))
        if self.interesting and self.interesting.isdisjoint(words):
            yield Clause(text, start, end, False, False, words, False)
            return
        directive, question = mood(text)
        directive = directive and self._addresses_response(text, start)
        lead = _CONDITION.match(text)
        at = 0
        if lead is not None and directive:
            yield Clause(
                text[: lead.end()], start, start + lead.end(), False, question, frozenset(_WORD.findall(lead.group()))
            )
            at = lead.end()
        for cut in [*(match.end() for match in _SUBCLAUSE.finditer(text)), len(text)]:
            if cut > at:
                part = text[at:cut]
                yield Clause(
                    part,
                    start + at,
                    start + cut,
                    directive,
                    question,
                    words if cut - at == len(text) else frozenset(_WORD.findall(part)),
                )
            at = cut

    def with_mood(self, clause: Clause) -> Clause:
        """The clause with its mood told, whatever words it has."""
        directive, question = mood(clause.text)
        directive = directive and self._addresses_response(clause.text, clause.start)
        return replace(clause, directive=directive, question=question, mooded=True)

    @cached_property
    def material_from(self) -> int:
        """Where a text to work on (to summarise, translate, rewrite) begins; the prompt's length when there is none."""
        for match in _BREAK.finditer(self.lower):
            head = self.lower[max(0, match.start() - 400) : match.start()]
            line = head.rsplit("\n", 1)[-1]
            if _MATERIAL_LEAD.search(line) is not None and (
                line.rstrip().endswith(":") or ("\n" in match.group().strip(" ") and match.group().count("\n") > 1)
            ):
                return match.end()
        return len(self.lower)

    @cached_property
    def is_french(self) -> bool:
        """French function words stand in it ("phrases" then means sentences)."""
        return len(_FRENCH.findall(self.lower[:2000])) >= 3

    def _addresses_response(self, text: str, start: int) -> bool:
        if _CODE.search(text) is not None:
            return False
        about = _ABOUT_RESPONSE.search(text) is not None
        if start >= self.material_from and not about:
            return False
        return about or _PROGRAMMING.search(text) is None

    def quote_at(self, position: int) -> str | None:
        """What is quoted where a quotation mark opens at `position`."""
        return self.quotes.get(position)

    def words_of(self, start: int, end: int) -> str:
        """The prompt's own words."""
        return self.original[start:end].strip()


_CONDITION = re.compile(
    r"\s*+(?:if|when|while|whenever|although|since|given\s++that|suppose|because)\b[^,]{3,200},\s*+(?:then\s++)?"
)
IMPERATIVE = re.compile(
    r"(?:(?:please|also|then|and|now|next|finally|kindly|just)\s++)*([^\W\d_]{2,14})\s++(?:an?|the|this|that|these|those|my|your|me|us|about|on|for|in|to|with|how|what|why|one|two|three|four|five|some|any|all|"
    r"each|every|it|them|out|up|clear|of|from|between|over|into|at|by|everything|nothing|yourself|only|no|not)\b"
)
NO_VERB = word_set(
    "the this that these those he she it we they you i there here a an my your his her its our their who what which when where why how if in on at by for "
    "from with to of about into over under after before during since until as like unlike and or but so because although while one two three "
    "people man woman part kind type lot all some any many much most few each every both another other half people everyone someone nobody "
    "is are was were be been has have had do did will would can could may might not no yes hello hi hey dear thank given based"
)
_FRENCH = re.compile(
    r"\b(?:les|des|une|est|dans|pour|avec|sur|sans|votre|ton|ta|réponse|doit|plus|moins|au|du|écris|écrivez|réponds|que|qui|pas|et|la|le|un|en)\b"
)
_FORM_VERB = re.compile(
    r"\s*+(?:not\s++|also\s++|only\s++|all\s++|n't\s++|always\s++|never\s++|at\s++least\s++)*(?:be|contain|include|have|use|start|end|begin|appear|consist|mention|feature|finish|conclude|exceed|comprise|open|close|occur|show|say|read|follow|stay|enthalten|contener|contenir)\b"
)
_THE_SUBJECT = re.compile(
    r"\b(?:the|your|this|each|every|its|all|both|these|those|any|no|der|die|das|el|la|los|las|le|les|il|lo|o|a)\s++(?:\S+\s++){1,6}$"
)
_INNER_QUESTION = re.compile(
    r"(?:^|[,;:]\s*+)(?:then\s++|and\s++|(?:in|for|at|to|of|on|by|from|with)\s++)?(?:how\s++(?:many|much|long|far|old|often)|what|which|who|whom|where|when|why|(?<!:\s)(?:is|are|was|were|does|did|has|had)\s++(?:the|this|it|that|he|she|there|an?|these|those))\b"
)
_FRAGMENT_CUE = re.compile(
    r"^(?:no|without|only|all|entire(?:ly)?|at|less|fewer|more|exactly|max\w*|min\w*|under|over|between|with|in|using|not|never|approximately|length|format|language|"
    r"keywords?|words?|\w+\s++words?|lower\w*|upper\w*|commas?|title|style|output|response|answer|keine?|ohne|nur|mindestens|höchstens|maximal|genau|sin|solo|al\s++menos|máximo|sans|"
    r"au\s++moins|maximum|senza|sem|p\ue001|forbidden|required|banned|mandatory|\d)"
)


def mood(text: str) -> tuple[bool, bool]:
    """(asks for something, is a question about the world)."""
    stripped = text.strip(" \t*-•\"'()[]#>.")
    is_question = text.rstrip(" \"')").endswith("?") and (
        _QUESTION_LEAD.search(stripped) is not None or _INNER_QUESTION.search(stripped) is not None
    )
    if is_question and not re.search(r"\b(?:please|make\s++sure|can\s++you|could\s++you)\b", stripped):
        return False, True
    numberless = stripped.lstrip("0123456789.) ")
    if _DIRECTIVE.search(numberless) is not None:
        return True, is_question
    opening = IMPERATIVE.match(numberless)
    if (
        opening is not None
        and opening.group(1) not in NO_VERB
        and not opening.group(1).endswith(("s", "ed", "ing", "ly", "tion", "ity", "ness"))
    ):
        return True, False
    modal = MODAL.search(stripped)
    if modal is not None:
        before = stripped[: modal.start()]
        after = stripped[modal.end() : modal.end() + 40]
        formal = _FORM_VERB.match(after) is not None and _THE_SUBJECT.search(before) is not None
        return not before.strip() or formal or _SUBJECT.search(before) is not None or _RESPONSE_NOUN.search(
            before
        ) is not None, False
    is_fragment = (
        len(stripped.split()) <= 14
        and _STATEMENT.search(stripped) is None
        and _FRAGMENT_CUE.match(stripped) is not None
    )
    return is_fragment, False


_PROGRAMMING = re.compile(
    r"\b(?:function|program|script|method|regex|regular\s++expression|algorithm|query|class|subroutine|procedure|lambda|python\s++code|code\s++snippet|webpage|web\s++page|html\s++page|app|application|bot|schema)s?\s++"
    r"(?:to|that|which|where|for|whose|in|takes?|should|must|using|called|named|with)\b"
)
_ABOUT_RESPONSE = re.compile(
    r"\b(?:your|the|entire|whole|this|my|ihre|deine|die|tu|su|la|votre|ta|sua)\s++(?:entire\s++|whole\s++|final\s++|complete\s++|gesamte\s++)?(?:response|answer|reply|output|rewrite|version|summary|translation|antwort|respuesta|réponse|risposta|resposta)\b|\bplease\b|"
    r"\b(?:make\s++sure|do\s++not|don't)\b"
)
_CODE = re.compile(
    r"^\s*+(?:assert\b|def\s|import\s|from\s++\w+\s++import|print\(|>>>|select\s.*\sfrom\s)|==|\w\(\w*[\"'(,)]|[{}]\s*+$|\);\s*+$|\$[^$]*\\\\"
)
_MATERIAL_LEAD = re.compile(
    r"\b(?:(?:following|given|this|below|provided|next)\s++(?:\w+\s++){0,2}?(?P<n1>text|sentences?|passage|paragraphs?|article|story|dialogue|conversation|email|code|poem|haiku|content|document|review|tweet|statement|data|"
    r"information|abstract|letter|transcript|lyrics|report|post|message|excerpt|news|description|joke|song|facts|notes|summary)|(?:text|sentences?|passage|paragraph|article|story|dialogue|conversation|document|content|review)\s++(?:below|here|that\s++follows))\b"
)


def quote_of(doc: Doc, clause: Clause) -> str:
    """The words of a clause, as a Constraint that was read from it quotes them."""
    return doc.words_of(clause.start, clause.end)[:300]


def constraint_of(
    doc: Doc, clause: Clause, kind: str, *, strength: str = "hard", confidence: float = 1.0, **params: object
) -> Constraint:
    """A Constraint read from this clause; params that are None are left out."""
    return Constraint(
        kind=kind,
        params={key: value for key, value in params.items() if value is not None},
        quote=quote_of(doc, clause),
        strength="soft" if strength == "soft" else "hard",
        confidence=confidence,
    )
