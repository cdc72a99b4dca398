"""Right and wrong answers of the kinds that public graders have been reported to confuse, in our own words.

Each row: reference, prompt, answers that must score 1.0, answers that must score 0.0.
"""

from __future__ import annotations

import pytest

FORMULAS = [
    ('4\\sqrt{5}', 'What is the length of the hypotenuse of the triangle with legs $4$ and $8$?', ['\\boxed{4\\sqrt5}', '\\boxed{\\sqrt{80}}', 'The length is $4\\sqrt{5}\\approx 8.94$.', '$\\sqrt{4^2+8^2}=\\sqrt{80}=4\\sqrt{5}$', '\\boxed{4\\sqrt{5}\\text{ units}}', 'Answer: 4 * 5^(1/2)'], ['\\boxed{8.94}', '\\boxed{5\\sqrt4}']),
    ('\\frac{7}{12}', 'What is the probability that she wins?', ['\\boxed{7/12}', '\\boxed{\\tfrac{7}{12}}', 'The probability is $\\frac{7}{12}$, or about $58.3\\%$.', '\\boxed{\\frac{14}{24}}', 'seven twelfths', 'P = 7/12', '\\boxed{P(\\text{win})=\\frac{7}{12}}', '**Answer:** $\\dfrac{7}{12}$'], ['\\boxed{0.58}', '\\boxed{\\frac{12}{7}}']),
    ('\\{1, 3, 5\\}', 'Find the set of all such numbers.', ['\\boxed{\\{5,3,1\\}}', '\\boxed{1,3,5}', '\\boxed{\\left\\{1, 3, 5\\right\\}}', 'The numbers are 1, 3 and 5.', '$n\\in\\{1,3,5\\}$', '\\boxed{n=1,3,5}'], ['\\boxed{\\{1,3\\}}', '\\boxed{\\{1,3,5,7\\}}', '\\boxed{\\{1,3,6\\}}']),
    ('(2,-3)', 'Find the vertex of the parabola.', ['\\boxed{(2,-3)}', 'The vertex is $(2,-3)$.', 'The vertex is at (2, -3).', '\\boxed{x=2,\\ y=-3}', '\\boxed{y=-3, x=2}', '\\boxed{(x,y)=(2,-3)}', '\\boxed{\\left(2,\\,-3\\right)}', '\\boxed{2,-3}'], ['\\boxed{(-3,2)}', '\\boxed{(2,3)}']),
    ('x=1, y=4', 'Solve the system.', ['\\boxed{(1,4)}', '\\boxed{y=4,\\;x=1}', 'x = 1, y = 4', 'So $x=1$ and $y=4$.', 'So $y=4$ and $x=1$.', '\\boxed{x=1\\text{ and }y=4}', '\\boxed{(x,y)=(1,4)}'], ['\\boxed{(4,1)}', '\\boxed{x=4,y=1}', 'So $x=4$ and $y=1$.', '\\boxed{(x,y)=(4,1)}']),
    ('[-2,5)', 'For which $x$ does it hold?', ['\\boxed{-2\\le x<5}', '\\boxed{x\\in[-2,5)}', '\\boxed{\\{x\\in\\mathbb{R}\\mid -2\\le x<5\\}}', '\\boxed{5>x\\ge-2}', '\\boxed{x\\ge -2\\text{ and }x<5}', '$-2 \\leqslant x < 5$', '-2 <= x < 5', '\\boxed{[-2;5[}'], ['\\boxed{-2\\leq x\\leq 5}', '\\boxed{(-2,5)}']),
    ('(-\\infty,1]\\cup[4,\\infty)', 'Solve $(x-1)(x-4)\\ge0$.', ['\\boxed{x\\le1\\text{ or }x\\ge4}', '\\boxed{x\\geq 4 \\text{ or } x\\leq 1}', '\\boxed{[4,\\infty)\\cup(-\\infty,1]}', '\\boxed{x\\in(-\\infty,1]\\cup[4,+\\infty)}', '\\boxed{\\{x: x\\le 1\\}\\cup\\{x: x\\ge4\\}}', 'x <= 1 or x >= 4'], ['\\boxed{(-\\infty,1)\\cup(4,\\infty)}', '\\boxed{[1,4]}', '\\boxed{1\\le x\\le4}', '\\boxed{(x-1)(x-4)\\ge0}']),
    ('\\mathbb{R}\\setminus\\{2\\}', 'What is the domain of $f(x)=1/(x-2)$?', ['\\boxed{x\\ne2}', '\\boxed{(-\\infty,2)\\cup(2,\\infty)}', 'all real numbers except 2', '\\boxed{\\{x\\mid x\\neq2\\}}'], ['\\boxed{x\\neq 3}', '\\boxed{\\mathbb{R}}']),
    ('x^2-4x+3', 'Expand $(x-1)(x-3)$.', ['\\boxed{x^2-4x+3}', '\\boxed{3-4x+x^2}', '$(x-1)(x-3)=x^2-4x+3$', 'x**2 - 4*x + 3', '\\boxed{x^2 - 3x - x + 3}'], ['\\boxed{(x-3)(x-1)}', '\\boxed{(x-1)(x-3)}', '\\boxed{x^2+4x+3}']),
    ('6x^5', 'Differentiate $x^6$.', ['\\boxed{6x^5}', "\\boxed{f'(x)=6x^5}", '\\boxed{\\frac{d}{dx}x^6=6x^5}', '\\boxed{6x^{5}}', '\\boxed{6x^4\\cdot x}', 'The derivative of $x^6$ is $6x^5$.'], ['\\boxed{5x^6}', 'The derivative is $6y^5$']),
    ('\\frac{x^2}{2}+C', 'Find the antiderivative of $x$.', ['\\boxed{\\frac12x^2+C}', '\\boxed{\\frac{x^2}{2}+c}', '\\boxed{0.5x^2+C}'], ['\\boxed{x^2+C}']),
    ('2^{10}', 'Write $1024$ as a power of two.', ['\\boxed{2^{10}}', '2^10'], ['\\boxed{2^{11}}', '\\boxed{2^{9}}']),
    ('1.2\\times10^{-7}', 'What is the wavelength in metres?', ['\\boxed{1.2\\times 10^{-7}}', '1.2e-7', '\\boxed{1.2\\cdot10^{-7}\\text{ m}}', '\\boxed{0.00000012}', '\\boxed{12\\times 10^{-8}}'], ['\\boxed{1.2\\times10^{-8}}', '\\boxed{1.3\\times 10^{-7}}', '\\boxed{0}']),
    ('\\frac{\\pi}{10^{30}}', 'Give the tiny area.', ['\\boxed{\\pi\\cdot10^{-30}}', '\\boxed{\\frac{2\\pi}{2\\cdot10^{30}}}'], ['\\boxed{\\frac{\\pi}{10^{31}}}', '\\boxed{\\pi 10^{-29}}', '\\boxed{0}']),
    ('25\\%', 'What percentage of the balls are red?', ['\\boxed{25\\%}', '\\boxed{25}', '25 percent', '\\boxed{\\frac14}', '25 per cent'], ['\\boxed{0.25\\%}', '\\boxed{2.5\\%}']),
    ('3:2', 'What is the ratio of boys to girls?', ['\\boxed{3:2}', '3 : 2', '\\boxed{6:4}', '3 to 2', 'The ratio is 3:2.', '\\boxed{3\\colon2}'], ['\\boxed{2:3}']),
    ('8:30 \\text{ p.m.}', 'When does the film end?', ['\\boxed{8:30\\text{ PM}}', '8:30 pm', '\\boxed{20{:}30}', 'The film ends at 8:30 p.m.'], ['\\boxed{8:30\\text{ a.m.}}', '\\boxed{8:03\\text{ p.m.}}']),
    ('12\\text{ cm}', 'How long is the side?', ['\\boxed{12\\text{ cm}}', '\\boxed{12}', '\\boxed{12\\,\\mathrm{cm}}', '\\boxed{120\\text{ mm}}', '12cm', '12 centimetres', '\\boxed{0.12\\text{ m}}'], ['\\boxed{12\\text{ m}}', '\\boxed{12\\text{ inches}}']),
    ('15\\text{ m/s}', 'How fast is the car?', ['\\boxed{15\\text{ m/s}}', '\\boxed{54\\text{ km/h}}', '15 meters per second', '\\boxed{15}'], ['\\boxed{15\\text{ km/h}}']),
    ('2\\text{ hours }15\\text{ minutes}', 'How long does the trip take?', ['\\boxed{2\\text{ h }15\\text{ min}}', '2 hours and 15 minutes', '\\boxed{135\\text{ minutes}}', '\\boxed{2.25\\text{ hours}}'], ['\\boxed{215}', '\\boxed{2\\text{ hours }51\\text{ minutes}}']),
    ('4 \\text{ and } 9', 'Which two numbers are they?', ['\\boxed{9,4}', '\\boxed{4\\text{ and }9}', 'The numbers are 4 and 9.', '\\boxed{4\\text{ or }9}'], ['\\boxed{49}', '\\boxed{4}']),
    ('50 \\text{ north}', 'Where is the ship?', ['\\boxed{50\\text{ north}}'], ['\\boxed{50\\text{ south}}']),
    ('\\begin{pmatrix}1\\\\-2\\\\3\\end{pmatrix}', 'Find the vector.', ['\\boxed{\\begin{bmatrix}1\\\\-2\\\\3\\end{bmatrix}}', '\\boxed{\\begin{pmatrix} 1 \\\\ -2 \\\\ 3 \\end{pmatrix}}'], ['\\boxed{\\begin{pmatrix}3\\\\-2\\\\1\\end{pmatrix}}', '\\boxed{\\begin{pmatrix}1\\\\2\\\\3\\end{pmatrix}}']),
    ('\\text{No solution}', 'Solve it.', ['\\boxed{\\text{no solution}}', 'There is no solution.'], ['\\boxed{x=2}']),
    ('y=-\\frac{1}{2}x+4', 'Find the line.', ['\\boxed{y=4-\\frac{x}{2}}', '\\boxed{y=-0.5x+4}', '\\boxed{x+2y=8}', '\\boxed{x+2y-8=0}'], ['\\boxed{y=\\frac12x+4}']),
    ('x^2+y^2=9', 'Find the circle.', ['\\boxed{y^2+x^2=9}', '\\boxed{x^2+y^2-9=0}'], ['\\boxed{x^2+y^2=3}']),
    ('101_2', 'Write $5$ in base two.', ['\\boxed{101_2}', '\\boxed{101_{2}}', '\\boxed{101}'], ['\\boxed{110_2}', '\\boxed{5}']),
    ('3-2i', 'Simplify.', ['\\boxed{-2i+3}', '\\boxed{3-2\\mathrm{i}}'], ['\\boxed{3+2i}']),
    ('5!', 'How many orders are there?', ['\\boxed{120}', '\\boxed{5!}'], ['\\boxed{60}']),
    ('\\binom{10}{3}', 'How many ways?', ['\\boxed{120}', '\\boxed{\\binom{10}{7}}'], ['\\boxed{\\binom{10}{4}}']),
    ('\\ln 2', 'Evaluate.', ['\\boxed{\\ln(2)}'], ['\\boxed{0.693}', '\\boxed{\\ln 3}']),
    ('391', 'Compute $17\\times 23$.', ['\\boxed{391}', '$17\\times23=391$', '17*23 = 391'], ['\\boxed{17\\cdot23}', '\\boxed{23*17}', '\\boxed{17(23)}']),
    ('(a-b)(a+b)', 'Factor $a^2-b^2$.', ['\\boxed{(a+b)(a-b)}', '\\boxed{-(b-a)(a+b)}'], ['\\boxed{a^2-b^2}', '\\boxed{-b^2+a^2}', '\\boxed{aa-bb}']),
    ('\\frac{3}{4}', 'Simplify $\\frac{18}{24}$.', ['\\boxed{\\frac34}', '\\boxed{0.75}'], ['\\boxed{\\frac{18}{24}}']),
    ('7', 'Find the sum of the digits of $2^{10}\\cdot 5$... the answer is a number', ['Final answer: the digit sum of $5110$ is $7$.', 'The answer to the question about $2^{10}$ is 7.', '**Final Answer:** Since $3+4=7$, the sum equals $\\boxed{7}$.', '### Answer\nThe sum is\n$$7.$$', 'Final Answer: $S = 7$'], ['Final answer: the digit sum of $2^{10}\\cdot5 = 5120$ is $8$.', '71! 7!', '7? 8? 9?', 'The answer is hardly 7.', 'The answer is not 7.', "It isn't 7.", "The answer can't be 7"]),
    ('\\frac{3\\sqrt{2}}{2}', 'Find the distance from the origin to the line $x+y=3$.', ['\\boxed{\\frac{3}{\\sqrt2}}', '\\boxed{\\dfrac{3\\sqrt{2}}{2}}', '\\boxed{1.5\\sqrt2}', '\\boxed{\\frac{3\\sqrt2}{2} \\text{ units}}', 'the distance is $\\frac{3\\sqrt{2}}{2}$', 'distance = 3√2/2', '\\boxed{d = \\frac{3\\sqrt{2}}{2}}', 'We compute $d=\\frac{|3|}{\\sqrt{2}}$.\n\n$$d=\\frac{3\\sqrt2}{2}$$'], ['\\boxed{\\frac{2\\sqrt3}{2}}']),
    ('a=2, b=-5, c=1', 'Find the coefficients $a$, $b$, $c$.', ['\\boxed{a=2,\\; b=-5,\\; c=1}', '\\boxed{c=1, a=2, b=-5}', '\\boxed{(2,-5,1)}', '$a=2$, $b=-5$, $c=1$', 'So a = 2, b = -5 and c = 1.'], ['\\boxed{a=-5,b=2,c=1}', '\\boxed{(1,-5,2)}', '\\boxed{a=2,b=5,c=1}', '\\boxed{a=2, b=-5}']),
    ('x=2 \\text{ or } x=-3', 'Solve $x^2+x-6=0$.', ['\\boxed{x=-3\\text{ or }x=2}', '\\boxed{2,-3}', '\\boxed{x_1=2, x_2=-3}', '\\boxed{\\{-3,2\\}}', 'x = 2 or x = -3', 'The solutions are $x = 2$ and $x = -3$.', '\\boxed{x\\in\\{2,-3\\}}'], ['\\boxed{x=2}', '\\boxed{x=3\\text{ or }x=-2}']),
    ('(0,\\infty)', 'Find the range.', ['\\boxed{y>0}', '\\boxed{(0,+\\infty)}', '\\boxed{\\{y\\mid y>0\\}}', '\\boxed{\\mathbb{R}^+}', 'all positive real numbers'], ['\\boxed{[0,\\infty)}', '\\boxed{y\\ge0}']),
    ('(-\\infty,-1)\\cup(-1,3)\\cup(3,\\infty)', 'Domain?', ['\\boxed{x\\ne-1,\\ x\\ne3}', '\\boxed{\\mathbb{R}\\setminus\\{-1,3\\}}', '\\boxed{x\\neq 3 \\text{ and } x\\neq -1}', '\\boxed{(3,\\infty)\\cup(-1,3)\\cup(-\\infty,-1)}'], ['\\boxed{(-\\infty,3)\\cup(3,\\infty)}']),
    ('10:15', 'What time is it?', ['\\boxed{10:15}', 'It is 10:15.', '\\boxed{10{:}15\\text{ a.m.}}'], ['\\boxed{10:51}', '\\boxed{11:15}']),
    ('6 \\text{ boys and } 4 \\text{ girls}', 'How many boys and girls?', ['\\boxed{6\\text{ boys and }4\\text{ girls}}', '\\boxed{4\\text{ girls and }6\\text{ boys}}'], ['\\boxed{4\\text{ boys and }6\\text{ girls}}', '\\boxed{64}']),
    ('\\frac{1}{60!}', 'Probability?', ['\\boxed{\\frac{1}{60!}}', '1/60!'], ['\\boxed{\\frac{1}{59!}}', '\\boxed{\\frac{2}{60!}}']),
    ('e^{-40}', 'Decay?', ['\\boxed{e^{-40}}', '\\boxed{\\frac1{e^{40}}}'], ['\\boxed{e^{-41}}', '\\boxed{2e^{-40}}']),
    ('10^{-25}\\sqrt{2}', 'Value?', ['\\boxed{\\sqrt2\\cdot10^{-25}}'], ['\\boxed{10^{-26}\\sqrt{2}}', '\\boxed{10^{-25}\\sqrt3}']),
    ('2(x+3)(x-3)', 'Factor $2x^2-18$ completely.', ['\\boxed{2(x-3)(x+3)}'], ['\\boxed{2x^2-18}', '\\boxed{-18+2x^2}', '\\boxed{2\\cdot x\\cdot x-18}']),
    ('x^3+3x^2+3x+1', 'Expand $(x+1)^3$.', ['\\boxed{1+3x+3x^2+x^3}'], ['\\boxed{(1+x)^3}', '\\boxed{(x+1)(x+1)(x+1)}', '\\boxed{x^3+3x^2+3x}']),
    ('5050', 'Compute $1+2+\\cdots+100$.', ['\\boxed{5050}', '$\\frac{100\\cdot 101}{2}=5050$', '= 5050'], ['\\boxed{1+2+\\cdots+100}']),
    ('24', 'What is $4!$?', ['\\boxed{24}', '4! = 24', 'The answer is 24!'], ['\\boxed{4!}']),
    ('\\sqrt{3}', 'Simplify $\\frac{3}{\\sqrt{3}}$.', ['\\boxed{\\sqrt3}', '\\boxed{3^{1/2}}', '$\\frac{3}{\\sqrt3}=\\sqrt3$'], ['\\boxed{\\frac{3}{\\sqrt3}}', '\\boxed{1.73}']),
    ('30^\\circ', 'Find the angle.', ['\\boxed{30^\\circ}', '\\boxed{30}', '30°', '30 degrees', '\\angle ABC = 30^\\circ', '\\boxed{\\angle A=30^\\circ}'], ['\\boxed{60^\\circ}']),
    ('100\\text{ m}^2', 'Find the area.', ['\\boxed{100\\text{ m}^2}', '\\boxed{100\\,\\mathrm{m}^2}', '100 square meters', '\\boxed{100}', '100 m²'], ['\\boxed{100\\text{ m}}', '\\boxed{100\\text{ cm}^2}', '\\boxed{1000\\text{ m}^2}']),
    ('\\$4.50', 'What does it cost?', ['\\boxed{\\$4.50}', '\\boxed{4.5}', '4 dollars and 50 cents', '450 cents', '$4.50', 'It costs $4.50.'], ['\\boxed{\\$45.0}', '€4.50']),
    ('\\{(1,2),(2,1)\\}', 'Solve the system.', ['\\boxed{(1,2),(2,1)}', '\\boxed{(2,1),(1,2)}', '\\boxed{\\{(2,1),(1,2)\\}}', '$(1,2)$ and $(2,1)$'], ['\\boxed{(1,2)}']),
    ('x=3', 'Solve $2x-1=5$.', ['Final Answer: The equation $2x-1=5$ has the solution $x=3$.', 'The solution of $2x-1=5$ is $x=3$.', '**Final Answer**\n\nThe solution to the equation $2x - 1 = 5$ is:\n\n$$x = 3$$', 'The answer is: $2x=6$, so $x=3$.', 'Answer: x equals 3'], ['\\boxed{2x-1=5}', 'The answer is not $x=3$.']),
    ('40', 'How many prime numbers ... is there?', ['Final answer: out of the $100$ numbers, $40$ remain.', 'Final Answer: We have $n=60$ odd and $100-60=40$ even numbers, so the number is 40.', 'The final answer is 40, because $100 - 60 = 40$.', 'The number of even ones among $1,\\dots,100$ not divisible by $5$ is $40$.'], ['Final answer: $40$ or $60$']),
]  # fmt: skip

