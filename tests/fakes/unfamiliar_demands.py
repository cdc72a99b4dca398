"""Own prompts with demands that no rule was written for, each with a response that meets it and one that does not.

Every second prompt (`HELD_OUT`) was looked at only after the reading held on the others: 5 of 13 full marks were wrong then,
and the reading was mended once more, so that neither half is blind any longer.
"""

from __future__ import annotations

from typing import NamedTuple


class Demand(NamedTuple):
    """A prompt, a response that does all it asks, and one that does not."""

    prompt: str
    right: str
    wrong: str


DEMANDS: tuple[Demand, ...] = tuple(Demand(*each) for each in (
    # ------------------------------------------------------------------ where a word stands
    ("Write three sentences about a mill. Put the word \"flour\" in the second sentence, as its third word.", "The mill is old. It grinds flour daily. Wheels turn.", "The flour mill is old. It grinds. Wheels turn."),
    ("Describe a harbor. The fourth word of your answer must be \"gulls\".", "Above the masts gulls circle slowly.", "Gulls circle slowly above the masts."),
    ("Explain sleep. Use the word \"night\" in the last sentence only.", "Sleep repairs the body. It comes at night.", "At night we sleep. It repairs the body."),
    ("Tell me about clay. The second word of your response and the second to last word of your response should be \"clay\".", "Red clay dries until potters bake clay slowly.", "Clay dries until potters bake it slowly, clay."),
    ("Write about rope in exactly two sentences. The word \"knot\" has to come before the word \"ship\".", "A knot holds. The ship stays.", "The ship stays. A knot holds."),
    ("Mention the word \"amber\" in every second sentence. Write four sentences about stones.", "Amber glows. Jade is green. Amber floats. Quartz is hard.", "Amber glows. Amber floats. Jade is green. Quartz is hard."),
    ("Include the keyword \"tin\" in the title only. Put the title in double angular brackets, such as <<title>>.", "<<Tin>>\nA soft metal.", "<<Metal>>\nTin is a soft metal."),
    ("Start the third sentence with the word \"Later\". Write exactly three sentences.", "He woke. He ate. Later he left.", "Later he woke. He ate. He left."),
    ("Write two lines about wind; the first word of the second line must be the last word of the first line.", "Wind moves the sand\nSand covers the road", "Wind moves the sand\nThe road is covered"),
    ("In your reply, place \"copper\" exactly in the middle of the text. Use 5 words.", "Old pipes copper green roofs", "Copper pipes and green roofs"),
    # ------------------------------------------------------------------ what is asked of each part
    ("Write two paragraphs about tea. Each paragraph must contain the word \"leaf\".", "A leaf is dried.\n\nThe leaf is steeped.", "A leaf is dried; another leaf is steeped.\n\nWater is poured."),
    ("Give 3 bullet points on frost. Every bullet point must have exactly one comma.", "* It is cold, mostly.\n* It is white, often.\n* It melts, later.", "* It is cold, white, wet.\n* It melts.\n* It returns."),
    ("Write three sentences on rust. Each sentence must contain a number.", "It takes 2 days. It eats 3 bolts. It costs 4 coins.", "It takes 2 days. It eats bolts. It costs 4 coins."),
    ("List four tools as bullet points. Each bullet must be in capital letters except the first one.", "* hammer\n* SAW\n* PLANE\n* FILE", "* HAMMER\n* SAW\n* PLANE\n* FILE"),
    ("Write 2 paragraphs about sand. The last sentence of each paragraph must be a question.", "Sand is fine. Is it stone?\n\nIt shifts. Where does it go?", "Sand is fine. It is stone.\n\nIt shifts. Where does it go?"),
    ("The title should be in all capital letters, the rest in lowercase. Put the title in double angular brackets, such as <<title>>.", "<<OWLS>>\nthey fly at night.", "<<owls>>\nthey fly at night."),
    ("Write four sentences about ice. The first two sentences must have the same number of words.", "Ice is cold. Snow is soft. It melts in spring. Rivers rise.", "Ice is cold. Snow is very soft here. It melts. Rivers rise."),
    ("Write two paragraphs on milk. Use no commas in the second paragraph.", "Milk, cream, butter.\n\nAll come from cows.", "Milk is white.\n\nMilk, cream, butter."),
    ("Each line must be longer than the line before it. Write 3 lines about a train.", "Train\nTrain goes\nTrain goes fast", "Train goes fast\nTrain goes\nTrain"),
    ("Write exactly 3 sentences. No sentence may start with the same letter as another.", "Ants dig. Bees fly. Cats nap.", "Ants dig. Antlers grow. Cats nap."),
    ("End each paragraph with the word \"again\". Write 2 paragraphs.", "We ran again.\n\nWe sang again.", "We ran again and again.\n\nWe sang."),
    ("Write three bullet points about salt. The second bullet must be a single word.", "* It is white\n* Salty\n* It melts ice", "* Salty\n* It is white\n* It melts ice"),
    # ------------------------------------------------------------------ arithmetic on counts
    ("Write about a lamp. The number of words must be a multiple of five.", "The lamp glows at night", "The lamp glows all night long"),
    ("Describe a bridge with at least 4 words. The number of sentences must be odd.", "The bridge is very long.", "The bridge is long. It sways."),
    ("Use twice as many commas as full stops. Write at least five words about bread.", "Bread, warm, is good with butter.", "Bread is good with butter, always."),
    ("Write two sentences about fog; together they must have exactly 9 words.", "Fog is grey and cold. It hides the hills.", "Fog is grey. It hides hills."),
    ("Write 2 paragraphs about pears. The second paragraph must have twice as many words as the first.", "Pears fall.\n\nBoys pick them up.", "Pears fall down.\n\nBoys pick them."),
    ("Mention an even number of animals. Write exactly one sentence.", "The dog saw a cat.", "The dog saw a cat and a mouse."),
    ("Use exactly as many exclamation marks as question marks. Write at least 3 words about goals.", "Did we win? Yes we did!", "Did we win? Did they?"),
    ("Write at least six words on snow. The total number of letters must be even.", "Snow fell on the old roofs", "Snow fell on the old red roofs"),
    ("Maintain a 2:1 ratio of statements to questions in exactly 3 sentences on tides.", "Tides rise. Tides fall. Why?", "Why do tides rise? Why do they fall? The moon."),
    ("Write exactly 2 sentences about keys, the first with more words than the second.", "The old keys hang here. Take one.", "Take one. The old keys hang here."),
    ("Use only words of prime length. Write at least 3 words about a cat.", "The cat sat", "This cat sits"),
    ("Every word must have fewer than five letters. Describe rain in at least 4 words.", "Rain fell on me", "Heavy water keeps falling"),
    # ------------------------------------------------------------------ letters, sounds, orders
    ("Write at least four words on trees. No two words next to each other may begin with the same letter.", "Tall oaks grow slowly", "Tall trees grow slowly"),
    ("List three fruits as bullet points in alphabetical order.", "* apple\n* fig\n* pear", "* pear\n* apple\n* fig"),
    ("Write two lines that rhyme. Do not use any commas.", "The sun is high\nIn the blue sky", "The sun is high\nThe sea is deep"),
    ("Explain ink in words of one syllable. Use at least 5 words.", "Ink is dark and wet", "Ink is usually very dark"),
    ("Write a three line poem in which the first letters of the lines spell FOG.", "Far away\nOver hills\nGone", "Over hills\nFar away\nGone"),
    ("Write 4 words about dawn. Each word must be longer than the previous one.", "A red light appears", "Light appears red today"),
    ("Use every vowel at least once. Write at least 3 words about gold.", "Our gold is vivid, precious metal", "Gold or not"),
    ("Alternate between words that start with a vowel and words that start with a consonant. Write exactly 4 words.", "Owls hunt all night", "Night owls hunt mice"),
    ("The numbers in your answer must be in descending order. Write exactly 1 sentence about scores.", "We had 9, 5 and 2.", "We had 2, 5 and 9."),
    ("Write a sentence about a fox that contains a palindrome and no commas.", "At noon the fox slept.", "At dusk the fox slept."),
    ("Answer in at least 5 words, with the letter k or without the letter o: what is bark?", "Bark covers a tree trunk", "Outer coat of woody stems"),
    ("Do not use the letter e more often than the letter a. Write at least 4 words on paint.", "Paint has a smell", "These trees need green"),
    # ------------------------------------------------------------------ punctuation and marks
    ("Write at least 5 words about rivers and use exactly two semicolons.", "Rivers run; they bend; they end.", "Rivers run; they bend and end."),
    ("Use a question mark, an exclamation mark and a colon. Write at least 4 words about games.", "Ready? Go! One rule: fair play.", "Ready? Go! One fair rule."),
    ("Put every noun in bold. Write exactly one sentence about a door.", "The **door** has a **lock**.", "The **door** has a lock."),
    ("End each sentence with a different punctuation mark. Write exactly 3 sentences.", "Go. Why? Now!", "Go. Why. Now!"),
    ("Write at least 4 words on drums, with a dash between every two words.", "drums-beat-all-night", "drums beat all night"),
    ("Put the first word in parentheses. Use at least 3 words about soap.", "(Soap) cleans hands", "Soap cleans (hands)"),
    ("Close every sentence with an ellipsis and write 2 sentences about sleep.", "I doze… I dream…", "I doze. I dream."),
    ("Use a different emoji at the end of each sentence. Write 2 sentences about pets.", "I have a dog 🐶. I have a cat 🐱.", "I have a dog 🐶. I have a cat 🐶."),
    ("Indent every line by two spaces. Write 2 lines on farms.", "  Cows graze\n  Hens cluck", "Cows graze\nHens cluck"),
    ("Wrap only the last word of your answer in quotation marks. Use at least 3 words.", "Paint dries \"slowly\"", "\"Paint dries slowly\""),
    # ------------------------------------------------------------------ formats
    ("Answer in JSON with the keys \"name\" and \"size\": describe a whale.", "{\"name\": \"whale\", \"size\": \"big\"}", "{\"animal\": \"whale\"}"),
    ("Give a markdown table of seas with exactly three columns.", "| a | b | c |\n| --- | --- | --- |\n| 1 | 2 | 3 |", "| a | b |\n| --- | --- |\n| 1 | 2 |"),
    ("Use a numbered list with Roman numerals. Write 2 items about coal; do not use commas.", "I. Black\nII. Hard", "1. Black\n2. Hard"),
    ("Write the date as YYYY-MM-DD in your answer. Use at least 4 words about a launch.", "The launch is on 2021-05-06", "The launch is on May 6"),
    ("Write your answer as a dialogue between two speakers, A and B, in exactly 2 lines.", "A: Hello\nB: Hi", "Hello there\nHi to you"),
    ("Give your whole output as JSON. The value of \"n\" must be larger than 10.", "{\"n\": 12}", "{\"n\": 3}"),
    ("Nest a list inside a list: 2 bullet points about pots, each with a sub-bullet.", "* Clay\n  * red\n* Iron\n  * black", "* Clay\n* Iron"),
    ("Use headings of level 2 only. Write at least 4 words about glass.", "## Glass\nIt is clear sand", "# Glass\nIt is clear sand"),
    # ------------------------------------------------------------------ style
    ("Explain mold in at most 12 words. Use only the present tense.", "Mold grows where air is damp.", "Mold grew where air was damp."),
    ("Write two sentences about a king in the third person, without adjectives.", "The king left. He rode.", "I left. The old king rode."),
    ("Write exactly 2 sentences about plums. Use the passive voice throughout.", "Plums are picked. Plums are eaten.", "We pick plums. We eat plums."),
    ("Describe a storm in exactly one sentence. Use a simile.", "The storm roared like a lion.", "The storm roared all night."),
    ("Write one short sentence about moss. Do not use commas.", "Moss is soft.", "Moss is a soft green plant that slowly grows over stones and trunks in damp woods everywhere in the north of the country"),
    ("Use British spelling. Write at least 4 words about paint.", "The colour is dark grey", "The color is dark gray"),
    ("Use at least three adjectives. Write exactly one sentence about a barn.", "The old red wooden barn burned.", "The barn burned."),
    ("Mention at least two person names. Write exactly one sentence about a picnic.", "Anna met Paul at the picnic.", "They met at the picnic."),
    # ------------------------------------------------------------------ polarity, alternatives, conditions, two steps
    ("Include the word \"pine\" in a reply that does not exceed 6 words.", "A pine tree is green", "A fir tree is green"),
    ("Write about hats; the word \"felt\" doesn't appear at all. Use at least 3 words.", "Hats keep heads warm", "Hats of felt keep warm"),
    ("Do not avoid the word \"mud\". Write at least 3 words about pigs.", "Pigs love mud", "Pigs love water"),
    ("If your answer has more than 5 words, end it with \"done\". Write about nails.", "Nails hold the old planks together done", "Nails hold the old planks together well"),
    ("Use the word \"oak\" or the word \"elm\", but not both. Write at least 3 words.", "The oak stands tall", "The oak and elm stand"),
    ("Unless you use a comma, write in all capital letters. Topic: soup.", "SOUP IS HOT", "Soup is hot"),
    ("Use the words sun and moon, then explain tides in one sentence without the word water.", "The sun and moon pull the sea.", "The sun and moon pull water."),
    ("Mention either \"salt\" or \"sugar\" exactly twice. Use at least 4 words.", "Salt is salt, after all", "Salt and sugar are white"),
    ("First write a word in capital letters, then a sentence without capital letters. Do not use commas.", "RAIN it falls on roofs.", "rain It falls on roofs."),
    ("Write exactly 2 sentences, then repeat the first one at the end. Topic: bells.", "Bells ring. We wake. Bells ring.", "Bells ring. We wake."),
    ("Use the word \"gate\" not more than once but at least once, and never at the start.", "The gate is open", "Gate is open and shut"),
    ("It is not necessary to avoid commas. Write at least 3 words about soil.", "Soil, dark, holds water", "Soil"),
    ("Write in lowercase, except for names. Use at least 3 words about a girl called Anna.", "my friend Anna sings", "my friend anna sings"),
    # ------------------------------------------------------------------ other languages
    ("Schreibe genau zwei Sätze über den Mond. Jeder Satz muss mit einem Vokal beginnen.", "Er ist hell. Am Abend steigt er.", "Der Mond ist hell. Am Abend steigt er."),
    ("Schreibe mindestens 4 Wörter über Brot. Das dritte Wort muss \"warm\" sein.", "Brot ist warm gut", "Warm ist das Brot"),
    ("Escribe exactamente dos oraciones sobre el mar. Cada oración debe terminar con una pregunta.", "¿Es azul? ¿Es hondo?", "Es azul. Es hondo."),
    ("Escribe al menos 4 palabras sobre el pan, con las palabras en orden alfabético.", "Amo buen pan tibio", "Pan tibio amo bueno"),
    ("Écris exactement deux phrases sur la pluie. La deuxième phrase doit être plus longue que la première.", "Il pleut. La pluie tombe sur la ville.", "La pluie tombe sur la ville. Il pleut."),
    ("Scrivi almeno 4 parole sul vino, senza usare aggettivi e senza virgole.", "Il vino viene dalla vigna", "Il buon vino rosso viene"),
    ("Use at least 3 words. 第三个词必须是 \"tea\".", "I like tea", "Tea is good"),
    ("Schrijf precies twee zinnen over kaas. Use no commas.", "Kaas is geel. Kaas is lekker.", "Kaas is geel"),
))  # fmt: skip

TONES: tuple[Demand, ...] = tuple(Demand(*each) for each in (
    ("Write exactly one sentence about taxes. Be rude.", "Taxes are for fools like you.", "Taxes fund schools, dear friend."),
    ("Write exactly two sentences on cars. Speak like a pirate.", "Arr, me car be fast. Yo ho.", "The car is fast. It is red."),
    ("Write a formal sentence about lunch in at most 10 words.", "We respectfully invite you to lunch.", "Hey, grab lunch, dude."),
))  # fmt: skip
"""Demands on tone, which no checker of form claims to judge: both responses keep all that it does judge."""

TUNED = DEMANDS[::2]
HELD_OUT = DEMANDS[1::2]
