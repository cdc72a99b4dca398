"""What no rule read: the clauses that ask something of the response's form and whose words no reading accounts for.

A rule that hits a pattern has read a demand only if it accounts for the whole clause: "the word lantern in the 12th
sentence" is not read by "include lantern". So every clause is counted word by word. Words that ask for nothing
(`vocabulary.FILLER`), words that a reading takes up, and what the response is to be about are spent; a demand with
anything left is *unread*, and stays with the row.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import replace

from rlar.kinds.constraints.read.lexicon import NUMBER, ORDINALS, UNITS, number, word_set
from rlar.kinds.constraints.read.manner import (
    FORM_WORDS,
    TAIL_WORDS,
    TEXT_WORDS,
    content_spans,
    is_quality,
    manner_spans,
    speaks_of_form,
)
from rlar.kinds.constraints.read.model import Constraint
from rlar.kinds.constraints.read.reading import FILL, IMPERATIVE, MODAL, NO_VERB, PERMITTED, Clause, Doc, constraint_of
from rlar.kinds.constraints.read.repeat import talks_of_repeating
from rlar.kinds.constraints.read.vocabulary import (
    FILLER,
    NEGATING,
    NUMERIC,
    accounted_for,
    is_negative,
    numbers_of,
    texts_of,
)

Read = Sequence[tuple[Clause, Sequence[Constraint]]]

_TOKEN = re.compile(
    rf"[\"'`«「]{FILL}++[\"'`»」.!?]|[^\W\d_]++(?:['-][^\W\d_]++)*+|\d++(?:[.,]\d++)*+(?:st|nd|rd|th)?+"
)

_CONTENT_VERB = re.compile(
    r"(?:(?:^\W*+|\b(?:and|to|please|then|you|also|just|i|we|i'd|would)\s++)(?:list(?:s|ing)?|name|report|review|plan|design|show|state|present(?:s|ing)?|help|act|draft|cover(?:s|ing)?|address(?:es|ing)?|offer(?:s|ing)?|pitch|like|need|want|find|edit|correct|build|ask|know|focus(?:es|ing)?)|\b(?:writ(?:e|ing|es)|re-?writ(?:e|ing)|compos(?:e|ing)|creat(?:e|ing)|generat(?:e|ing)|giv(?:e|es|ing)|provid(?:e|ing)|explain(?:s|ing)?|describ(?:e|es|ing)|tell(?:s|ing)?|suggest|recommend|discuss(?:es|ing)?|summari[sz](?:e|es|ing)|"
    r"translat(?:e|ing)|paraphras(?:e|ing)|rephras(?:e|ing)|compar(?:e|es|ing)|improv(?:e|ing)|polish(?:ing)?|proofread(?:ing)?|simplify(?:ing)?|demonstrat(?:e|es|ing)|elaborat(?:e|ing)|brainstorm|come\s++up|produc(?:e|ing)|imagin(?:e|ing)|pretend|consider|analy[sz](?:e|ing)|defin(?:e|ing)|identify|"
    r"find|solv(?:e|ing)|calculat(?:e|ing)|convert|expand|continu(?:e|ing)|complet(?:e|ing)|talk(?:s|ing)?|outlin(?:e|ing)|prepar(?:e|ing)|develop|invent|hallucinate|critique|"
    r"critici[sz]e|argue|introduce|congratulate|announce|invite|persuade|convince|teach|choose|pick|select|classify|advise|celebrat(?:e|ing)|"
    r"needs?|looking\s++for|mak(?:e|es|ing)(?=\s++(?:an?|me|up|some)\b)|return(?=\s++(?:the|a|all)\b)|is\s++(?:needed|wanted|required)(?=\s++for)|do\s++you|could\s++you|be\s++for|refers?|sells?|"
    r"schreibe?|erkläre|beschreibe|nenne|gib|erstelle|verfasse|erzähle|fasse|escrib[ae]|explica|describe|redacta|crea|cuenta|da|haz|resume|écri[sv]\w*|explique[rz]?|décri[sv]\w*|rédige[rz]?|raconte[rz]?|donne[rz]?|scrivi|spiega|descrivi|racconta|escreva|explique|descreva|conte))\b"
)
"""A clause whose first verb is one of these says what the response is to be about."""
_FORM_VERB = re.compile(
    r"\b(?:us(?:e|es|ed|ing)|avoid|refrain|keep(?:s|ing)?|start(?:s|ing)?|begin(?:s|ning)?|end(?:s|ing)?|finish(?:es|ing)?|conclud(?:e|es|ing)|clos(?:e|es|ing)|open(?:s|ing)?|wrap|put|place|enclos(?:e|ing)|surround|highlight|mark|separat(?:e|ed|ing)|"
    r"divid(?:e|ed|ing)|split|format|output|return|limit|restrict|capitali[sz](?:e|ed|ing)|itali(?:c|cs|ci[sz]e|ci[sz]ed)|bold|repeat(?:s|ed|ing)?|restate|copy|insert|employ|structure|organi[sz]e|label|title|number|sign|alternat(?:e|es|ing)|"
    r"rhym(?:e|es|ing)|order|arrange|sort|indent|underline|spell|be|is|are|must|should|shall|may|has\s++to|have\s++to|needs?\s++to|answer|respond|reply|speak|say|appear|occur|follow|exceed|stay|let|do|don't|stick|no|without|only|each|every|"
    r"verwende|benutze|beginne|beende|antworte|vermeide|usa|utiliza|empieza|termina|responde|incluye|evita|utilise[rz]?|commence[rz]?|termine[rz]?|répond\w*|inclu[sr]\w*|évite[rz]?|rispondi|inizia|includi|evite|responda|soll|muss|darf|debe[n]?|doit|doivent|deve|devono)\b"
)

_FORM_PHRASE = re.compile(
    r"\b(?:(?:capital|small|same|different|first|last|second|third|next|every|each|other|single|no|final|letter)\s++letters?|letter\s++[b-hj-z](?!\w)|(?:each|every|first|second|third|fourth|fifth|last|final|next|other|alternate|\d++(?:st|nd|rd|th))\s++(?:line|sentence|word|paragraph|bullet|item|section|stanza|verse|part|heading|step|row|entry)|"
    r"(?:first|second|third|last|other|previous|next|final)\s++one|(?:even|odd|equal|same|prime|total)\s++(?:number|amount|count)|at\s++the\s++(?:very\s++)?(?:end|beginning|start|top|bottom)\b|(?:foreign|another|other|different|second)\s++languages?|other\s++than|code\s++block|blank\s++line|line\s++break|empty\s++line|[abcd]{4,8}\b|right\s++to\s++left|upside\s++down|inside\s++out|back\s++to\s++front|write\s++(?:(?:all|any|the|every|out)\s++)*+(?:numbers?|dates?|years?|abbreviations?|figures|names)|(?:state|give|express|write|show|list|put)\s++(?:all|any|every|each)\s++\w++\s++(?:in|as)\b|in\s++(?:the|an?)\s++(?:\w++\s++)?order\b|reverse\s++order|(?:in|same)\s++order|exclamation\s++(?:mark|point)|question\s++mark|full\s++stop|passive\s++voice|active\s++voice|(?:first|second|third)\s++person|"
    r"(?:longer|shorter|more|fewer|less)\s++than\s++(?:the|any|one|its|all)\b|only\s++(?:once|use|words?|the)|exactly|at\s++least|at\s++most|no\s++(?:more|fewer|less)\s++than|fewer\s++than|a\s++maximum\s++of|a\s++minimum\s++of|mindestens|höchstens|al\s++menos|como\s++máximo|au\s++moins|au\s++plus|almeno|pelo\s++menos)\b"
)
_FORM_SHAPE = re.compile(r"\bin\s++(?:the\s++|an?\s++)?(?P<which>\w++)\s++(?:format|order|tense)\b")
_MANNER = re.compile(r"\busing\b(?!\s++(?:markdown|the\s++following)\b)")
"""How, not what: what follows is no topic."""
_MODIFIES = re.compile(
    r"\W*+(?:(?:but|yet|though)\s++(?:please\s++)?[^\W\d_]++\s++(?:them|it|the|both|those|these|all|each|every|your|no|an?)\b|(?:and|then)\s++(?:(?:please|also|then)\s++)*+[^\W\d_]++\s++(?:them|both|those|these|the\s++two)\b)"
)
"""It goes on about what the clause before it asks for: "include red and blue, but keep them apart"."""
_IMPERATIVE_LEAD = re.compile(
    r"\W*+(?:(?:please|also|and|but|then|finally)\b\W*+)*+(?:includ|add|insert|put|plac|us|giv|mention|leav|swap|replac|substitut|keep|mak|follow|prefix|suffix|mark|order|sort|number|underlin|indent|skip|drop)(?:e|ing)?\b"
)
_ORDINAL = re.compile(rf"(?<!\w)(?:{'|'.join(ORDINALS)})(?!\w)")
_TAIL = re.compile(r"\b(?:with|in|using|as|without|so\s++that|such\s++that|where|whose|that|mit|con|avec|en)\b")
"""Behind it a topic may be over, and say how it is to be put."""
_NESTED = re.compile(
    rf"\b(?:{'|'.join(UNITS[unit] for unit in ('word', 'sentence', 'paragraph', 'line', 'stanza', 'bullet'))})\s++(?:of|with|containing|having|that\s++(?:have|has|contain))\s++(?:[a-z]++\s++){{0,3}}?{NUMBER}\s++(?:(?!new\b|blank\b|empty\b)[a-z]++\s++)?(?:{'|'.join(UNITS[unit] for unit in ('word', 'sentence', 'line', 'letter', 'syllable', 'character'))})\b"
)
"""Amounts within amounts ("words of at most three letters")."""
_MATERIAL = re.compile(
    r"\b(?:following|given|this|that|above|below|provided|previous|original|these|those|(?<=of\s)the|my)\s++(?:\w++\s++)?(?:sentences?|words?|paragraphs?|texts?|passages?|phrases?|lines?|bullets?|keywords?|headings?|noun|verb|stanzas?)\b(?!\s++(?:must|should))|\bthe\s++(?:sentence|paragraph|phrase|words?|term|text)\s*+(?=[:\"'`«])|\b(?:this|the|my|following|above|below)\s++questions?\b(?!\s++mark)|\bletters\s++(?:to|from)\b|\bword\s++problem\b|\bcover\s++letters?\b|\bin\s++other\s++words\b|\bwords\s++of\s++wisdom\b"
)
_EXAMPLE = re.compile(
    r"(?:\bsuch\s++as\b|\bi[.\ue001]?\s?e\b|\be[.\ue001]?\s?g\b|\bfor\s++(?:example|instance)\b|\bexamples?\s*+:|\be\.?x\.?\s*+:|\bz[.\ue001]\s?b\b|\bpor\s++ejemplo\b|\bpar\s++exemple\b|\blike\s*+:|\blike\s++(?:this\b|so\b|(?=[\"'`*\[<#]))|\bas\s++(?:in\b|if\s++(?:it|they)\s++(?:was|were)\s++(?=[\"'`]))|\busing\s++the\s++format\b).*",
    re.DOTALL,
)
_ZONE_ENDS = (
    r"in\s++(?:which|exactly|at\s++least|at\s++most|less|fewer|more|under|no|all|the\s++(?:form|style|voice)|lower|upper|capital|alphabetical|ascending|descending|reverse|\d|one|two|three|four|five|six|seven|eight|nine|ten|only|title|json|markdown|bold|italics?)|"
    r"with|using|without|where|whose|while|so\s++that|such\s++that|in\s++such|from\s++right|and\s++\w++\s++(?:at\s++least|exactly|no|every|each|the\s++(?:word|letter|phrase))|but|must|should|that\s++(?:is|are|has|have|contains?|uses?|starts?|begins?|ends?|does|do|doesn't|don't|isn't|aren't|cannot|can't)|"
    r"mit|ohne|con|sin|avec|sans|in\s++genau|en\s++exactamente|every|each|no\s++word|at\s++(?:least|most)|exactly|mindestens|höchstens"
)
_TOPIC = re.compile(
    r"(?:\b(?:about|regarding|concerning|describing|explaining|discussing|(?:on|of)\s++the\s++(?:topic|subject|theme)|titled|called|named|entitled|topic\s*+:|subject\s*+:|to\s++describe|über|sobre|acerca\s++de|au\s++sujet\s++de|su|sur|sull[aoe]|"
    r"(?:essay|poem|story|text|note|article|song|speech|report|letter|email|post|review|summary|haiku|limerick|rap)\s++(?:on|of))\b|(?:\b(?:explain|describe|tell\s++me|discuss)\s++(?:why|how|what|when|where|who|which|whether)|:\s*+an?|[,:]\s*+(?:explain|describe|tell|summari[sz]e|discuss|name|list|why|how|what|when|where|who|which|is|are|do|does|can|warum|wie|was|welche|por\s++qué|qué|cómo|pourquoi|comment|que|perché|come))\b)"
    r"(?!\s++(?:\d|at\b|exactly|each|every|the\s++(?:first|last)|your|not\b|be\b|have\b|include\b|use\b))"
    rf"(?:(?!\b(?:{_ZONE_ENDS})\b)[^,;:.!?(\n])++"
)
_PURPOSE = re.compile(
    rf"\b(?:for|(?<!want\s)(?<!like\s)(?<!need\s)(?<!love\s)(?<!wish\s)to)\b(?:(?!\b(?:{_ZONE_ENDS})\b)[^,;:.!?(\n])++"
)
"""Whom or what a response is for: told where a clause asks for content."""
_CONDITION = re.compile(
    r"\s*+(?:if|unless|whenever|in\s++case|only\s++if|wenn|falls|si)\b(?!\s++(?:possible|you\s++(?:can|like|want|wish)))"
)
_IMPERATIVE_NEGATION = re.compile(
    r"\bwithout\b|\bavoid\w*\b|(?:^|\band|\bbut|[,;])\s*+(?:please\s++)?(?:do\s++not|don't|never)\b"
)
_UNIT = re.compile(rf"\b(?:{'|'.join(UNITS.values())})\b")
_AVOID_MORE = re.compile(r"avoid\w*+\b[^,;.:]*?\bmore\s++than\b")
_REMINDER = re.compile(r"\b(?:do\s++not|don't|never)\s++forget\b")
"""A denial that denies nothing: "don't forget to include" asks to include."""
_NEUTRAL = word_set(
    "separate separated individual full complete whole total main text markdown such of the different distinct word-long key more new possible individual bullet other single english"
)
_NUMBER_WORD = re.compile(r"\d++(?:[.,]\d++)*+")
_NOUNS_ALIKE = re.compile(r"or\s++(?:words|phrases|sentences|sections|parts|keywords|terms|points|italics|bold)\b")
"""Two names for what is counted: \"some words or phrases\"."""
_OR = re.compile(r"\b(?:or|either|oder|ou|o|nor)\b")
_VACUOUS = re.compile(
    r"\s*+(?:please\s++|also\s++|and\s++|so\s++|but\s++|just\s++)*(?:be\s++(?:creative|sure|careful|specific|detailed|concrete|helpful)|feel\s++free|take\s++your\s++time|good\s++luck|thank\w*|let's\s++(?:go|begin|start)|make\s++sure\s++(?:to\s++)?follow\b.*|(?:follow|use|see)\s++the\s++(?:\w++\s++){0,3}?(?:example|format|template)s?\s++(?:above|below|given|shown)|think(?:\s++(?:first|hard|carefully|step\s++by\s++step|it\s++through|about\s++it))++|follow\b.*\binstructions|you\s++can\b.*|it's\s++ok\b.*|you\s++(?:may|do\s++not\s++(?:have|need)\s++to|don't\s++(?:have|need)\s++to)\b.*|no\s++need\b.*|(?:(?:for|one|an|another)\s++)?example(?:\s++\w++)?\s*+:)[\s.!,]*+$"
)
_ORDERED = re.compile(
    r"\W*+(?:(?:please|also|and|but|then|finally|always|only|just|so|now|make\s++sure\s++(?:to|that|you)|be\s++sure\s++to|do\s++not|don't|never|avoid|refrain\s++from)\b\W*+)*+(?:us(?:e|ing)|start(?:ing)?|begin(?:ning)?|end(?:ing)?|finish(?:ing)?|without|every|each|no\s++\w++\s++(?:must|should|may|can|is|are)|"
    r"answer|respond|reply|speak(?!\s++(?:of|about|to)\b)|wrap|format|alternate|repeat|insert|replac(?:e|ing)|capitali[sz]e|spell|verwende|benutze|antworte|usa|utiliza|responde|utilise[rz]?|répond\w*|rispondi)\b"
)
"""An order that shapes the response, whatever it names."""
_OPEN = re.compile(
    r"\b(?:up\s++to\s++you|your\s++(?:own\s++)?choice|feel\s++free|free\s++to|as\s++you\s++(?:like|please|wish)|whatever\s++you\s++(?:like|want))\b"
)
"""Left to the writer."""
_TEMPLATE = re.compile(r"\s*+(?:[*•\[<#|-]|\d{1,2}[.)]|[^\n]{1,80}(?:\.\.|…)\s*+$)")
"""A line that shows what the response is to look like."""
_NARRATIVE = re.compile(
    r"\W*+(?:(?:so|and|but|hi|hello|hey|well)\b\W*+)*+(?:i|i'm|i've|we|we're|my|our|he|she|they|there|here|there's|(?:it|this|that)(?:'s|\s++is)(?=\s++(?:an?|the|my|our)\b)|(?:it|this|that)\s++(?:will|would|was|had)|(?:remember|note|keep\s++in\s++mind|assume|suppose|imagine|recall)(?:\s++that)?\s++(?=(?:the|an?|my|our|you|he|she|we|they|there|it)\b))\b(?!.*\b(?:must|should|shall|need|needs|want|like|love|prefer|expect|insist|ask|request|require|wish|only|has\s++to|have\s++to)\b)",
    re.DOTALL,
)
"""A sentence that tells of somebody, and asks for nothing."""
_COMES = re.compile(
    r"\b(?:comes?|goes|stands?|follows?|precedes?)\b[^.;]{0,40}\b(?:first|last|before|after|next|second)\b"
)
_SUBJECT_LEAD = re.compile(r"\W*+(?:the|all|every|each|no|any|both|none|neither|one|some|two|three|half|most|only)\b")
_RULED = re.compile(
    r"\W*+(?:the|all|every|each|no|any|both|none|neither|one|some|two|three|half|most|only|it|this|these|your|its|there|nothing)\b[^.!?\n]{0,80}?\b(?:must|has\s++to|have\s++to|needs\s++to|may\s++not|cannot)\b"
)
_IN_RESPONSE = re.compile(
    r"[^,;:]*?\b(?:in|throughout|within)\s++(?:your|the|this)\s++(?:\w++\s++)?(?:answer|response|reply|output)\b"
)
_FOREIGN_LEAD = re.compile(
    r"\W*+(?:\w++\s++){0,2}?(?:schreibe?|erkläre|beschreibe|nenne|gib|erstelle|verfasse|erzähle|escrib[ae]|explica|redacta|crea|cuenta|haz|écri[sv]\w*|explique[rz]?|décri[sv]\w*|rédige[rz]?|raconte[rz]?|donne[rz]?|scrivi|spiega|descrivi|racconta|escreva|descreva|conte)\b"
    r"(?:\s++(?:mir|me|moi|mi)\b)?(?P<object>\s++(?:un|una|une|ein|eine|einen|das|der|die|den|el|la|los|las|le|les|il|lo|um|uma|o|os|as)\s++[^\W\d_]++)?"
)
_RESPONSE_OBJECT = re.compile(
    r"\w++\s++(?:(?:me|us)\s++)?(?:your|the|this)\s++(?:entire\s++|whole\s++|final\s++|full\s++)?(?:answer|response|reply|output|text|result)\b|(?:writ|giv|provid|present|mak)\w++\s++(?:it|everything|only)\b"
)
_OF_RESPONSE = re.compile(
    r"\b(?:it|(?:the|your|this|each)\s++(?:\w++\s++)?(?:response|answer|reply|output|text|tone|style|language|essay|poem|story|letter|email|summary|article|song|tweet|paragraph|message|description|review|speech|script|report|post|riddle|joke|haiku|limerick|rap|ad|list|title|antwort|respuesta|réponse))\s++"
    r"(?:must|should|shall|needs?\s++to|has\s++to|is\s++to|may|can\s++(?:only|not)|cannot|soll|muss|darf|debe|doit|deve)\b"
)
MOST_CHARACTERS = 2_000
MOST_FINDINGS = 24
"""Nobody puts more into one clause: what does is not taken for read."""
_ELABORATED = frozenset(
    (
        "ends_with",
        "language",
        "parts",
        "postscript",
        "title",
        "sections",
        "quoted",
        "structured",
        "bullet",
        "highlight",
        "placeholder",
        "hashtag",
        "one_of",
    )
)
"""What a later clause may explain further ("No other words should follow this phrase.")."""
_ANGLED = re.compile(r"<<([^<>\n]{1,80})>>")
_SPOKEN = re.compile(r"[^\W\d_]")
_LATIN = re.compile(r"[a-zA-ZÀ-ɏ]")


