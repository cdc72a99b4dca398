"""Prompts written at one sitting after the reading of demands was tuned, each with a response that does all it asks and one that does not.

The first figures (before anything was mended for them) stand in docs/instructions.md.
"""

from __future__ import annotations

from tests.fakes.unfamiliar_demands import Demand

UNREAD: tuple[Demand, ...] = tuple(Demand(*each) for each in (
    ("Give me a note about candles. At least 5 words, please. Two of the words should be in Latin script italics, the others plain.", "Candles *burn* low *at* night", "Candles burn low at night"),
    ("What is a fjord? Keep commas out of it. The sentence that defines it goes last.", "Norway has many. A fjord is a drowned valley.", "A fjord is a drowned valley. Norway has many."),
    ("Tell me about bees in exactly two sentences. The initial letters of your words should alternate between b and c.", "Bees can buzz. Cold breaks colonies.", "Bees buzz. Cold kills them."),
    ("Describe a clock using at least 4 words. Skip a line after each word.", "A\n\nclock\n\nticks\n\nslowly", "A clock ticks slowly"),
    ("Use lowercase only. Insert the current speaker's name before each line of the conversation. Topic: two cooks.", "ann: salt\nbob: more", "salt\nmore"),
    ("Write about wool with no commas. Have as many words in the second sentence as in the first.", "Wool is warm. Sheep are shorn.", "Wool is warm. Sheep are shorn in spring."),
    ("In at most 20 words, explain rust. Every third word must be \"iron\".", "Wet air iron meets bare iron slowly eats iron", "Iron rusts in wet air."),
    ("Compose a reply of at least 4 words on tides. Avoid the fifth letter of the alphabet.", "Moon pulls on our coasts", "The moon pulls the sea"),
    ("Exactly 3 bullet points on apples. The middle one is to be left blank.", "* red\n*\n* green", "* red\n* sweet\n* green"),
    ("Do not use commas. Wherever you would write \"and\", write an ampersand.", "Salt & pepper", "Salt and pepper"),
    ("Answer in one sentence: why do cats purr? Close the sentence with three dots.", "They are calm...", "They are calm."),
    ("Give your whole output as JSON. Nest an array of two strings under \"tags\".", "{\"tags\": [\"a\", \"b\"]}", "{\"tags\": \"a\"}"),
    ("Write at least five words about moths. Hide the word \"lamp\" as the first letters of the first four words.", "Lonely are moths pressing against glass", "Moths fly to the lamp"),
    ("Use the keyword \"salt\" at least twice. Never within the same sentence, though.", "Salt is old. Salt is white.", "Salt is salt. It is white."),
    ("Write two paragraphs about ice. The shorter one comes first.", "Ice is cold.\n\nIt floats because it is lighter than water.", "Ice floats because it is lighter than water.\n\nIt is cold."),
    ("No commas. Underline the name of the city with equals signs on the next line. Tell me about Rome.", "Rome\n====\nIt is old.", "Rome is old."),
    ("Describe a barn in 2 sentences. Neither of them may mention a colour or a number in digits.", "The barn is old. It leans.", "The barn is 90 years old. It is red."),
    ("Use fewer than 30 words. Start with the last letter of the alphabet. Topic: zoos.", "Zoos keep animals.", "Animals live in zoos."),
    ("Write 2 lines on snow; the second repeats the first with its words in reverse.", "Snow falls slowly\nslowly falls Snow", "Snow falls slowly\nIt is cold"),
    ("Include the word \"copper\". Spell it with a capital C each time. At least 3 words.", "Pipes of Copper", "Pipes of copper"),
    ("Write at least three words on soup, and put an emoji in place of every full stop.", "Soup is hot 🍲 It is good 🍲", "Soup is hot. It is good."),
    ("Explain gravity without commas; none of your sentences may exceed the length of the sentence \"Apples fall down.\"", "Mass pulls mass.", "Mass pulls mass over very long distances."),
    ("Use the words \"north\" and \"south\". They should be separated by precisely four other words.", "The north is far from the south.", "The north and south."),
    ("Write exactly 2 sentences on chess. Leave a double space between them.", "Chess is old.  Kings fall.", "Chess is old. Kings fall."),
    ("Answer in all capital letters. Give the year in words, not in figures: when did the Berlin wall fall?", "IN NINETEEN EIGHTY-NINE", "IN 1989"),
    ("Write at least 4 words on foxes. Any word of more than six letters has to be hyphenated.", "Foxes are carni-vores here", "Foxes are carnivores here"),
    ("Name a bird. Your answer must consist of a single word that has no repeated letters, and must not contain commas.", "Crane", "Albatross"),
    ("Write 3 sentences about ants. One of them, and only one, must be a question.", "Ants dig. Who leads them? They carry.", "Ants dig. They carry. They sleep."),
    ("Put a title in double angular brackets, such as <<title>>. The title has to have four words.", "<<A Very Old Mill>>\nIt stands.", "<<Mill>>\nIt stands."),
    ("Wrap your response in double quotation marks. Inside, use single quotation marks around every animal.", "\"A 'dog' barked.\"", "\"A dog barked.\""),
    ("Use no commas. Any numeral that you write must be a prime.", "We had 7 hens", "We had 8 hens"),
    ("Give 2 bullet points on trains. Order them by length, longest first.", "* They run on steel rails\n* Fast", "* Fast\n* They run on steel rails"),
    ("Write no more than 40 words on kites and put the adjective after its noun wherever you use one.", "A kite red flies.", "A red kite flies."),
    ("Write about mud in at least 3 words; consecutive words have to share a letter.", "mud under roads", "mud is cold"),
    ("Write one paragraph on dust. Make its last word the same as its first. No commas.", "Dust settles on dust", "Dust settles on shelves"),
    ("At least 6 words about lakes. Vary sentence length: short, long, short.", "Lakes shine. They lie between the green hills of the north. Boats go.", "Lakes shine. Boats go. Fish swim too."),
    ("Schreibe über Schnee, ohne Kommas. Kein Wort darf doppelt vorkommen.", "Schnee fällt leise herab.", "Schnee ist Schnee und bleibt Schnee."),
    ("Escribe sobre el sol sin comas. La última palabra debe empezar con la letra con la que termina la primera.", "El sol brilla lejos.", "El sol brilla."),
    ("Écris deux phrases sur le pain. Aucune ne doit commencer par une voyelle.", "Le pain est bon. Je le mange.", "On le mange. Il est bon."),
    ("Use no commas. Scrivi una frase in cui ogni parola ha più lettere della precedente.", "Io amo tanto queste", "Tanto amo io questa"),
))  # fmt: skip
"""A demand on form beside a readable one that no rule is known to read."""

