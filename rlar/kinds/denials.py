"""Is what stands at a place of a sentence said, or is it denied, doubted, left to others, or a part of another name?

In the languages that rows come in: English, German, French, Spanish, Italian, Portuguese, Dutch, Swedish, Polish, Russian,
Turkish, Chinese, Japanese, Korean, Arabic, Hindi. Only the words beside the place are read: "not the one by X" and "X did
not" deny X, a "not" two clauses away does not.
"""

from __future__ import annotations

import re

from rlar.text.stems import Stems

REACH = 80
"""Characters before and after a place that are read."""

_NOT = (
    r"not|by\s+no\s+means|in\s+no\s+way|keineswegs|nullement|n't|n’t|never|neither|nor|hardly|scarcely|barely|unlikely|cannot|doubts?|doubted|doubtful|den(?:y|ies|ied)|disagree|false|untrue|incorrect|wrong"
    r"|anyone\s+but|anybody\s+but|anything\s+but|everyone\s+but|nobody\s+but|no\s+longer|other\s+than|except(?:\s+for)?|rather\s+than|instead\s+of|far\s+from|unlike|without|excluding|rules?\s+out|ruled\s+out"
    r"|nicht|kein(?:e[nmrs]?)?|nie|niemals|weder|noch|kaum|bezweif\w{1,4}|außer|statt|pas|jamais|ni|aucune?|sauf|plutôt\s+que|au\s+lieu\s+de"
    r"|no\s+(?:es|fue|era|son|está|creo)|nunca|jamás|tampoco|excepto|salvo|dudo|en\s+(?:vez|lugar)\s+de|non|mai|né|nessun[oa]?|tranne|invece\s+di|dubito|não|nem|jamais|exceto"
    r"|niet|geen|nooit|inte|aldrig|nie|не|ни|никогда|кроме|вместо|ليس|ليست|لا|غير"
)
_LIGHT = (
    r"the|an?|by|in|at|of|on|from|it|it's|he|she|they|this|that|there|was|is|are|were|be|been|being|really|actually|even|also|very|ever|to|so|think|believe|true|case|necessarily|"
    r"likely|probably|called|named|written|who|which|have|has|had|option|choice|letter|answer|correct|right|city|of|me|would|could|as|any|der|die|das|den|dem|des|ein|eine|einen|"
    r"war|ist|es|von|in|dass|le|la|les|l|un|une|par|de|du|que|est|c'est|était|el|los|las|una|por|fue|era|il|lo|gli|di|che|è|da|o|os|as|um|uma|foi|é|het|een|was|van|det|är|var|en|ett|to|это|был|была|было|в|на"
)
_BEFORE = re.compile(
    rf"(?:(?<!\w)(?:{_NOT}|(?:confused|mistaken)\s+(?:with|for))|(?<=[a-z])n['’]t|(?:,|\by|\be|\bet)\s+no)(?:[\s*_\"'“‘(]+(?:{_LIGHT})){{0,6}}[\s*_\"'“‘«(]*\Z",
    re.I,
)
_NO_DENIAL = re.compile(
    r"(?:no|without(?:\s+a)?|little|beyond|not\s+any|kein(?:en)?|ohne|sans|aucun|sin|senza|sem)\s+(?:doubts?|question|wonder|zweifel|doute|duda|dubbio|dúvida)|undoubtedly|not\s+(?:only|just|merely|surprisingly)"
    r"|none\s+other\s+than|nicht\s+nur|non\s+seulement|pas\s+seulement|no\s+(?:sólo|solo)|non\s+solo|não\s+(?:só|apenas)|не\s+только|不仅|不只|why\s+not|if\s+i(?:'m|\s+am)\s+not\s+(?:wrong|mistaken)|nothing\s+but",
    re.I,
)
_CJK_BEFORE = re.compile(
    r"(?:不是|并非|並非|絕非|绝非|不会是|不可能是|不应是|没有|沒有|[并並绝絕]不是|不|非|除了)[\s“「『《\"]{0,2}(?:由|在|是)?[\s“「『《\"]{0,2}(?:the\s+)?\Z",
    re.I,
)
_AUXILIARY = r"(?:is|was|were|are|did|does|do|has|had|have|would|could|can|should|may|might|will|must|be|been|being|seems?|looks?)"
_AFTER = re.compile(
    rf"[\s*_\"'”’»)]*(?:"
    rf"{_AUXILIARY}(?:\s+(?:{_AUXILIARY}|also|clearly|certainly|definitely|simply|probably|therefore|really|actually|thus))*\s*(?:n['’]t\b|(?:not|never|hardly|scarcely|unlikely|incorrect|wrong|false|invalid|untrue|impossible|ruled\s+out|eliminated|excluded|out)\b)(?!\s+(?:only|just|merely)\b)"
    rf"|(?:is|was|would\s+be|may\s+be)\s+(?:an?|the)\s+(?:(?:common|frequent|usual|tempting|typical|classic|obvious|popular)\s+){{1,2}}(?:wrong\s+\w+|mistakes?|misconception|error|trap|confusion|guess|distractor)\b"
    rf"|(?:isn|wasn|aren|weren|didn|doesn|don|hasn|hadn|wouldn|couldn|can|won|shouldn)['’]t\b|cannot\b|never\b|hardly\b|(?:has|had|have)\s+nothing\b"
    rf"|(?:ist|war|hat|wird|kann|sind|waren|stimmt)\b[^.,;!?\n]{{0,30}}?\b(?:nicht|nie|kein\w*|falsch)\b|n['’](?:est|était|a|y)\s+(?:pas|jamais|plus)\b|ne\s+\w+\s+(?:pas|jamais)\b|(?:no|nunca|jamás)\s+(?:es|fue|era|son|está|lo|la|ha)\b"
    rf"|non\s+(?:è|era|fu|ha|sono)\b|(?:não|nunca)\s+(?:é|foi|era|são|está)\b|(?:is|was|heeft)\s+(?:het\s+)?niet\b|är\s+inte\b|nie\s+(?:jest|był|była)\b|не\s+\w+|değil"
    rf"|(?:并|並|绝|絕)?(?:不是|没有|不对|不對|非)|は?(?:では|じゃ)(?:ない|ありません|なかった)|は(?:違|間違|誤)|(?:이|가)?\s?아(?:니|닙)|नहीं|ليس"
    rf")",
    re.I,
)
_NO_AFTER = re.compile(r"[^.;!?\n]{0,60}\b(?:only|just|merely|nur|seulement|sólo|solo|só|apenas|только)\b", re.I)
_RELATIONS = (
    r"wife|husband|widow(?:er)?|father|mother|parents?|sons?|daughters?|brothers?|sisters?|siblings?|child(?:ren)?|uncles?|aunts?|nephews?|nieces?|cousins?|grand\w{3,8}|friends?|"
    r"assistants?|secretary|teachers?|students?|pupils?|rivals?|enem(?:y|ies)|colleagues?|partners?|girlfriend|boyfriend|fiancée?|successors?|predecessors?|neighbou?rs?|suburbs?|"
    r"outskirts|boss|agents?|lovers?|servants?|namesakes?|contemporar(?:y|ies)|followers?|admirers?|disciples?|descendants?|relatives?|associates?|imitators?|forerunners?|opponents?|critics?|translators?|editors?|biographers?|twin|heirs?|ex|mentor|manager|lawyer|doctor"
)
_OF_ANOTHER = re.compile(rf"['’]s?\s+(?:\w+\s+){{0,2}}?(?:{_RELATIONS})\b", re.I)
_RELATED_TO = re.compile(
    rf"\b(?:(?:{_RELATIONS})\s+(?:of|to)|(?:north|south|east|west)(?:east|west|ern)?\s+of|near|outside(?:\s+of)?|close\s+to|next\s+to|far\s+from)\s+(?:the\s+)?[\"'“‘]?\Z",
    re.I,
)
_ATTRIBUTED = re.compile(
    r"\b(?:people|many|some|most|others|students|one|you|everyone|it\s+is\s+(?:often|commonly|widely|sometimes)|(?:might|may|could|would)(?:\s+have)?|often|commonly|at\s+first|tempt\w*|viele|manche|certains|muchos|algunos|molti|muitos)\b"
    r"[^.;!?\n]{0,30}?\b(?:say|says|said|thinks?|thought|believed?|assumed?|guess(?:ed)?|claim(?:ed)?|pick|expect|mistake\w*|denken|glauben|sagen|meinen|pensent|disent|croient|piensan|creen|dicen|pensano|credono|dicono|acham|pensam)\b"
    r"(?:[\s*_\"'“‘(]+(?:of|that|it|is|was|to|be|the|for|es|ist|sei|dass|que|c'est|è|sia|é|seja|sea)){0,5}[\s*_\"'“‘(]*\Z",
    re.I,
)