def unread_demands(doc: Doc, read: Read) -> Iterator[Constraint]:
    """One `unsupported` for every clause that asks for more of the form than its readings account for."""
    # Without a reading nothing is decided here: only what is clearly about the form is kept, for another reader.
    everywhere = [each for _clause, findings in read for each in findings]
    repeats = any(each.kind == "repeat" for each in everywhere)
    decides = any(each.strength == "hard" for each in everywhere)
    single = {str(each.params["unit"]) for each in everywhere if each.kind == "count" and each.params.get("max") == 1}
    elaborated = [each for each in everywhere if each.kind in _ELABORATED or each.params.get("unit") in _ELABORATED][
        :MOST_FINDINGS
    ]
    condition = read_until = -1
    listed = False
    for clause, findings in _joined(read):
        # A sample of the list that was asked for: "* Bullet point 1".
        blank = _SPOKEN.search(clause.text) is None
        sample = listed and not clause.directive and _TEMPLATE.match(clause.text) is not None
        listed = sample or (listed and blank) or clause.text.rstrip().endswith(":")
        if sample or blank:
            continue
        conditional = clause.start == condition
        condition = clause.end if _CONDITION.match(clause.text) and not findings else -1
        if repeats and talks_of_repeating(clause):
            continue
        if decides and not clause.mooded:
            clause = doc.with_mood(clause)
        if not decides and not (_ORDERED.match(clause.text) or _OF_RESPONSE.search(clause.text)):
            continue
        modifies = clause.start == read_until and _MODIFIES.match(clause.text) is not None
        read_until = clause.end if findings else -1
        left = _left(doc, clause, findings, elaborated, single, modifies=modifies)
        if conditional and findings:
            left = ["a condition", *left]
        if left:
            yield constraint_of(doc, clause, "unsupported", about=" ".join(left)[:200], confidence=0.4)
        elif (
            clause.start < doc.material_from
            and not (_NARRATIVE.match(clause.text) or clause.text.rstrip().endswith("?"))
            and (manner := list(manner_spans(clause.text)))
        ):
            # A tone, a style, an audience: no checker of form claims to judge it, so it is told and decides nothing.
            about = "; ".join(doc.words_of(clause.start + start, clause.start + end) for start, end in manner)
            yield constraint_of(doc, clause, "unsupported", about=about[:200], strength="soft", confidence=0.4)


