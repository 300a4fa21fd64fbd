"""Everything that a caption can name: emoji, shapes, colours, backgrounds."""

# name: (emoji, plural)
EMOJI = {
    "red apple": ("🍎", "red apples"), "orange": ("🍊", "oranges"), "lemon": ("🍋", "lemons"),
    "banana": ("🍌", "bananas"), "watermelon": ("🍉", "watermelons"), "strawberry": ("🍓", "strawberries"),
    "pineapple": ("🍍", "pineapples"), "carrot": ("🥕", "carrots"), "mushroom": ("🍄", "mushrooms"),
    "pizza": ("🍕", "pizzas"), "hamburger": ("🍔", "hamburgers"), "hot dog": ("🌭", "hot dogs"),
    "donut": ("🍩", "donuts"), "cookie": ("🍪", "cookies"), "birthday cake": ("🎂", "birthday cakes"),
    "ice cream": ("🍦", "ice creams"), "fried egg": ("🍳", "fried eggs"), "avocado": ("🥑", "avocados"),
    "mug of beer": ("🍺", "mugs of beer"), "cat": ("🐱", "cats"), "dog": ("🐶", "dogs"),
    "mouse": ("🐭", "mice"), "rabbit": ("🐰", "rabbits"), "fox": ("🦊", "foxes"), "panda": ("🐼", "pandas"),
    "koala": ("🐨", "koalas"), "tiger": ("🐯", "tigers"), "lion": ("🦁", "lions"), "cow": ("🐮", "cows"),
    "pig": ("🐷", "pigs"), "frog": ("🐸", "frogs"), "monkey": ("🐵", "monkeys"), "chicken": ("🐔", "chickens"),
    "penguin": ("🐧", "penguins"), "owl": ("🦉", "owls"), "unicorn": ("🦄", "unicorns"),
    "turtle": ("🐢", "turtles"), "snake": ("🐍", "snakes"), "octopus": ("🐙", "octopuses"),
    "crab": ("🦀", "crabs"), "tropical fish": ("🐠", "tropical fish"), "whale": ("🐳", "whales"),
    "shark": ("🦈", "sharks"), "elephant": ("🐘", "elephants"), "butterfly": ("🦋", "butterflies"),
    "bee": ("🐝", "bees"), "ladybug": ("🐞", "ladybugs"), "snail": ("🐌", "snails"),
    "ghost": ("👻", "ghosts"), "alien": ("👽", "aliens"), "robot": ("🤖", "robots"),
    "skull": ("💀", "skulls"), "clown": ("🤡", "clowns"), "pumpkin": ("🎃", "pumpkins"),
    "smiling face": ("😃", "smiling faces"), "laughing face": ("😂", "laughing faces"),
    "crying face": ("😭", "crying faces"), "angry face": ("😡", "angry faces"),
    "face with sunglasses": ("😎", "faces with sunglasses"), "thinking face": ("🤔", "thinking faces"),
    "screaming face": ("😱", "screaming faces"), "sleeping face": ("😴", "sleeping faces"),
    "baby": ("👶", "babies"), "sun": ("🌞", "suns"), "crescent moon": ("🌙", "crescent moons"),
    "rainbow": ("🌈", "rainbows"), "snowman": ("⛄", "snowmen"), "fire": ("🔥", "fires"),
    "tree": ("🌳", "trees"), "palm tree": ("🌴", "palm trees"), "Christmas tree": ("🎄", "Christmas trees"),
    "cactus": ("🌵", "cactuses"), "sunflower": ("🌻", "sunflowers"), "rose": ("🌹", "roses"),
    "red car": ("🚗", "red cars"), "bus": ("🚌", "buses"), "bicycle": ("🚲", "bicycles"),
    "rocket": ("🚀", "rockets"), "airplane": ("✈", "airplanes"), "sailboat": ("⛵", "sailboats"),
    "guitar": ("🎸", "guitars"), "soccer ball": ("⚽", "soccer balls"), "basketball": ("🏀", "basketballs"),
    "trophy": ("🏆", "trophies"), "crown": ("👑", "crowns"), "umbrella": ("☔", "umbrellas"),
    "key": ("🔑", "keys"), "light bulb": ("💡", "light bulbs"), "phone": ("📱", "phones"),
    "laptop": ("💻", "laptops"), "camera": ("📷", "cameras"), "alarm clock": ("⏰", "alarm clocks"),
    "open book": ("📖", "open books"), "balloon": ("🎈", "balloons"), "present": ("🎁", "presents"),
    "bomb": ("💣", "bombs"), "house": ("🏠", "houses"), "thumbs up": ("👍", "thumbs up"),
    "top hat": ("🎩", "top hats"), "bag of money": ("💰", "bags of money"), "teddy bear": ("🧸", "teddy bears"),
}
NO_ARTICLE = {"fire", "ice cream"}

SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond")
COLORS = {
    "red": (212, 32, 36), "orange": (246, 138, 22), "yellow": (250, 220, 40), "green": (42, 160, 60),
    "blue": (36, 84, 204), "purple": (126, 48, 168), "pink": (250, 142, 190), "brown": (122, 74, 38),
    "gray": (134, 134, 134), "white": (246, 246, 246), "black": (18, 18, 18),
}

PATTERNS = ("plain", "gradient", "striped", "checkered", "dotted")
# kind: the words that follow the objects
PLACES = {
    "bricks": "in front of a brick wall", "grass": "on green grass", "sand": "on a sandy beach",
    "clouds": "in front of a cloudy sky", "stars": "under a starry sky", "sunset": "in front of a sunset",
    "water": "on blue water", "wood": "on a wooden floor", "mountains": "in front of mountains",
    "lights": "in front of blurred lights", "blur": "in front of a blurred background",
    "clutter": "on an abstract background", "city": "in front of a city at night", "marble": "on a marble table",
    "forest": "in front of a forest",
}
BACKGROUNDS = [f"{pattern} {color}" for pattern in PATTERNS for color in COLORS] + list(PLACES)
OBJECTS = list(EMOJI) + list(SHAPES)
NUMBERS = {2: "two", 3: "three", 4: "four"}
