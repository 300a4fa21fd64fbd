"""What the text model is measured on: 240 sentences, most of them from a grammar and a seed, the rest in the public domain; 16 requests."""

from __future__ import annotations

import random

PUBLIC_DOMAIN = (
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness.",
    "Call me Ishmael. Some years ago, never mind how long precisely, I thought I would sail about a little.",
    "It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.",
    "All happy families are alike; each unhappy family is unhappy in its own way.",
    "Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do.",
    "Shall I compare thee to a summer's day? Thou art more lovely and more temperate.",
    "Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty.",
    "We hold these truths to be self-evident, that all men are created equal.",
    "To be, or not to be, that is the question: whether 'tis nobler in the mind to suffer.",
    "Once upon a midnight dreary, while I pondered, weak and weary, over many a quaint and curious volume of forgotten lore.",
    "In the beginning God created the heaven and the earth.",
    "You don't know about me without you have read a book by the name of The Adventures of Tom Sawyer.",
    "Two roads diverged in a yellow wood, and sorry I could not travel both.",
    "When in the Course of human events, it becomes necessary for one people to dissolve the political bands.",
    "Mr. Sherlock Holmes, who was usually very late in the mornings, was seated at the breakfast table.",
    "No one would have believed in the last years of the nineteenth century that this world was being watched.",
)
PEOPLE = ("A woman", "The old man", "My neighbour", "A child", "The teacher", "An engineer", "The cat", "A small dog", "The doctor", "A farmer")
DOINGS = (
    "is reading a newspaper", "walked slowly to the station", "has painted the wall", "was looking for the keys", "opened the window",
    "wants to learn Spanish", "forgot to buy bread", "repaired the old radio", "is standing in front of a red car", "planted 12 trees",
)  # fmt: skip
PLACES = ("in the garden", "near the river", "at the end of the street", "in Berlin", "on the second floor", "behind the school", "by the sea")
ENDS = (
    "because it was raining.", "while the children were asleep.", "before the train arrived at 7:45.", "and nobody noticed.",
    "although the doctor had said no.", "so that the others could see it.", "after a long day at work.", "as she had done every morning for 30 years.",
)  # fmt: skip
FRAMES = (
    "The image shows {thing} on {ground}. The text at the top says \"{words}\".", "The capital of {country} is {city}.",
    "If you mix {one} and {two}, you get a colour that is neither.", "{number} plus {number} is {sum}.",
    "def area(width, height):\n    return width * height  # {words}", "Dear {name},\n\nThank you for your letter of {number} May.",
    "The meme shows {thing} with the words \"{words}\" and people found it funny because it is true.",
)  # fmt: skip
FILL = {
    "thing": ("a cat", "two dogs", "an old bicycle", "a red balloon", "a plate of pasta"), "ground": ("a wooden table", "green grass", "a blue background"),
    "words": ("WHY NOT BOTH", "one does not simply", "me on Monday", "BRACE YOURSELVES"), "city": ("Paris", "Rome", "Madrid", "Vienna"),
    "country": ("France", "Italy", "Spain", "Austria"), "one": ("red", "yellow"), "two": ("blue", "white"), "name": ("Anna", "Mr. Brown", "colleagues"),
}  # fmt: skip
REQUESTS = (
    "What is the capital of France?", "Write one sentence about the sea.", "Name three colours.", "What is 7 plus 5?", "Who wrote Romeo and Juliet?",
    "Give me a short recipe for pancakes.", "Why is the sky blue?", "Translate 'good morning' into French.", "Tell me a short story about a fox.",
    "What do bees make?", "How many days has a week?", "Describe a cat in one sentence.", "What is a meme?", "Is water wet?",
    "List the months of spring.", "What does a baker do?",
)  # fmt: skip


def sentences(count: int = 240, seed: int = 15) -> list[str]:
    rng, found = random.Random(seed), list(PUBLIC_DOMAIN)
    while len(found) < count:
        if rng.random() < 0.4:
            place = rng.randrange(len(FILL["country"]))
            number = rng.randint(2, 60)
            parts = {name: rng.choice(values) for name, values in FILL.items()} | {"number": number, "sum": 2 * number}
            text = rng.choice(FRAMES).format(**parts | {"country": FILL["country"][place], "city": FILL["city"][place]})
        else:
            text = " ".join(rng.choice(part) for part in (PEOPLE, DOINGS, PLACES, ENDS))
        if text not in found:
            found.append(text)
    return found


def turn(request: str) -> str:
    return f"<|im_start|>user\n{request}<|im_end|>\n<|im_start|>assistant\n"
