"""The simulated user: several people, who check the result themselves and say what they think."""

import random
from dataclasses import dataclass

from sampling.tasks import Job


@dataclass(frozen=True, slots=True)
class Character:
    """A person: language, patience, and how often they praise."""

    user: str
    language: str
    patience: int
    """Failed calls in a row until they interrupt; 9 = they never do."""
    warmth: float
    """Share of good results that they praise."""


CHARACTERS = (
    Character("ana", "en", 9, 0.8),
    Character("ben", "en", 2, 0.2),
    Character("dieter", "de", 9, 0.5),
    Character("emi", "en", 9, 0.6),
    Character("farid", "en", 3, 0.4),
    Character("lucia", "es", 9, 0.7),
    Character("noor", "en", 3, 0.3),
)

_PRAISE = {
    "en": [
        "Perfect, thanks!",
        "Great, that works.",
        "Nice work, exactly what I wanted.",
        "Looks good, commit it.",
    ],
    "de": ["Super, danke!", "Klasse, funktioniert.", "Perfekt, genau so."],
    "es": ["¡Perfecto, gracias!", "Genial, funciona.", "Excelente, justo lo que quería."],
}
_FIRST_TRY = {
    "en": ["Awesome, first try! That saved me a lot of time.", "Wow, that was quick. Thank you!"],
    "de": ["Gleich beim ersten Mal, klasse! Danke."],
    "es": ["¡A la primera! Muchas gracias."],
}
_NOT_DONE = {
    "en": [
        "Then find another way, please. {request}",
        "That can't be all, it still fails. {request}",
    ],
    "de": ["Dann such einen anderen Weg. {request}"],
    "es": ["Pues busca otra manera. {request}"],
}
_PLAIN = {
    "en": ["ok", "good, that's all", "fine, I'll commit this"],
    "de": ["ok, passt", "gut"],
    "es": ["vale", "bien, eso es todo"],
}
_FIRST = {
    "en": [
        "That's not right, the check still fails here. Did you really change {path}?",
        "I ran it and it does not work. {path} looks wrong to me.",
        "no, it's still failing. please look at {path} again",
        "Hm, you said it was done, but my run of the tests fails.",
    ],
    "de": [
        "Das stimmt nicht, bei mir schlägt es weiter fehl. Hast du {path} wirklich geändert?",
        "Nein, die Prüfung läuft bei mir nicht durch. Bitte sieh dir {path} noch einmal an.",
    ],
    "es": [
        "No funciona, la comprobación sigue fallando. ¿De verdad cambiaste {path}?",
        "Eso no está bien: en mi máquina falla. Mira {path} otra vez.",
    ],
}
_SECOND = {
    "en": [
        "Still broken. I told you already: {request}",
        "Again: {request} Why do you say it's fixed when it isn't?",
        "This is the second time you claim that. It still fails!! {request}",
    ],
    "de": [
        "Immer noch kaputt. Noch einmal: {request}",
        "Schon wieder nicht. Wie gesagt: {request}",
    ],
    "es": ["Sigue sin funcionar. Otra vez: {request}", "Ya te lo dije: {request}"],
}
_LAST = {
    "en": [
        "Forget it, I'll do it myself. What a waste of time.",
        "Seriously? I give up, I've reverted everything and do it by hand.",
    ],
    "de": ["Vergiss es, ich mache es selbst. Das nervt."],
    "es": ["Déjalo, lo hago yo. Qué pérdida de tiempo."],
}
_ADVICE = {
    "en": [
        "stop. you keep sending the same thing. open {path} and look at what is really there",
        "Wait, you're repeating yourself. Read {path} first instead of guessing.",
    ],
    "de": ["Halt, du wiederholst dich. Lies erst {path}."],
    "es": ["Espera, estás repitiendo lo mismo. Lee primero {path}."],
}


class Person:
    """One user in one session; what they say is drawn from a seeded generator."""

    def __init__(self, character: Character, seed: str) -> None:
        self.character = character
        self._random = random.Random(seed)
        self._worded: dict[str, str] = {}

    def request(self, job: Job) -> str:
        """The request for a job, in this person's language."""
        wordings = job.requests.get(self.character.language) or job.requests["en"]
        self._worded[job.name] = self._random.choice(wordings)
        return self._worded[job.name]

    def praise(self, *, first_try: bool) -> str | None:
        """What is said of a good result, or nothing."""
        if self._random.random() >= self.character.warmth:
            return None
        is_struck = first_try and self._random.random() < 0.4
        return self._one_of(_FIRST_TRY if is_struck else _PRAISE)

    def goodbye(self) -> str | None:
        """The last words of somebody who does not praise, if any."""
        return self._one_of(_PLAIN) if self._random.random() < 0.4 else None

    def complaint(self, job: Job, failures: int, answer: str) -> str:
        """What is said when the check fails for the n-th time, after the agent's answer."""
        wordings = _FIRST if failures == 1 else _SECOND
        if "could not" in answer:
            wordings = _NOT_DONE
        return self._filled(self._one_of(wordings), job)

    def advice(self, job: Job) -> str:
        """What is said after an interrupt."""
        return self._filled(self._one_of(_ADVICE), job)

    def farewell(self) -> str:
        """What is said when they take over."""
        return self._one_of(_LAST)

    def _filled(self, wording: str, job: Job) -> str:
        return wording.format(path=job.edits[0].path, request=self._worded[job.name])

    def _one_of(self, wordings: dict[str, list[str]]) -> str:
        return self._random.choice(wordings[self.character.language])
