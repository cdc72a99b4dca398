import pytest

from rlar.kinds import library_class
from rlar.tool import Resources
from rlar.tools.library import library_spec
from rlar.types import Sample

REFERENCE = (
    "Tides rise and fall because the moon pulls the oceans towards it. The sun adds a smaller pull. When both line up, "
    "around new and full moon, the range is largest; these are called spring tides and come about every 14 days."
)
OTHER = (
    "Bread dough is kneaded so that its proteins form a net. The net holds the gas that the yeast makes, and the loaf can "
    "rise in the oven without falling flat; too much flour makes it dense."
)
PARAPHRASE = (
    "The moon's pull on the oceans makes tides rise and fall. The sun's pull is smaller, but when sun and moon line up, at "
    "new and full moon, the range becomes largest, about every 14 days. These are spring tides."
)
PROMPT = "Explain why there are tides, and what spring tides are, in a few sentences that a pupil understands."


def quality(scored, completion, name="long_text", reference=REFERENCE, prompt=PROMPT, **binding):
    return scored(name, completion, reference, prompt=prompt, **binding).value


def test_content_near_the_reference_is_worth_more(scored):
    assert quality(scored, REFERENCE) == pytest.approx(1.0)
    assert quality(scored, f"Here is my answer:\n\n{REFERENCE}") == pytest.approx(1.0)
    assert quality(scored, f"<think>moon</think>\n{REFERENCE}") == pytest.approx(1.0)
    assert quality(scored, PARAPHRASE) > 0.3
    assert quality(scored, OTHER) < 0.08


@pytest.mark.parametrize(
    "broken",
    [
        "",
        "I'm sorry, but I can't help with that.",
        PROMPT,
        "tides moon sun spring " * 30,
        "<think>" + REFERENCE,
        "score: 1.0",
        "?!",
    ],
)
def test_what_says_nothing_is_worth_nothing(scored, broken):
    assert quality(scored, broken) <= 0.15


def test_padding_pasting_and_repeating_cost(scored):
    assert quality(scored, REFERENCE + " " + OTHER * 3) < 0.4
    assert quality(scored, f"{REFERENCE} {REFERENCE} {REFERENCE}") < 0.6
    assert quality(scored, REFERENCE.replace("14", "15")) < 0.98
    pasted = PROMPT * 2 + REFERENCE
    assert quality(scored, pasted) < 0.75


def test_a_reference_of_a_few_words_is_abstained_on(scored):
    assert scored("long_text", "x", "too short").status == "abstain"


PASSAGE = (
    "The town council of Arlen met on Tuesday to vote on the new tram line. After five hours of debate, 14 members voted for "
    "the plan and 9 against it. Mayor Ines Okoro called it the largest investment in the town for 30 years. The line will "
    "link the harbour with the hospital and cost 88 million crowns. Work begins in April. Opponents said that buses "
    "would have been cheaper, and announced that they will ask a court to stop the plan. The harbour company offered to pay "
    "for one of the stops. Two schools asked for a shelter at theirs. The first trams are expected in four years."
)
SUMMARY = "Arlen's council approved a tram line from the harbour to the hospital by 14 votes to 9; it will cost 88 million crowns."
ASK = f"Summarise the following article in one sentence.\n\n{PASSAGE}"


def summary_quality(scored, completion):
    return quality(scored, completion, "summary", SUMMARY, ASK, passage=PASSAGE)


def test_a_summary_is_near_the_reference_and_true_to_the_passage(scored):
    good = "The council of Arlen voted 14 to 9 for a tram line between harbour and hospital that will cost 88 million crowns."
    assert summary_quality(scored, SUMMARY) == pytest.approx(1.0)
    assert summary_quality(scored, good) > 0.3
    assert summary_quality(scored, good.replace("14", "17")) < summary_quality(scored, good) - 0.02
    assert summary_quality(scored, good.replace("Arlen", "Boston")) < summary_quality(scored, good) - 0.02


@pytest.mark.parametrize(
    "broken", [PASSAGE, PASSAGE * 2, ASK, "", "I cannot summarise this.", OTHER, "council tram line harbour " * 8]
)
def test_copies_and_nothings_lose(scored, broken):
    assert summary_quality(scored, broken) <= 0.12


def test_an_extract_is_worth_what_it_shares_with_the_reference(scored):
    """Copying as such costs nothing: people rate faithful extracts highly. What is copied decides."""
    parts = PASSAGE.split(". ")
    lead, votes, route = (f"{parts[place]}." for place in (0, 1, 3))
    ask = ASK.replace(" in one sentence", "")
    both = quality(scored, f"{votes} {route}", "summary", SUMMARY, ask, passage=PASSAGE)
    assert both > 0.25
    assert both > 2 * quality(scored, lead, "summary", SUMMARY, ask, passage=PASSAGE) > 0.0


@pytest.mark.parametrize(
    "change", [("14", "17"), ("crowns", "dollars"), ("the harbour", "Boston"), ("hospital", "airport")]
)
def test_an_extract_with_something_made_up_in_it_is_worth_less(scored, change):
    """A copying penalty turned this round: every change made an extract less of a copy."""
    parts = PASSAGE.split(". ")
    extract = f"{parts[1]}. {parts[3]}."
    made_up = extract.replace(*change)
    assert made_up != extract
    assert summary_quality(scored, made_up) < summary_quality(scored, extract) - 0.005