def binding_clauses(text: str, accounted: Set[str]) -> tuple[str, ...]:
    """The clauses of a text that bind an answer in other words than these and those that ask for nothing, as they stand.

    For readers of another kind of answer (a JSON document beside its schema): what is asked of tone and content is left
    out as it is here, and a story may hold such a clause without asking for anything.
    """
    doc = Doc(text)
    bound = []
    for clause in doc.clauses:
        if clause.question or PERMITTED.search(clause.text) is not None:
            continue
        spent = bytearray(len(clause.text))
        for start, end in (*manner_spans(clause.text), *content_spans(clause.text)):
            spent[start:end] = b"\1" * (end - start)
        words = {match.group() for match in _TOKEN.finditer(clause.text) if not _is_spent(spent, clause.text, match)}
        binds = MODAL.search(clause.text) or NEGATING.search(clause.text) or _BINDING.search(clause.text)
        if words - FILLER - accounted and binds is not None:
            bound.append(doc.words_of(clause.start, clause.end))
    return tuple(bound)


def asks_for_form(text: str) -> bool:
    """Whether a prompt orders something of the response's form, read or not: a directive clause that has a word for form
    beside what it says of tone and content."""
    doc = Doc(text)
    for clause in doc.clauses:
        if clause.start >= doc.material_from or clause.question or not clause.directive:
            continue
        if PERMITTED.search(clause.text) is not None or _is_content(clause.text, clause, ()):
            continue
        spent = bytearray(len(clause.text))
        for start, end in (*manner_spans(clause.text), *content_spans(clause.text)):
            spent[start:end] = b"\1" * (end - start)
        if any(
            match.group() in FORM_WORDS and not _is_spent(spent, clause.text, match)
            for match in _TOKEN.finditer(clause.text)
        ):
            return True
    return False