NUMBERS = [
    ('12', 'How many eggs are in the basket?', ['a dozen', 'twelve', 'There are 12 eggs in the basket.', 'She has 12 eggs in 3 baskets.', 'A dozen eggs.', 'The answer is twelve eggs.', "It's 12, not 13.", 'Not 13 but 12.', 'They sold 4 of the 16, so 12 remain.', '16 - 4 = 12, which is three quarters of the eggs.', 'Answer: 12 (that is 16 - 4)', '**12**', "It's not 13. It's 12.", '12 eggs remain after 4 are sold.', 'Of the 16 eggs, 12 remain.'], ['12 or 13', 'twelve or thirteen', 'twelve, thirteen, fourteen', 'It is hardly 12.', 'I did not get 12.', "The answer isn't 12.", '12 is wrong.', '12! 13!', '11. 12. 13.', '1 2', 'thirteen', 'There are eleven.']),
    ('0.35', 'How much does it cost, in dollars?', ['$0.35', 'It costs $0.35, or 35 cents.', '$0.35 (35 cents)', '.35'], ['It costs $0.35 or $0.40.', '0.53']),
    ('2.5', 'How many hours did it take?', ['2.5 hours (150 minutes)', '2.5 hours, or 150 minutes', 'It took 2.5 hours, which is 150 minutes.', 'two and a half hours', 'two and a half', '2 1/2 hours', '150 minutes (2.5 hours)', 'It took 150 minutes, or 2.5 hours.', '2 and a half hours'], ['2.5 minutes', 'two hours']),
    ('12', 'How much does he save in 4 days?', ['He saves $12 in 4 days.', 'In 4 days he saves $12.', 'He saves $3 each day, so $12 in 4 days.', 'He saves 3 dollars per day for 4 days, which makes 12 dollars.', '4 days * $3 = $12'], ['He saves $3 in 4 days.']),
    ('1/3', 'What part is left?', ['one third', 'one-third', 'a third', '1/3', 'One third of the cake is left.', '0.333', 'A third of it.'], ['two thirds', 'three']),
    ('3/4', 'What fraction is shaded?', ['three quarters', 'three-fourths', '0.75', '75%', '3 out of 4', '1/4 is not shaded, so 3/4 is shaded.'], ['four thirds']),
    ('150', 'How much will she pay?', ['150 dollars', '$150', 'USD 150', '150.00', 'She will pay $150 for 3 tickets at $50 each.', 'She pays 3 x $50 = $150.', 'one hundred fifty dollars', 'one hundred and fifty', '150 €', 'Answer: one hundred fifty', '$150 for the 3 tickets'], ['$15.0']),
    ('60 minutes', 'How long does it take?', ['1 hour', '60 min', '60', 'one hour'], ['60 seconds', '60 hours']),
    ('2.5 km', 'How far is it?', ['2.5 kilometers', '2500 m', 'It is 2.5 km away.', '2.5'], ['2.5 miles', '2.5 m']),
    ('-7', 'What is the temperature?', ['-7', 'minus seven', '−7°C', '-7 degrees', 'negative 7'], ['7']),
    ('25', 'Wie viel kostet es?', ['Es kostet 25 Euro.', 'Die Antwort ist 25.', '25,00 €', '25 Euro für 5 Stück'], ['Es kostet nicht 25 Euro.', 'Die Antwort ist nicht 25.']),
    ('12', '小明有几个苹果？', ['12个', '小明有12个苹果。', '答案是12。', '十二个', '答：12个。', '因为15-3=12，所以是12个。', '答案：十二'], ['不是12个', '13个', '12或13']),
    ('3', 'How many?', ['3 apples', 'There are 3 apples and no pears.', '3.0', 'We need 3 more.', '3 is the number of apples in each of the 4 boxes.'], ['3x', '3^2']),
    ('1,250', 'Total?', ['1250', '1 250', '$1,250.00', '1250 people', 'The total is 1,250 out of 2,000.'], ['1.25', '12,50']),
    ('8', 'How many days?', ['8 days', 'It takes 8 days to read 240 pages at 30 pages a day.', '240/30 = 8', '240 pages / 30 pages per day = 8 days', 'It takes her 8 days.', '8 days, i.e. just over a week', 'She reads 30 pages a day, so it takes 8 days for the 240 pages.'], []),
    ('36', 'How many balls are there?', ['three dozen', 'thirty-six', '36 balls in 4 boxes', 'There are 9 balls in each of the 4 boxes, so there are 36 balls.', 'There are 36 balls, 9 in each box.', 'It is 36, and not 35.', 'Thirty six balls.', '36.', '**36 balls**', 'Result: 36', '4*9=36', '36 (= 4 * 9)', '36 = 4 * 9', 'Le résultat est 36.', 'Ergebnis: 36', 'Es sind 36 Bälle in 4 Kisten.'], ['35! 36! 37!', '35, 36, or 37', '36? Or 37?', "It definitely isn't 36.", 'I never got 36.', '36 is incorrect.', "I don't think it's 36.", 'thirty-five', '4*9', 'The number is between 35 and 37.', "Ce n'est pas 36.", 'El resultado no es 36.']),
    ('1.5', 'How many liters?', ['1.5 L', '1.5 liters (1500 ml)', 'one and a half liters', '1500 ml, i.e. 1.5 liters', '1 1/2', '3/2', '1,5 Liter', 'one point five'], ['1.5 ml', '15']),
    ('20', 'What percent?', ['20%', '20 percent', '1/5, i.e. 20%', '20% (or one fifth)', '20 per cent of the 50 pupils'], ['0.2%']),
    ('5/8', 'What fraction of the pizza is left?', ['five eighths', '5/8 of the pizza', '0.625', '62.5%', '3/8 was eaten, so 5/8 is left', 'Five-eighths of the pizza is left.'], ['eight fifths']),
    ('90 minutes', 'How long?', ['1.5 hours', '1 hour 30 minutes', '1 h 30 min', '90 min', 'one and a half hours'], ['90 hours', '90 seconds', '1 hour and 40 minutes']),
    ('48', 'How much does he earn in a week?', ['He earns $48 in 6 days at $8 a day.', 'He earns $8 a day, which makes $48 for 6 days.', '6 days x $8 = $48 per week', '$48 per week', 'He earns 48 dollars a week.', '$48 every week', 'In 6 days at $8 per day he earns $48.', 'At $8 a day for 6 days, the total is $48.'], ['He earns $8 per day.']),
    ('25 km/h', 'How fast?', ['25 kilometers per hour', '25 kph', '25 km per hour', '25'], ['25 mph', '25 m/s']),
    ('180 cm', 'How tall is he?', ['1.8 m', '1 m 80 cm', '180 centimeters', '180 cm (about 5 ft 11 in)', 'He is 180 cm tall.'], ['180 m']),
    ('24个', '一共有多少个？', ['24', '24个', '二十四个', '一共有24个。', '4×6=24（个）'], ['42个', '24个或25个', '答案不是24个。']),
    ('30元', '多少钱？', ['30元', '30', '三十元', '一共30元。'], ['3元']),
]  # fmt: skip


