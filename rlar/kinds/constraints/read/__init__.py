"""Verifiable constraints, read from the words of a prompt by composable rules.

In: a prompt. Out: its constraints, from `parse_constraints`.
Leaves out: anything a reader would need judgement for (tone, style, topic, rhyme).

A rule looks at one clause (rlar.kinds.constraints.read.reading) and yields what it understands; `settle` then joins
findings that belong together ("5 paragraphs" here, "separated by ***" there).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from rlar.kinds.constraints.read import (
    rules_case,
    rules_count,
    rules_documents,
    rules_edges,
    rules_keywords,
    rules_marks,
    rules_parts,
)
from rlar.kinds.constraints.read.coverage import unread_demands
from rlar.kinds.constraints.read.lexicon import LANGUAGES, word_set
from rlar.kinds.constraints.read.model import KINDS, Constraint
from rlar.kinds.constraints.read.reading import PERMITTED, Clause, Doc, quote_of
from rlar.kinds.constraints.read.repeat import repeat_request
from rlar.kinds.constraints.read.settle import settle

__all__ = ["KINDS", "Constraint", "has_constraint_words", "parse_constraints"]

Rule = Callable[[Doc, Clause], Iterator[Constraint]]


_UNIT_WORDS = word_set(
    "word words sentence sentences paragraph paragraphs stanza stanzas line lines bullet bullets section sections part parts "
    "character characters chars placeholder placeholders hashtag hashtags emoji emojis heading headings header headers letters "
    "syllable syllables comma commas exclamation link links url urls digit digits numbered responses response answers versions "
    "italic italics italicize italicized bold bolded highlight highlights highlighted emphasize capital caps capitalized uppercase "
    "wörter wörtern worten worte wort sätze sätzen satz absätze absätzen absatz abschnitte abschnitten strophen zeilen zeichen palabras palabra oraciones párrafos párrafo líneas caracteres frases phrases mots mot paragraphes "
    "lignes caractères parole frasi paragrafi righe caratteri palavras parágrafos linhas viñetas puces stichpunkte stichpunkten platzhalter"
)
_CONTENT_WORDS = word_set(
    "ideas tips reasons examples ways names steps facts suggestions items things points options questions jokes poems limericks haikus "
    "stories benefits advantages disadvantages recommendations titles topics activities entries headlines synonyms songs books movies recipes"
)
_LISTING_VERBS = word_set("list name give suggest provide recommend propose generate")
_SIZE_WORDS = word_set(
    "short brief briefly concise concisely succinct succinctly long lengthy kurz corto breve court bref brève"
)
_KEYWORDS = word_set(
    "word words keyword keywords key phrase phrases term terms expression mention mentions mentioning include includes including contain contains use "
    "using say saying avoid exclude omit add insert incorporate feature name names string wort wörter wörtern begriff begriffe palabra palabras mot mots "
    "schlüsselwörter erwähne verwende menciona incluye utilise parola parole palavra palavras avoiding"
)
_CASE_WORDS = word_set(
    "lowercase lower-case lower uppercase upper-case upper capital capitals caps capitalize capitalise capitalized lowercased lowercases uppercased case letters cased kleinbuchstaben großbuchstaben "
    "minúsculas mayúsculas minuscules majuscules minuscole maiuscole maiuscolo maiúsculas title-case small block"
)
_MARK_WORDS = word_set(
    "comma commas period periods stop stops dot dots exclamation exclamations question semicolon semicolons colon colons hyphen hyphens "
    "dash dashes parentheses parenthesis brackets apostrophe apostrophes quotation quotes quote asterisk asterisks underscore underscores digit digits numeral "
    "numerals numbers ampersand slash slashes spaces whitespace whitespaces punctuation punctuations breaks newlines kommas kommata komma comas "
    "virgules virgule virgole vírgulas ziffern zahlen dígitos números chiffres markdown bullet bullets lists headings headers tables code emojis emoji contractions "
    "html links bold italics satzzeichen fragezeichen ausrufezeichen puntuación ponctuation numbered"
)
_OPENING_WORDS = word_set(
    "end ends ending sign signing off finish finishes finishing conclude concludes concluding close closes closing start starts starting begin begins beginning open opens opening "
    "first last final very beende beenden ende endet enden beginne beginnt beginnen termina terminar termine acaba finaliza empieza empezar comienza comenzar commence commencez "
    "commencer finis finissez inizia concludi finisci comece termine letzte letzten erste última primera dernier premier"
)
RULES: tuple[tuple[frozenset[str], Rule], ...] = (
    (_UNIT_WORDS, rules_count.counts),
    (word_set("letter letters symbol symbols character characters buchstabe buchstaben letra lettre lettera"), rules_keywords.letters),
    (_KEYWORDS, rules_keywords.keywords),
    (word_set("these following"), rules_keywords.listed_things),
    (_CONTENT_WORDS | _LISTING_VERBS, rules_count.content_counts),
    (_SIZE_WORDS, rules_count.sizes),
    (_CASE_WORDS, rules_case.case),
    (frozenset(word for name in LANGUAGES for word in name.split()), rules_case.language),
    (_MARK_WORDS, rules_marks.punctuation),
    (word_set("exclamation question semicolon semi-colon em dash em-dash colon ellipsis hashtag emoji url link"), rules_marks.required_marks),
    (_OPENING_WORDS, rules_edges.openings),
    (word_set("same"), rules_edges.same_word),
    (word_set("paragraph paragraphs absatz párrafo paragraphe"), rules_edges.nth_paragraph),
    (word_set("quotation quotations quotes quote anführungszeichen comillas guillemets virgolette aspas brackets klammern chevrons angulares title bracket"), rules_parts.wrapping),
    (word_set("p s ps pps postscript post-script postskriptum posdata postdata post-scriptum note"), rules_parts.postscript),
    (word_set("section sections part parts chapter chapters paragraph paragraphs audience day days stanza stanzas step steps advertisement advertisements ads scene scenes act acts abschnitt abschnitte secciones sección"), rules_parts.sections),
    (word_set("json xml yaml html csv latex backticks fence table block"), rules_documents.documents),
    (word_set("key keys"), rules_documents.keys),
    (word_set("markdown table tabelle tabla tableau list liste lista bullet bulleted bullets headings heading headers header code stichpunkte stichpunkten viñetas aufzählung"), rules_documents.elements),
    (word_set("one any either choose pick select answer respond reply say exactly"), rules_documents.options),
    (word_set("word words palindrome spaces whitespace whitespaces line sentences title rhyme iambic acrostic syllables alternate alternating alphabetical adjacent backwards pangram lipogram nouns verbs adjectives adverbs pronouns conjunctions prepositions order space"), rules_documents.patterns),
)  # fmt: skip
"""(words, rule): the rule reads a clause only when one of the words stands in it."""

_ANY = (
    frozenset().union(*(words for words, _ in RULES))
    - word_set(
        "one any either first last key name names use using add part parts say end close open start day days act step steps same p s order question questions line note code case answer lower upper small block "
        "things points title letters stop stops table response responses answers these following keys"
    )
    - _LISTING_VERBS
    - _SIZE_WORDS
)
_TOKEN = re.compile(r"[^\W\d_]+")
_REPEATING = word_set("repeat restate copy reproduce wiederhole repite repita répète répétez ripeti")
_EDGE_VERBS, _EDGE_LINKS = word_set("end start open close answer respond use say"), word_set("with only")
_SAYING, _QUOTES = word_set("say use mention saying using answer respond reply"), ('"', "“", "«", "'", "‘")
_COUNTED = word_set("lines parts answers responses letters")
_POSTSCRIPT = re.compile(r"\b[Pp]\.\s?[Ss]\b")
_STARS = re.compile(
    r"(?<![-=*])(?:\*(?:\s?\*){2,}|-{3,}|={3,})|\b(?:asterisk|asterisks|asterik|asteriks|aterisk|stars|sternchen|asteriscos|astérisques|dashes|separat\w*|divid\w*|trenn\w*|sépar\w*)\b"
)


def has_constraint_words(prompt: str) -> bool:
    """A cheap no: whether any word, or pair of words, that a rule looks for occurs at all."""
    head = prompt[:20_000]
    tokens = frozenset(_TOKEN.findall(head.lower()))
    if not _ANY.isdisjoint(tokens) or not _REPEATING.isdisjoint(tokens) or "***" in head or "<<" in head:
        return True
    if not _EDGE_VERBS.isdisjoint(tokens) and not _EDGE_LINKS.isdisjoint(tokens):
        return True
    if not _SAYING.isdisjoint(tokens) and any(mark in head for mark in _QUOTES):
        return True
    if not _COUNTED.isdisjoint(tokens) and any(character.isdigit() for character in head):
        return True
    return "letter" in tokens or _POSTSCRIPT.search(head) is not None


_LANGUAGE_WORDS = frozenset(word for name in LANGUAGES for word in name.split())
_INTERESTING = frozenset().union(*(words for words, _ in RULES)) | _REPEATING


@lru_cache(maxsize=4096)
def parse_constraints(prompt: str) -> tuple[Constraint, ...]:
    """The constraints that a prompt puts on the form of its response, in the order in which they stand there.

    Empty for a prompt without any. Never raises. See `Constraint.strength` and `confidence` before deciding by one.
    """
    if not has_constraint_words(prompt):
        return ()
    tokens = frozenset(_TOKEN.findall(prompt[:20_000].lower()))
    if (tokens & _INTERESTING) <= _LANGUAGE_WORDS and any(token.startswith("translat") for token in tokens):
        return ()  # the languages of a translation are its task
    doc = Doc(prompt, _INTERESTING)
    read: list[tuple[Clause, list[Constraint]]] = []
    repeats = list(repeat_request(doc))
    for clause in doc.clauses:
        findings: list[Constraint] = []
        for words, rule in RULES:
            if not words.isdisjoint(clause.words):
                findings.extend(rule(doc, clause))
        if _STARS.search(clause.text):
            findings.extend(rules_parts.separators(doc, clause))
        if "<<" in clause.text and "title" not in clause.words and "brackets" not in clause.words:
            findings.extend(rules_parts.wrapping(doc, clause))
        if findings and PERMITTED.search(clause.text) is not None:
            findings = []
        findings += [each for each in repeats if each.quote == quote_of(doc, clause)]
        read.append((clause, findings))
    settled = settle(doc, [each for _clause, findings in read for each in findings])
    return (*settled, *unread_demands(doc, read))
