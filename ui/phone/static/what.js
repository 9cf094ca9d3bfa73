// What is this: one scan, one answer; stock where there is a connection.

import { el } from "./dom.js";
import { tell } from "./feedback.js";
import { scanner } from "./scanner.js";
import { say } from "./words.js";
import { stockOf } from "./wire.js";
import { lookUp, notice } from "./lookup.js";

export async function what(app) {
  const last = el("div", { class: "last", "aria-live": "assertive" });
  const facts = el("div", { class: "list" });
  const fact = (text) => el("div", { class: "line" }, el("span", { class: "name" }, text));
  const take = async (code, raw) => {
    const known = await lookUp(code);
    facts.replaceChildren();
    if (!known) {
      tell("wrong");
      const key = code.kind === "bad" ? "phone.bad_digit" : "phone.unknown_code";
      return notice(last, "wrong", say(key, { code: raw }));
    }
    tell("good");
    notice(last, "good", known.name, [known.gtin, code.lot, code.expiry].filter(Boolean).join(" · "));
    facts.append(fact(say("phone.case_of", { n: known.pack })));
    try {
      facts.append(fact(say("phone.in_stock", { n: await stockOf(app.place, known.sku) })));
    } catch {
      facts.append(fact(say("phone.needs_connection")));
    }
  };
  return {
    title: say("phone.what"),
    subtitle: app.place,
    body: [scanner(take), last, facts],
    back: app.home,
  };
}