_STEMS = Stems(
    "mistak", "onfuse", "not", "n't", "n’t", "by no", "in no", "kein", "nul", "nev", "neith", "nor", "har", "scarc", "bare", "unlike", "doub", "den", "disag", "fals", "untr", "incor", "wron", "but",
    "no lo", "other", "exce", "rath", "inst", "far", "with", "excl", "rule", "nic", "nie", "wede", "noch", "kaum", "zwei", "auß", "auss", "stat", "pas", "jam", "ni", "aucun", "sauf",
    "plu", "lieu", "no ", "nun", "tamp", "salv", "dud", "vez", "luga", "non", "mai", "né", "nes", "tran", "inve", "dub", "não", "nem", "geen", "noo", "int", "ald", " of", " to", "near", "out",
)  # fmt: skip
"""One of these stands in every text before a place that denies it: nothing else is searched."""


_UNDOUBTED_STEMS = Stems(
    "doubt", "question", "wonder", "only", "just", "merely", "surpris", "none other", "why not", "mistaken", "not wrong", "nothing but", "zweifel", "doute", "dud", "dubbi", "dúvida",
    "nur", "seulement", "sólo", "solo", "apenas", "não s", "только", "不仅", "不只",
)  # fmt: skip


def denied(text: str, start: int, end: int) -> bool:
    """Is what stands from `start` to `end` denied, doubted, or somebody else's ("X's wife", "near X")?"""
    before = text[max(0, start - REACH) : start]
    if not before.isascii() or _STEMS.stand_in(before.casefold()):
        before = undoubted(before)
        if _BEFORE.search(before) or _RELATED_TO.search(before) or _CJK_BEFORE.search(before):
            return True
    after = text[end : end + REACH]
    return bool(_OF_ANOTHER.match(after) or _AFTER.match(after))


def attributed(text: str, start: int) -> bool:
    """Is what begins at `start` only what others say or think ("many people say X")?"""
    return bool(_ATTRIBUTED.search(text[max(0, start - REACH) : start]))


def undoubted(text: str) -> str:
    """The text without "no doubt", "not only" and their like, whose "no" and "not" deny nothing."""
    return _NO_DENIAL.sub(" ", text) if _UNDOUBTED_STEMS.stand_in(text.casefold()) else text