@pytest.mark.parametrize(("reference", "prompt", "right", "wrong"), FORMULAS)
def test_formulas(scored, reference, prompt, right, wrong):
    values = {completion: scored("math", completion, reference, prompt=prompt).value for completion in right + wrong}
    assert values == {**dict.fromkeys(right, 1.0), **dict.fromkeys(wrong, 0.0)}


@pytest.mark.parametrize("tool", ["number", "math"])
@pytest.mark.parametrize(("reference", "prompt", "right", "wrong"), NUMBERS)
def test_numbers(scored, tool, reference, prompt, right, wrong):
    values = {completion: scored(tool, completion, reference, prompt=prompt).value for completion in right + wrong}
    assert values == {**dict.fromkeys(right, 1.0), **dict.fromkeys(wrong, 0.0)}


@pytest.mark.parametrize(
    ("tool", "reference", "prompt", "completion"),
    [
        ("number", "0.35", "How much does it cost, in dollars?", "35 cents"),
        ("number", "2.5", "How many hours did it take?", "150 minutes"),
        ("number", "1,250", "Total?", "1.250"),
        ("math", "1,250", "Total?", "1.250"),
        ("number", "12.345", "Total?", "12,345"),
        ("number", "12 left", "How many?", "12 blue"),
        ("math", r"9:00\text{ p.m.}", "When?", r"\boxed{9:00}"),
        ("math", "3, -2", "Find $m$ and $n$.", r"\boxed{m=-2, n=3}"),
        ("math", "x=3, y=-2", "Find them.", r"\boxed{\{-2,3\}}"),
        ("math", "2,5", "How much?", "2.5"),
        ("math", "100,200,300", "Which?", r"\boxed{300,200,100}"),
    ],
)
def test_what_may_be_the_same_or_not_gets_no_number(scored, tool, reference, prompt, completion):
    assert scored(tool, completion, reference, prompt=prompt).status == "abstain"
