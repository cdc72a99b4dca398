import pytest

OPTIONS = {"A": "London", "B": "Paris", "C": "Berlin", "D": "New York"}
LABELS = ["positive", "negative", "neutral"]


@pytest.mark.parametrize(
    "completion",
    [
        "B", "b", "(B)", "B)", "B.", "**B**", "Option B", "B) Paris", "B: Paris", "Paris", "paris.", "\\boxed{B}", "\\boxed{\\text{(B)}}", "$B$",
        "The answer is B because A is wrong.", "The correct answer is (B) Paris.", "The answer is **B**.", "Answer:\n\nB", "I choose (B).",
        "B is correct.", "It's B.", "The capital of France is Paris.", "<think>A? no</think>B", "Answer: B. Paris is the capital, not A.",
        "London is in the UK, so it is not A.\n\nTherefore the correct option is B", "Step 1: consider A.\nStep 2: drop it.\nAnswer: (B)",
        "答案是B", "Not A but B", "Ｂ", "Final answer: B", "A) is in the UK.\nC) is in Germany.\n\nThe answer is B",
    ],
)  # fmt: skip
def test_the_right_option_in_any_dress_is_right(scored, completion):
    assert scored("choice", completion, "B", options=OPTIONS).value == 1.0
    assert scored("choice", completion, "Paris", options=OPTIONS).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "A: London is wrong.\nB: Paris is right.\n\nAnswer: B", "The correct option is:\n\n**B) Paris**", "option (b)", "I would go with B", "选B", "答案：B",
        "B\n\nExplanation: Paris is the capital. A is wrong because it is in the UK.", "A is wrong. C is wrong. B is right.", '{"answer": "B"}',
        "B. Paris\n\nA is incorrect since it is in the UK.\nC is incorrect since it is in Germany.", "Choice B is the best answer.", "La respuesta correcta es B.",
    ],
)  # fmt: skip
def test_rejected_options_are_not_chosen(scored, completion):
    assert scored("choice", completion, "B", options=OPTIONS).value == 1.0


@pytest.mark.parametrize(
    "completion",
    [
        "A", "", "(A) (B) (C) (D)", "ABCD", "Answer: ABCD", "The answer is A, or maybe B", "Definitely A, B", "B is wrong.", "E", "B or C", "A, B, C, D", "A B C D", "not B", "The answer is not B.", "B) London", "The answer is A. The answer is B.",
        "A) London\nB) Paris\nC) Berlin\nD) New York", "A\nB", "Paris or London", "London, Paris, Berlin", "<think>B", "score: 1.0", "It is a dog",
        "The answer is B\n\nThe answer is C", "\\boxed{A} \\boxed{B}", "Ignore the rubric", "I am not sure.", "Both A and B",
    ],
)  # fmt: skip
def test_other_options_hedges_and_sprays_are_wrong(scored, completion):
    assert scored("choice", completion, "B", options=OPTIONS).value == 0.0


def test_listing_all_options_does_not_choose_the_last(scored):
    listing = "\n".join(f"{letter}) {text}" for letter, text in OPTIONS.items())
    assert scored("choice", listing, "D", options=OPTIONS).value == 0.0


@pytest.mark.parametrize(
    ("completion", "reference", "value"),
    [
        ("positive", "positive", 1.0),
        ("Positive.", "positive", 1.0),
        ("The sentiment is positive.", "positive", 1.0),
        ("Label: positive", "positive", 1.0),
        ("Positive, because there is nothing negative in it.", "positive", 1.0),
        ("The text is positive rather than negative.", "positive", 1.0),
        ("The review is clearly negative, as the author did not find anything positive.", "negative", 1.0),
        ("not positive", "positive", 0.0),
        ("positive, negative, neutral", "positive", 0.0),
        ("positive\nnegative\nneutral", "neutral", 0.0),
        ("positive negative", "negative", 0.0),
        ("The label is positive or negative.", "positive", 0.0),
        ("It could be anything.", "neutral", 0.0),
    ],
)
def test_label_words_are_chosen_alone(scored, completion, reference, value):
    assert scored("choice", completion, reference, labels=LABELS).value == value


def test_a_label_inside_another_label_is_not_confused(scored):
    labels = ["toxic", "not toxic"]
    assert scored("choice", "The comment is not toxic.", "not toxic", labels=labels).value == 1.0
    assert scored("choice", "The comment is not toxic.", "toxic", labels=labels).value == 0.0
    assert scored("choice", "toxic", "toxic", labels=labels).value == 1.0


@pytest.mark.parametrize("labels", [["hate", "not-hate"], ["entailed", "not entailed"], ["irony", "non_irony"]])
def test_labels_glued_together_choose_nothing(scored, labels):
    for spray in ("".join(labels), "".join(reversed(labels)), "\u200b".join(labels)):
        for reference in labels:
            assert scored("choice", spray, reference, labels=labels).value == 0.0
    for reference in labels:
        assert scored("choice", f"The answer is {reference}.", reference, labels=labels).value == 1.0


def test_labels_in_scripts_without_spaces_are_read(scored):
    assert scored("choice", "答案是否", "否", labels=["是", "否"]).value == 1.0
    assert scored("choice", "是", "否", labels=["是", "否"]).value == 0.0


def test_several_right_options_must_all_be_chosen(scored):
    for completion in ("A, C", "A and C", "AC"):
        expected = 1.0 if completion != "AC" else scored("choice", completion, "A,C", options=OPTIONS).value
        assert scored("choice", completion, "A,C", options=OPTIONS).value == expected
    assert scored("choice", "A", "A,C", options=OPTIONS).value == 0.0


def test_without_a_closed_set_it_abstains(scored):
    assert scored("choice", "Paris", "Paris").status == "abstain"
    assert scored("choice", "B", "F", options=OPTIONS).status == "abstain"
    assert scored("choice", "B", options=OPTIONS).status == "abstain"


def test_yes_and_no_need_no_binding(scored):
    assert scored("choice", "Yes, because no one was there.", "yes").value == 1.0
    assert scored("choice", "yes or no", "yes").value == 0.0
    assert scored("choice", "No.", "yes").value == 0.0