_BINDING = re.compile(
    r"\b(?:each|every|all|both|none|only|unless|if|whenever|equals?|sum|sort(?:ed)?|ordered\s++by|in\s++order|ascending|descending|alphabetical(?:ly)?|unique|distinct|same|different|matching|consistent|computed?|calculated?|derived?|rounded|decimals?|"
    r"twice|double|half|exactly|at\s++(?:least|most)|(?:more|less|fewer|greater|smaller|larger|longer|shorter|later|earlier|higher|lower)\s++than|below|above|between|maximum|minimum|number\s++of|total\s++of|"
    r"formats?|lower-?\s?case|upper-?\s?case|capital(?:i[sz]ed)?|(?:starts?|begins?|ends?)\s++with|contains?|includ(?:e|es|ing)|characters|words?|sentences?|digits|times|limit(?:ed)?|correspond\w*|use|set|fill|put|make\s++sure|ensure|with\s++(?:two|three|four|five|six|seven|eight|nine|ten)|"
    r"genau|mindestens|höchstens|jede\w*|alle|summe|nur|solo|sólo|cada|todos|todas|suma|chaque|tous|toutes|somme|seulement|uniquement|ogni|tutt[ei]|somma|apenas|soma|только|каждый|сумма|должн\w+)\b"
    r"|必须|应该|不得|只能|至少|至多|每个|总和|等于|必ず|以上|以下|合計"
)
"""Quantities, comparisons and orders that bind what they stand by, whether it is told or asked."""


