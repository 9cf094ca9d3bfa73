// Codes as scanners send them: GTIN, SSCC, GS1 element strings, document and SKU ids.

const GROUP = "\x1d";
// AI: fixed length of its value; 0 = up to the next separator.
const FIXED = { "00": 18, "01": 14, "02": 14, 11: 6, 13: 6, 15: 6, 17: 6, 20: 2 };
const VARIABLE = ["10", "21", "30", "37", "240", "400"];

export function checkDigitFits(digits) {
  let sum = 0;
  for (let i = 0; i < digits.length - 1; i += 1) {
    const weight = (digits.length - 1 - i) % 2 === 1 ? 3 : 1;
    sum += Number(digits[i]) * weight;
  }
  return (10 - (sum % 10)) % 10 === Number(digits.at(-1));
}

// {kind: "gtin"|"sscc"|"text"|"bad", gtin, sscc, lot, expiry, text, times}
export function parse(raw) {
  let text = raw.trim();
  let times = 1;
  const many = /^(\d{1,4})[*x×](.+)$/i.exec(text);
  if (many) {
    times = Number(many[1]);
    text = many[2].trim();
  }
  text = text.replace(/^\](?:C1|d2|Q3|e0)/, "");
  const found = { kind: "text", text, times };
  if (/^\d+$/.test(text) && [8, 12, 13, 14].includes(text.length)) {
    if (!checkDigitFits(text)) return { ...found, kind: "bad" };
    return { ...found, kind: "gtin", gtin: text.padStart(14, "0") };
  }
  if (/^\d{18}$/.test(text)) {
    return { ...found, kind: checkDigitFits(text) ? "sscc" : "bad", sscc: text };
  }
  if (/^(?:00\d{18}|01\d{14})/.test(text)) return elements(text, found);
  return found;
}

function elements(text, found) {
  const out = { ...found };
  let at = 0;
  while (at < text.length) {
    if (text[at] === GROUP) {
      at += 1;
      continue;
    }
    const ai = VARIABLE.find((name) => text.startsWith(name, at)) ?? text.slice(at, at + 2);
    const length = FIXED[ai];
    if (length === undefined && !VARIABLE.includes(ai)) return { ...found, kind: "bad" };
    at += ai.length;
    const end = length ? at + length : nextGroup(text, at);
    const value = text.slice(at, end);
    if (length && value.length !== length) return { ...found, kind: "bad" };
    at = end;
    if (ai === "01" || ai === "02") {
      if (!checkDigitFits(value)) return { ...found, kind: "bad" };
      out.gtin = value;
    } else if (ai === "00") {
      if (!checkDigitFits(value)) return { ...found, kind: "bad" };
      out.sscc = value;
    } else if (ai === "10") out.lot = value;
    else if (ai === "17" || ai === "15") out.expiry = date(value);
  }
  return { ...out, kind: out.gtin ? "gtin" : "sscc" };
}

function nextGroup(text, at) {
  const end = text.indexOf(GROUP, at);
  return end === -1 ? text.length : end;
}

function date(value) {
  const day = value.slice(4) === "00" ? "01" : value.slice(4);
  return `20${value.slice(0, 2)}-${value.slice(2, 4)}-${day}`;
}
