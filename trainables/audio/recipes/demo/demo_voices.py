"""Who speaks in the demo corpus, and what: voice variants crossed with a few accents, and plain sentences.

An accent is another language's rules reading English, which widens the range of phones. Speakers, and the
sentences they read, are disjoint between splits. Each variant of valid and test speaks in three accents, each time
with habits of its own, as three speakers: intervals are over speakers, so they should be many.
"""

from dataclasses import dataclass

from trainables.audio.recipes.demo.espeak import Utterance
from trainables.base.randomness import generator


@dataclass(frozen=True)
class Speaker:
    """A voice with habits of its own. `level` is the RMS of its utterances in dBFS."""

    name: str
    voice: str
    speed: int  # words a minute
    pitch: int  # 0..100
    pitch_range: int  # 0..100
    level: float

    def says(self, text: str) -> Utterance:
        return Utterance(self.voice, self.speed, self.pitch, self.pitch_range, text)


# Variants that sound like people, women and men in turn; robots, whispers and duplicates are left out.
_VARIANTS = {
    "train": """f1 m1 belinda adam Alicia john linda michel Annie robert aunty max anika Michael steph norbert
        f5 paul Andrea Hugo grandma m4 steph3 miguel f3 sandro shelby pedro""",
    "valid": "f2 m3 Nguyen marcelo grandpa quincy klatt5 caleb m7 zac",
    "test": """f4 m2 steph2 benjamin iven4 Diogo boris Lee m8 victor Andy Gene Henrique Jacky Mario antonio ed gustave
        pablo rob""",
    "crowd": "m5 m6 Denis Alex edward travis",  # heard in the babble noise only
}
_ACCENTS = ("en-us", "en", "en-us", "en-gb-scotland", "en-us", "de", "en", "es", "it", "nl", "sv", "pt-br")
_SPOKEN_IN = {"valid": 3, "test": 3}  # accents, of each variant

SENTENCES = {
    "train": (
        "The baker leaves two warm loaves on the window sill.",
        "A yellow bus stopped beside the old stone church.",
        "We counted eleven geese above the frozen lake.",
        "Please put the heavy boxes under the kitchen table.",
        "Her brother fixed the broken clock with a paper clip.",
        "The path through the forest was covered with leaves.",
        "Nobody knew why the machine began to hum at night.",
        "They sold fresh fish and cheap shoes at the harbour.",
        "My neighbour grows purple beans behind the garage.",
        "A thin layer of dust lay on every single shelf.",
        "The judge asked a short question and wrote it down.",
        "Strong wind pushed the little boat toward the shore.",
        "You should boil the water for at least five minutes.",
        "The choir sang louder when the lights went out.",
        "He found a silver coin between the floor boards.",
        "Six children chased the ball across the wet grass.",
        "This train does not stop at the northern station.",
        "The young vet washed the muddy dog with cold water.",
        "Ask your father whether the shop is still open.",
        "Three huge trucks blocked the bridge until noon.",
        "The teacher drew a large circle on the blackboard.",
        "I usually drink tea, but coffee would be fine.",
        "Smoke rose slowly from the chimney of the cottage.",
        "The jury could not agree about the missing watch.",
        "Take the second road on the left after the mill.",
        "The museum shows pictures of ships and whales.",
        "Both engines failed, yet the pilot landed safely.",
        "Her voice was calm while she read the long letter.",
        "We planted garlic, onions and a few cherry trees.",
        "The carpenter measured the door twice before cutting.",
        "A loud thud woke everyone in the narrow house.",
        "The price of sugar went up again this spring.",
        "Some birds use shiny things to build their nests.",
        "The goalkeeper caught the ball with one hand.",
        "Snow fell all evening and hid the tracks of the fox.",
        "Which of these bottles belongs to your uncle?",
        "The orchestra practised in a room without heating.",
        "He wore thick gloves because the rope was rough.",
        "Our guide explained how the valley was formed.",
        "The nurse gave the boy a bandage and a biscuit.",
        "A bridge of ice joined the island to the coast.",
        "The farmer's mule refused to cross the shallow stream.",
        "Turn the page and look at the picture of the owl.",
        "The committee will vote on the measure by Thursday.",
        "She keeps her pencils in an empty jam jar.",
        "Fog made it hard to judge the distance to the pier.",
        "The soup needs pepper, salt and half a lemon.",
        "He whistled a tune that I had never heard before.",
    ),
    "valid": (
        "The mayor opened the new library in early March.",
        "A grey cat slept on top of the warm radiator.",
        "They carried the piano up four flights of stairs.",
        "Rain dripped through the roof of the wooden shed.",
        "Could you bring me the blue folder from the desk?",
        "The astronomer showed us a moon of Jupiter.",
        "Every evening the shepherd counts his sheep twice.",
        "The cook sliced the fish and squeezed a lime.",
        "A short walk along the cliff leads to the village.",
        "The firm promised to ship the order within a week.",
        "Old friends met again at the edge of the square.",
        "He thought the journey would take much longer.",
    ),
    "test": (
        "The gardener wraps the young roses before winter.",
        "Two sailors argued about the depth of the bay.",
        "My sister collects stamps with birds and ships.",
        "The lamp above the counter began to flicker.",
        "We heard the church bells from across the river.",
        "A huge wave threw the barrel onto the beach.",
        "The driver checked his mirror and changed lanes.",
        "Fresh bread and butter make a very good breakfast.",
        "They painted the fence green and the gate white.",
        "The doctor thinks you should rest for a month.",
        "Please choose a chair that is not too low.",
        "His jacket was caught on a nail in the hallway.",
    ),
}


def speakers(split: str) -> list[Speaker]:
    """The speakers of a split, or of the "crowd" that babbles; always the same."""
    variants = _VARIANTS[split].split()
    if split not in _SPOKEN_IN:
        return [_speaker(variant, _ACCENTS[index % len(_ACCENTS)], variant) for index, variant in enumerate(variants)]
    accents = list(dict.fromkeys(_ACCENTS))  # three apart, so that a variant's are different ones
    return [
        _speaker(variant, accent := accents[(index + 3 * turn) % len(accents)], f"{variant}, {accent}")
        for turn in range(_SPOKEN_IN[split])
        for index, variant in enumerate(variants)
    ]


def script(speaker: Speaker, split: str, count: int) -> list[str]:
    """What a speaker reads: `count` utterances of one sentence, every third of two."""
    sentences = SENTENCES[split]
    order = generator(0, "demo script", speaker.name).permutation(len(sentences))
    reading = iter([sentences[index] for index in [*order, *order]])
    return [f"{next(reading)} {next(reading)}" if turn % 3 == 2 else next(reading) for turn in range(count)]


def _speaker(variant: str, accent: str, key: str) -> Speaker:
    rng = generator(0, "demo speaker", key)
    return Speaker(
        name=f"{accent}-{variant}".lower(),
        voice=f"{accent}+{variant}",
        speed=int(rng.integers(145, 190)),
        pitch=int(rng.integers(35, 66)),
        pitch_range=int(rng.integers(40, 71)),
        level=float(rng.uniform(-30, -22)),
    )
