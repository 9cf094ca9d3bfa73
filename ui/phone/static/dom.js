// Small building blocks of the screens.

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== undefined && value !== false) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

export function button(text, listener, kind = "") {
  return el("button", { type: "button", class: kind, on: { click: listener } }, text);
}

// A question across the screen; resolves to true or false.
export function ask(text, yes, no) {
  return new Promise((resolve) => {
    const box = el("dialog", { class: "ask", "aria-label": text });
    const close = (answer) => {
      box.close();
      box.remove();
      resolve(answer);
    };
    box.append(
      el("p", {}, text),
      button(yes, () => close(true), "amber"),
      button(no, () => close(false), "plain"),
    );
    box.addEventListener("cancel", () => close(false));
    document.body.append(box);
    box.showModal();
  });
}
