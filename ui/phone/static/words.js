// The catalogue in both languages; switching works offline.

let texts = {};
let language = "zh";

export async function load() {
  texts = await (await fetch("/m/words.json")).json();
  language = cookie("storetwin_lang") ?? document.documentElement.dataset.lang ?? "zh";
  apply();
}

export function say(key, values = {}) {
  const text = texts[language]?.[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => String(values[name] ?? ""));
}

export function current() {
  return language;
}

export function switchLanguage() {
  language = language === "zh" ? "en" : "zh";
  keep("storetwin_lang", language);
  apply();
}

export function theme() {
  return document.documentElement.dataset.theme;
}

export function switchTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  keep("storetwin_theme", next);
}

function apply() {
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  document.title = say("phone.title");
}

function cookie(name) {
  return document.cookie
    .split("; ")
    .find((pair) => pair.startsWith(`${name}=`))
    ?.split("=")[1];
}

function keep(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
}