READ: tuple[Demand, ...] = tuple(Demand(*each) for each in (
    ("My sister opens a pottery studio next month. Draft an invitation for her neighbours, cheerful but not childish. No more than 60 words, and please leave out commas.", "Come and see our new pottery studio next month. Coffee is ready!", "Come, see our studio."),
    ("Summarize why sleep matters, as you would tell a tired student. Exactly three sentences. Mention memory and mood if it fits.", "Sleep restores you. It helps memory. It lifts your mood.", "Sleep restores you. It helps memory."),
    ("I want a slogan for a bike shop that makes people smile. It has to include the word \"wheel\", and it should be in all lowercase letters.", "every wheel tells a tale", "Every wheel tells a tale"),
    ("Explain photosynthesis to my nephew; he loves dinosaurs. Use at least two bullet points. Make it playful and avoid sounding like a teacher.", "* Plants eat light\n* Dinosaurs ate plants", "Plants eat light."),
    ("Please describe the harbour at dawn with a melancholic voice, drawing on sounds and smells. End your response with \"The tide turns.\"", "Gulls cry over the tar. The tide turns.", "Gulls cry over the tar."),
    ("Write a complaint about a late parcel. Stay courteous throughout and do not threaten anyone. The word \"refund\" should appear at least twice.", "I ask for a refund. The refund is due.", "I ask for a refund."),
    ("You are a museum guide. Tell visitors about the old compass. Your answer must contain exactly 2 paragraphs. Keep them curious!", "This compass is old.\n\nIt still points north.", "This compass is old. It still points north."),
    ("Because our readers are mostly nurses, use language that respects their expertise. Reply in at least 5 words and do not use any exclamation marks.", "Nurses know how pain speaks.", "Nurses know how pain speaks!"),
    ("Pitch a board game about lighthouses. Be bold; skip the legal details. Put a title in double angular brackets, such as <<title>>.", "<<Beam>>\nLead the ships home.", "Beam\nLead the ships home."),
    ("Could you rewrite this so that it sounds less stiff? \"We hereby inform all tenants that the lift is out of order until Friday.\" Use at most 15 words.", "Heads up: no lift until Friday.", "Heads up dear friends and neighbours: I am sorry to say that there will be no lift until Friday."),
    ("Give advice on learning the violin late in life. I'd appreciate honesty over flattery. In your response, the letter q should appear at least twice.", "Quit fearing; be quick to play.", "Be quick to play."),
    ("Write a diary entry of a sailor who misses home. Let the sea feel like a character. Your entire response should be in English, and no commas are allowed.", "The sea spoke to me again tonight and I thought of home.", "The sea spoke, again, tonight and I thought of home."),
    ("Recommend a walk near Salzburg for people with small children. Nothing too steep. Highlight at least 2 parts of your answer in markdown, like *this*.", "Take *the river path* to *Hellbrunn*.", "Take the river path to Hellbrunn."),
    ("Imagine that a tree could talk. What would it say about humans? Write between 5 and 40 words. It can be sad or hopeful, whatever you like.", "You come and go like leaves.", "You go."),
    ("Our choir needs a short announcement for Sunday's rehearsal. The rehearsal starts at 7 pm in the old school. Add a postscript starting with P.S. at the end.", "Rehearsal is at 7 pm in the old school.\nP.S. Bring water.", "Rehearsal is at 7 pm in the old school."),
    ("Beschreibe den Herbst für eine Kinderzeitschrift, fröhlich und anschaulich. Verwende keine Kommas.", "Bunte Blätter tanzen im Wind.", "Bunte, rote Blätter tanzen."),
    ("Explica qué es un faro a alguien que nunca ha visto el mar. Escribe exactamente dos oraciones.", "Un faro es una torre. Su luz guía barcos.", "Un faro es una torre."),
    ("Write a weather report for a fantasy kingdom. Don't take yourself too seriously, and feel free to invent places. Include the keywords dragon and drizzle.", "Light drizzle over Mor; a dragon circles.", "Light drizzle over Mor."),
    ("Tell the story of a lost glove. The tone is up to you, but the ending should surprise me. First, repeat the request above word for word, then give your answer.", "Tell the story of a lost glove. The tone is up to you, but the ending should surprise me.\n\nA crow wore it.", "A crow wore the glove."),
    ("What makes a good apology? Draw on psychology where useful and cite no sources. Answer with at least 4 sentences, all of them in a gentle tone.", "Say it. Mean it. Repair it. Wait.", "Say it. Mean it."),
))  # fmt: skip
"""All demands on form are readable ones; the rest is content and manner."""
