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

TALK = """Can you move my dentist appointment to Thursday afternoon? I'd rather not miss the stand-up at 10:30, and Priya said
she'll cover for me until 4 pm if it runs late. Also: did the refund for order #88214 ever arrive? It was $129.95, I think.
Sure! I moved it to Thursday, 3:15 pm, and let Priya know. The refund isn't there yet; they promised five to seven days.
Thanks, you're a star. Remind me on Monday if it still hasn't shown up, and don't book anything after six this week, please."""

NACHRICHT = """Der Stadtrat hat am Dienstagabend beschlossen, die Brücke ab Mitte Oktober für den Lastverkehr zu sperren. Grund sind
Risse im Überbau, die bei einer Routineprüfung entdeckt wurden. Pendler müssen sich auf Umleitungen von rund zwölf Kilometern
einstellen; Busse und Rettungsfahrzeuge dürfen weiterhin fahren. „Wir hätten uns das gern erspart“, sagte die Bürgermeisterin,
„aber die Sicherheit geht vor.“ Die Sanierung soll 4,8 Millionen Euro kosten und frühestens im Sommer 2027 abgeschlossen sein."""

GESPRAECH = """Hallo, ich hab gestern bei euch ein Fahrradschloss bestellt, aber die falsche Farbe erwischt. Kann ich das noch ändern?
Klar, kein Problem! Wie lautet denn Ihre Bestellnummer? Dann schaue ich gleich nach, ob das Paket schon unterwegs ist.
Das ist die 40017-B. Ich brauche es in Schwarz statt in Grün, und wenn's geht, bitte an die Packstation schicken.
Erledigt: Schwarz, Lieferung am Freitag an Ihre Packstation. Eine Bestätigung kommt in ein paar Minuten per E-Mail."""

XINWEN = """市政府星期二晚上决定，从十月中旬起禁止货车通过老桥。工程师在例行检查时发现桥面有裂缝，专家认为必须尽快维修。
上班族每天要绕行大约十二公里，公共汽车和救护车不受影响。市长表示，安全永远是第一位的，希望市民能够理解。
维修费用预计为四千八百万元，最早要到2027年夏天才能完工。附近的商店担心生意会变差，已经要求政府给予补贴。"""

LIAOTIAN = """你好，我昨天在你们店里买了一把自行车锁，可是颜色选错了，现在还能换吗？
当然可以！请把订单号告诉我，我先看看包裹有没有发出去。
订单号是40017-B，我想要黑色的，不要绿色的，麻烦寄到我公司楼下的快递柜。
好的，已经帮您改成黑色了，星期五送到，几分钟以后您会收到确认短信。还有什么可以帮您的吗？没有了，谢谢，辛苦啦！"""

JISHU = """要在本地运行这个服务，先安装Python 3.11或更新的版本，然后创建虚拟环境并安装依赖。配置文件config.toml里的数据库地址
必须指向可以访问的PostgreSQL实例，否则程序启动时会报错并退出。默认端口是8080，可以用环境变量PORT修改。
如果请求返回429，说明调用过于频繁，请等待响应头Retry-After给出的秒数后再重试。日志默认写到标准输出，级别为INFO。"""

RUST = """use std::collections::HashMap;

/// Counts how often each word occurs; the most frequent come first.
pub fn count_words(text: &str, limit: usize) -> Vec<(String, usize)> {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for word in text.split_whitespace().map(|w| w.trim_matches(|c: char| !c.is_alphanumeric())) {
        if !word.is_empty() {
            *counts.entry(word.to_lowercase()).or_insert(0) += 1;
        }
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    sorted.truncate(limit);
    sorted
}
"""

SQL = """CREATE TABLE IF NOT EXISTS shipments (
  id BIGSERIAL PRIMARY KEY,
  order_id BIGINT NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
  carrier TEXT NOT NULL CHECK (carrier IN ('post', 'courier', 'pickup')),
  sent_at TIMESTAMPTZ,
  weight_g INTEGER NOT NULL DEFAULT 0
);
SELECT o.customer_id, count(*) AS parcels, sum(s.weight_g) / 1000.0 AS kilos
FROM orders o JOIN shipments s ON s.order_id = o.id
WHERE s.sent_at >= now() - interval '30 days' AND s.carrier <> 'pickup'
GROUP BY o.customer_id HAVING count(*) > 3 ORDER BY kilos DESC LIMIT 20;
"""

ROWS = """{
  "rows": [
    {"sku": "LOCK-40017-B", "title": "Bicycle lock, black", "price": 34.9, "stock": 12, "tags": ["bike", "security"]},
    {"sku": "LAMP-20931", "title": "Front lamp 80 lux", "price": 59.0, "stock": 0, "tags": ["bike", "light", "usb-c"]}
  ],
  "page": {"next": "https://shop.example/api/v2/items?cursor=eyJpZCI6MjA5MzF9&limit=2", "total": 418},
  "took_ms": 17,
  "warnings": null
}"""

SAMPLES = {
    "english": ENGLISH,
    "english talk": TALK,
    "german": GERMAN,
    "german news": NACHRICHT,
    "german talk": GESPRAECH,
    "chinese": CHINESE,
    "chinese news": XINWEN,
    "chinese talk": LIAOTIAN,
    "chinese manual": JISHU,
    "code": CODE,
    "code in rust": RUST,
    "code in sql": SQL,
    "json": JSON,
    "json rows": ROWS,
}

COUNTS = {
    "cl100k_base": {
        "english": 134,
        "english talk": 132,
        "german": 174,
        "german news": 142,
        "german talk": 129,
        "chinese": 229,
        "chinese news": 194,
        "chinese talk": 175,
        "chinese manual": 144,
        "code": 164,
        "code in rust": 170,
        "code in sql": 151,
        "json": 197,
        "json rows": 159,
    },
    "o200k_base": {
        "english": 134,
        "english talk": 127,
        "german": 152,
        "german news": 112,
        "german talk": 110,
        "chinese": 155,
        "chinese news": 122,
        "chinese talk": 114,
        "chinese manual": 110,
        "code": 166,
        "code in rust": 174,
        "code in sql": 150,
        "json": 199,
        "json rows": 159,
    },
}
