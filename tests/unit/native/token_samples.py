"""Texts in five kinds of language, with their exact token counts in two encodings, counted once with tiktoken."""
# ruff: noqa: E501, RUF001 - the texts are what was counted

ENGLISH = """The harbour was quiet when the last ferry came in. Two men carried a crate of oranges across the wet planks,
talking about the weather and about a cousin who had moved inland. Nobody noticed the small dog that followed them, or the
letter that had slipped out of somebody's coat. By the time the lights were switched off, the letter had drifted under the
pier, where it stayed until the spring, when a child found it and took it home to dry on the kitchen stove. It said that the
house would be sold before the summer, that the buyers were kind, and that the garden, at least, would be looked after."""

GERMAN = """Im Hafen war es still, als die letzte Fähre anlegte. Zwei Männer trugen eine Kiste Apfelsinen über die nassen
Bretter und sprachen über das Wetter und über einen Vetter, der ins Landesinnere gezogen war. Niemand bemerkte den kleinen
Hund, der ihnen folgte, und auch nicht den Brief, der jemandem aus der Manteltasche gerutscht war. Als die Lichter ausgingen,
war der Brief längst unter den Steg getrieben, wo er bis zum Frühling blieb. Dann fand ihn ein Kind und nahm ihn mit nach
Hause, um ihn auf dem Küchenherd zu trocknen. Darin stand, dass das Haus noch vor dem Sommer verkauft werden solle."""

CHINESE = """最后一班渡轮靠岸时，港口很安静。两个男人抬着一箱橙子走过湿漉漉的木板，谈论着天气，也谈论着一位搬到内地去的表兄。
没有人注意到跟在他们后面的小狗，也没有人注意到从谁的大衣里滑落的那封信。等到灯都关了，信已经漂到码头下面，一直留到春天。
后来一个孩子发现了它，把它带回家，放在厨房的炉子上烤干。信上说，房子会在夏天以前卖掉，买主很和气，至少花园会有人照料。"""

CODE = '''class Ferry:
    """Carries crates across the harbour, never more than it can hold."""

    def __init__(self, capacity: int = 40) -> None:
        self.capacity = capacity
        self._crates: list[Crate] = []

    def load(self, crate: Crate) -> bool:
        if sum(c.weight for c in self._crates) + crate.weight > self.capacity:
            return False
        self._crates.append(crate)
        return True

for (let i = 0; i < crates.length; i++) {
  const { id, weight } = crates[i];
  if (weight > MAX_WEIGHT) throw new RangeError(`crate ${id} is too heavy: ${weight}`);
  total += weight * 1.05;
}
'''

JSON = """{"id": "msg_01HZX4", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Two crates fit."},
{"type": "tool-call", "toolCallId": "call_77", "toolName": "loadCrate", "args": {"crateId": 4711, "weight": 12.5, "fragile":
true, "labels": ["oranges", "harbour", null]}}], "usage": {"inputTokens": 318, "outputTokens": 42, "totalTokens": 360},
"createdAt": "2026-03-14T09:26:53.589Z", "metadata": {"threadId": "b6c7f3a2-4d1e-4f60-9a55-0c2f7d7e8a91", "retry": false}}"""

SAMPLES = {"english": ENGLISH, "german": GERMAN, "chinese": CHINESE, "code": CODE, "json": JSON}

COUNTS = {
    "cl100k_base": {"english": 134, "german": 174, "chinese": 229, "code": 164, "json": 197},
    "o200k_base": {"english": 134, "german": 152, "chinese": 155, "code": 166, "json": 199},
}