def _joined(read: Read) -> Iterator[tuple[Clause, Sequence[Constraint]]]:
    """The clauses, a lead ("At the end of your response,") together with the one that it belongs to."""
    lead: Clause | None = None
    for clause, findings in read:
        if lead is not None and lead.end == clause.start:
            text = lead.text + clause.text
            clause = replace(clause, text=text, start=lead.start, words=lead.words | clause.words)
        elif lead is not None:
            yield lead, ()
        lead = None
        if (
            not findings
            and len(clause.text) < 200
            and clause.text.rstrip().endswith(",")
            and not _CONDITION.match(clause.text)
        ):
            lead = clause
        else:
            yield clause, findings
    if lead is not None:
        yield lead, ()


def _left(
    doc: Doc,
    clause: Clause,
    findings: Sequence[Constraint],
    elaborated: Sequence[Constraint],
    single: Set[str],
    *,
    modifies: bool,
) -> list[str]:
    """The words of a clause that ask for something and that no reading takes up, in order."""
    text = clause.text
    if all(each.strength == "soft" for each in findings) and _VACUOUS.match(text):
        return []
    if not findings and (
        clause.start >= doc.material_from
        or clause.question
        or _OPEN.search(text) is not None
        or PERMITTED.search(text) is not None
    ):
        return []
    if not findings and (_is_foreign(text) or _is_unknown(clause)):
        return ["a language that no rule reads"]
    ruled = _RULED.match(text) is not None or (
        _NARRATIVE.match(text) is None
        and (
            not FORM_WORDS.isdisjoint(clause.words)
            or (_SUBJECT_LEAD.match(text) is not None and _COMES.search(text) is not None)
            or (MODAL.search(text) is not None and (FILL in text or _ORDINAL.search(text) is not None))
        )
    )
    if not findings and not ruled and (not clause.directive or _NARRATIVE.match(text) is not None):
        return []
    if len(text) > MOST_CHARACTERS or len(findings) > MOST_FINDINGS:
        return [f"a clause of {len(text)} characters"] if findings else []
    content = not modifies and _is_content(text, clause, findings)
    if not findings and not content and not modifies and not _asks_form(text, clause):
        return []
    # "With a placeholder such as [name]" says again what is counted elsewhere.
    explained = [each for each in elaborated if not content or each.kind == "count"]
    spent = _spent(doc, clause, findings or explained, content)
    for unit in single:
        # "Write a sentence ... The sentence should ...": the whole response.
        for match in re.finditer(rf"\b(?:the|your|this)\s++(?:{UNITS[unit]})\b", text) if unit in UNITS else ():
            spent[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    topic_end = _TAIL.search(text)
    tail = topic_end.start() if topic_end is not None else len(text)
    left = _denied(clause, findings or elaborated, spent, content)
    if _amounts(findings) > 1 + len(NUMERIC.findall(text)):
        left.append("a number read twice")
    for match in _TOKEN.finditer(text):
        word = match.group()
        if _is_spent(spent, text, match):
            continue
        asks = (
            (
                word in FORM_WORDS
                or (word in TAIL_WORDS and word not in FILLER and match.start() >= tail)
                or _qualifies_unit(clause, match, findings)
            )
            if content
            else word not in FILLER
        )
        if asks:
            left.append(doc.words_of(clause.start + match.start(), clause.start + match.end()))
    if findings and not content and _is_other_imperative(text) and not any(map(_asks_by_itself, left)):
        left = []  # "calm me down in exactly two sentences"
    if _NESTED.search(text) is not None and not any(each.params.get("each") for each in findings):
        left.append("an amount of each")
    if content:
        manner = _MANNER.search(text)
        if manner is not None:
            left += [
                match.group()
                for match in _TOKEN.finditer(text, manner.end())
                if match.group() not in FILLER and not _is_spent(spent, text, match)
            ][:4]
        shape = _FORM_SHAPE.search(text)
        if shape is not None and shape.group("which") not in FILLER and not spent[shape.start("which")]:
            left.append(shape.group())
        for match in _FORM_PHRASE.finditer(text):
            words = [word for word in _TOKEN.finditer(text, *match.span()) if word.group() not in FILLER]
            if not (all(_is_spent(spent, text, word) for word in words) if words else _is_spent(spent, text, match)):
                left.append(match.group())
    return left


def _amounts(findings: Sequence[Constraint]) -> int:
    """How many amounts the readings of a clause took from it; a list of keywords shares one."""
    return len(
        {
            (each.kind, each.params.get("unit"), each.params.get("min"), each.params.get("max"))
            for each in findings
            if each.kind in ("count", "letter_count", "keyword_count")
            and not is_negative(each)
            and "size" not in each.params
        }
    )


def _is_spent(spent: bytearray, text: str, match: re.Match[str]) -> bool:
    return all(spent[place] or text[place].isspace() for place in range(*match.span()))


def _is_content(text: str, clause: Clause, findings: Sequence[Constraint]) -> bool:
    """Whether a clause says what the response is to be about (its first verb does), not what it is to look like."""
    verb, form = _CONTENT_VERB.search(text), _FORM_VERB.search(text)
    if _IN_RESPONSE.match(text) is not None or _FOREIGN_LEAD.match(text) is not None:
        return False
    if verb is not None and (form is None or verb.start() <= form.start()):
        return _RESPONSE_OBJECT.match(text, verb.start()) is None
    return False


def _asks_form(text: str, clause: Clause) -> bool:
    """Whether a clause that nothing was read from asks for a form: by its words, its imperative or its subject."""
    if text.rstrip().endswith("?"):
        return not clause.words.isdisjoint(FORM_WORDS) or _FORM_PHRASE.search(text) is not None
    return (
        not clause.words.isdisjoint(TEXT_WORDS)
        or (FILL in text and (clause.directive or MODAL.search(text) is not None))
        or (_IMPERATIVE_LEAD.match(text) is not None and speaks_of_form(text))
        or (MODAL.search(text) is not None and _ORDINAL.search(text) is not None)
        or _FORM_PHRASE.search(text) is not None
        or _ORDERED.match(text) is not None
        or _commands(text)
        or _IN_RESPONSE.match(text) is not None
    )


def _is_other_imperative(text: str) -> bool:
    opening = IMPERATIVE.match(text.strip(" \t\n*-•\"'()[]#>."))
    if opening is None or opening.group(1) in NO_VERB or _IMPERATIVE_LEAD.match(text) is not None:
        return False
    verb = opening.group(1)
    return verb not in TEXT_WORDS and not any(each.match(verb) for each in (_FORM_VERB, _CONTENT_VERB))


def _asks_by_itself(word: str) -> bool:
    return (
        speaks_of_form(word.lower())
        or NEGATING.search(word.lower()) is not None
        or _OR.search(word.lower()) is not None
    )


def _commands(text: str) -> bool:
    """Whether it tells what to do with every part of something ("replace every space")."""
    opening = IMPERATIVE.match(text.strip(" \t\n*-•\"'()[]#>."))
    return (
        opening is not None
        and re.search(r"\b(?:every|each|all|both|any|only|no)\b", text) is not None
        and opening.group(1) not in NO_VERB
        and not opening.group(1).endswith(("s", "ed", "ing", "ly", "tion", "ity", "ness"))
    )


def _spent(doc: Doc, clause: Clause, findings: Sequence[Constraint], content: bool) -> bytearray:
    """1 for every character of the clause that a reading, an example, the material or the topic accounts for."""
    text = clause.text
    spent = bytearray(len(text))

    def spend(start: int, end: int) -> None:
        spent[start:end] = b"\1" * (end - start)

    for pattern in (_EXAMPLE, _MATERIAL, _TOPIC, _REMINDER):
        for match in pattern.finditer(text):
            spend(*match.span())
    for match in _PURPOSE.finditer(text) if content else ():
        if FORM_WORDS.isdisjoint(_TOKEN.findall(match.group())) and _UNIT.search(match.group()) is None:
            spend(*match.span())
    for start, end in (*manner_spans(text), *content_spans(text)):
        spend(start, end)
    for finding in findings:
        if finding.kind == "sections":
            for end in _whole(text, str(finding.params["marker"]).lower()):
                numbered = _SPACED_DIGIT.match(text, end)
                if numbered is not None:
                    spend(end - len(str(finding.params["marker"])), numbered.end())
        if finding.kind == "title":
            # Whatever the template shows in the brackets: "put your answer in double angular brackets, <<answer>>".
            for word in _TOKEN.findall(" ".join(_ANGLED.findall(doc.lower))):
                for end in _whole(text, word):
                    spend(end - len(word), end)
    lead = _FOREIGN_LEAD.match(text)
    if lead is not None:
        spend(*lead.span())
    for finding in findings:
        for match in accounted_for(finding).finditer(text):
            spend(*match.span())
        wanted = numbers_of(finding)
        for match in NUMERIC.finditer(text):
            if number(match.group()) in wanted:
                spend(*match.span())
        for each in texts_of(finding):
            lowered = each.lower().strip()
            for end in _whole(text, lowered) if lowered else ():
                spend(end - len(lowered), end)
    quoted = [each.casefold().strip(" ,.") for finding in findings for each in texts_of(finding)]
    for start, inner in doc.quotes.items():
        if clause.start <= start < clause.end and any(
            inner.casefold().strip(" ,.") in each or each in inner.casefold() for each in quoted if each
        ):
            spend(start - clause.start, min(len(text), start - clause.start + len(inner) + 2))
    return spent


_SPACED_DIGIT = re.compile(r"\s++\d")


def _whole(text: str, phrase: str) -> Iterator[int]:
    """Where a phrase ends that stands in a text as whole words."""
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        if not (_is_letter(text[start - 1 : start]) or _is_letter(text[end : end + 1])):
            yield end
        start = text.find(phrase, start + 1)


def _is_letter(character: str) -> bool:
    return character.isalnum() or character == "_"


def _denied(clause: Clause, findings: Sequence[Constraint], spent: bytearray, content: bool) -> list[str]:
    """Denials and alternatives that the readings do not have, and readings that deny what the clause does not."""
    text = clause.text
    negative = sum(is_negative(finding) for finding in findings)
    cases = sum(finding.kind == "case" for finding in findings)
    pattern = _IMPERATIVE_NEGATION if content and not negative else NEGATING
    denials = [match for match in pattern.finditer(text) if not _is_spent(spent, text, match)]
    if any(finding.params.get("max") for finding in findings):
        # "Avoid using it more than twice" is taken up by the upper bound.
        for match in [match for match in denials if _AVOID_MORE.match(text, match.start())]:
            spent[match.start() : match.end()] = b"\1" * (match.end() - match.start())
            denials.remove(match)
    left = []
    if len(denials) > negative + cases:
        left += [match.group().strip() for match in denials[negative + cases :]]
    elif negative and not denials and not re.search(r"\b(?:0|zero)\b", text):
        left.append("no denial")
    for match in denials:
        spent[match.start() : match.end()] = b"\1" * (match.end() - match.start())
    several = negative > 0 and negative == len(findings)
    for match in _OR.finditer(text) if findings else ():
        if several or _between_numbers(text, match) or _any_of(findings) or _NOUNS_ALIKE.match(text, match.start()):
            spent[match.start() : match.end()] = b"\1" * (match.end() - match.start())
        elif content and negative and not _is_spent(spent, text, match):
            left.append(match.group())
    return left


def _between_numbers(text: str, match: re.Match[str]) -> bool:
    return (
        re.search(r"(?:\d|[a-z])\s*+$", text[: match.start()][-14:]) is not None
        and NUMERIC.match(text[match.end() :].lstrip()) is not None
    )


def _any_of(findings: Sequence[Constraint]) -> bool:
    return any(
        finding.params.get("any")
        or finding.kind == "one_of"
        or (len(finding.params.get("phrases") or ()) > 1 and finding.kind in ("starts_with", "ends_with"))
        for finding in findings
    )


def _qualifies_unit(clause: Clause, match: re.Match[str], findings: Sequence[Constraint]) -> bool:
    """Whether a word stands before a unit that is counted ("short" in "one short sentence")."""
    word = match.group()
    if word in FILLER or word in _NEUTRAL or is_quality(word) or _NUMBER_WORD.match(word):
        return False
    behind = clause.text[match.end() : match.end() + 30].lstrip()
    unit = _UNIT.match(behind)
    return unit is not None and any(
        finding.kind == "count" and re.fullmatch(UNITS.get(str(finding.params["unit"]), r"(?!)"), unit.group())
        for finding in findings
    )


def _is_unknown(clause: Clause) -> bool:
    """Whether no word of a longer clause is a common one of a language that the rules read."""
    return len(clause.words) >= 4 and FILLER.isdisjoint(clause.words) and _CONTENT_VERB.search(clause.text) is None


def _is_foreign(text: str) -> bool:
    letters = _SPOKEN.findall(text.replace(FILL, ""))
    return len(letters) > 3 and 2 * sum(_LATIN.match(letter) is not None for letter in letters) < len(letters)