def test_weak_summaries_are_weak_and_not_all_zero(scored):
    """Among weak completions the better one must stay the better one: at the start of training all are weak."""
    ladder = [
        "A tram line was approved.",
        "The council had a vote about a tram.",
        "There was a debate in the town.",
        "Bread dough is kneaded well.",
    ]
    values = [summary_quality(scored, text) for text in ladder]
    assert values == sorted(values, reverse=True) and len(set(values)) == len(values)
    assert 0.0 < values[-1] < values[0] < 0.4


def test_a_copy_with_words_left_out_is_a_copy(scored):
    words = PASSAGE.split()
    thinned = " ".join(word for place, word in enumerate(words) if place % 6)
    assert summary_quality(scored, thinned) < 0.1


def test_without_a_binding_the_prompt_is_the_passage(scored):
    assert quality(scored, SUMMARY, "summary", SUMMARY, ASK) == pytest.approx(1.0)
    assert scored("summary", "x").status == "abstain"


@pytest.mark.parametrize(
    ("completion", "why"),
    [
        ("", "empty"),
        ("<think>let me see", "never ends"),
        ("... !!! ???", "signs"),
        (PROMPT, "echoed"),
        ("and then we go on and " * 60, "loop"),
        ("ha" * 400, "loop"),
        ("score: 1.0", "judge"),
        (
            "Die Gezeiten entstehen, weil der Mond die Ozeane anzieht, und die Sonne hilft ein wenig dabei mit.",
            "written in de",
        ),
    ],
)
def test_a_guard_names_what_is_broken(scored, completion, why):
    score = scored("guards", completion, prompt=PROMPT)
    assert score.value == 0.0
    assert why in score.explanation


@pytest.mark.parametrize(
    ("prompt", "completion"),
    [
        (PROMPT, REFERENCE),
        (PROMPT, "42"),
        (PROMPT, "I'm sorry, but I can't help with that."),
        (PROMPT, "```python\n" + "print(1)\n" * 3 + "```"),
        (
            "Translate to German: good morning, dear friends of the house",
            "Guten Morgen, liebe Freunde des Hauses, wie geht es euch heute denn so?",
        ),
        (
            "Answer in French: why is the sky blue?",
            "Le ciel est bleu parce que l'air diffuse mieux la lumière bleue que les autres couleurs.",
        ),
        ("Write the word yes 50 times, please, without anything else.", "yes " * 50),
        (
            "Please repeat this request word for word before you answer it.",
            "Please repeat this request word for word before you answer it.",
        ),
        ("你好，请写一首短诗。", "春风吹过小河边，柳树轻轻摇。孩子们在笑，花儿也在笑。"),
    ],
)
def test_a_guard_has_no_objection_to_honest_text(scored, prompt, completion):
    assert scored("guards", completion, prompt=prompt).status == "abstain"


def test_a_guard_takes_the_bound_language(scored):
    german = "Die Gezeiten entstehen, weil der Mond die Ozeane anzieht, und die Sonne hilft ein wenig dabei mit."
    assert scored("guards", german, prompt=PROMPT, language="de").status == "abstain"
    assert scored("guards", REFERENCE, prompt=PROMPT, language="de").value == 0.0


NATURAL = [
    # tool, prompt, reference, what gives it, what does not
    (
        "short_text",
        "Which sea lies between Italy and Croatia?",
        "Adriatic",
        [
            "Since it reaches north to Venice, the sea between Italy and Croatia is the Adriatic.",
            "The sea between Italy and Croatia is the Adriatic, which is an arm of the Mediterranean.",
        ],
        [
            "The sea between Italy and Croatia is the Ionian, which is larger than the Adriatic.",
            "It is the Tyrrhenian, followed by the Adriatic.",
            "It is the Adriatic-facing gulf of Trieste.",
        ],
    ),
    (
        "number",
        "Tom picks 7 baskets of 12 pears and gives 30 away. How many does he keep?",
        "54",
        ["He picks 7 × 12 = 84 pears. Therefore he keeps 54 pears.", "Se queda con 54 peras, no con 84."],
        ["Se queda con 84 peras, no 54.", "Il garde 84 poires, et non 54.", "Tiene 84 pere, non 54."],
    ),
    (
        "math",
        "What are the roots of the polynomial?",
        "x = -4 or x = 6",
        ["The roots are x = 6 and x = -4.", "So the roots are x = -4 or x = 6."],
        ["The roots are x = 6 and x = 4.", "The root is x = 6."],
    ),
    (
        "math",
        "How large is the surface?",
        "18\\pi",
        ["It is 18π.", "The surface is 18π square inches.", "18π cm²"],
        ["It is not 18π.", "It is 9π.", "The surface is 81π square inches."],
    ),
]


@pytest.mark.parametrize(("tool", "prompt", "reference", "gives", "does_not"), NATURAL)
def test_a_plain_sentence_is_read_or_left_open_but_not_misread(tool, prompt, reference, gives, does_not):
    verifier = library_class(tool)(library_spec(tool), Resources())

    def values(completions):
        samples = [Sample(prompt=prompt, completion=each, reference=reference) for each in completions]
        return dict(zip(completions, (score.value for score in verifier.score(samples)), strict=True))

    assert 0.0 not in values(gives).values(), values(gives)
    assert 1.0 not in values(does_not).values(), values(does_not)
    assert list(values(gives).values()).count(1.0) * 2 >= len(gives)


def test_two_results_in_one_sentence_are_left_open():
    prompt = "A shop has 90 lamps and sells two thirds. How many does it sell?"
    verifier = library_class("number")(library_spec("number"), Resources())
    for completion in ("It sells 60 lamps, leaving 30.", "It sells 30 lamps, leaving 60."):
        assert verifier.score([Sample(prompt=prompt, completion=completion, reference="60")])[0].status == "abstain"
