// The box people write in: plain text, slash commands with a list of what there is, @names.
import { avatar, h, icon } from "./dom.js";

/**
 * Build a composer. `room()` gives {people: [users], commands}; `send(text)` and `command(name, rest)` answer with true when
 * the text may be cleared; `extra` are buttons for the bar below.
 */
export function composer({ id, label, room, send, command, extra = [] }) {
  const box = h("textarea", { id, rows: "1", "aria-label": label, autocomplete: "off" });
  const list = h("div", { class: "suggestions", role: "listbox", "aria-label": "Suggestions", hidden: true });
  const go = h("button", { type: "submit", class: "send", "aria-label": "Send" }, icon("send"));
  let offers = [], active = 0;

  const grow = () => {
    box.style.height = "auto";
    box.style.height = `${Math.min(box.scrollHeight, 180)}px`;
    go.disabled = !box.value.trim();
  };
  const draw = () => {
    list.hidden = !offers.length;
    list.replaceChildren(...offers.map((offer, n) => h("button",
      { type: "button", role: "option", "aria-selected": String(n === active), onclick: () => take(offer) },
      offer.before, h("b", {}, offer.label), h("span", {}, offer.hint))));
  };
  const suggest = () => { offers = suggestions(box.value.slice(0, box.selectionStart), room()); active = 0; draw(); };
  const take = (offer) => {
    const rest = box.value.slice(box.selectionStart);
    box.value = box.value.slice(0, box.selectionStart - offer.typed.length) + offer.insert + rest;
    offers = [];
    draw(); grow();
    box.focus();
  };
  const submit = async () => {
    const text = box.value.trim();
    if (!text) return;
    const slash = /^(\/\S+)\s*([\s\S]*)$/.exec(text);
    box.value = "";
    offers = [];
    draw(); grow();
    const accepted = await (slash ? command(slash[1], slash[2]) : send(text));
    if (!accepted && !box.value) { box.value = text; grow(); }
  };

  box.addEventListener("input", () => { grow(); suggest(); });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const offer = offers[active];
    if (offer && step) { active = (active + step + offers.length) % offers.length; draw(); }
    else if (offer && event.key === "Escape") { offers = []; draw(); }
    else if (offer && (event.key === "Tab" || event.key === "Enter") && offer.typed !== offer.label) take(offer);
    else if (event.key === "Enter" && !event.shiftKey && !event.isComposing) submit();
    else return;
    event.preventDefault();
  });

  const node = h("form", { class: "composer", onsubmit: (event) => { event.preventDefault(); submit(); } },
    list, box, h("div", { class: "bar" }, extra, h("span", { class: "grow" }), go));
  grow();
  return {
    node,
    read: () => box.value,
    set: (text) => { box.value = text; offers = []; draw(); grow(); },
    invite: (text) => { box.placeholder = text; },
    focus: () => box.focus(),
  };
}

function suggestions(typed, { people, commands }) {
  if (/^\/\S*$/.test(typed))
    return commands.filter(({ command }) => command.startsWith(typed)).map(({ command, usage_hint, description }) => ({
      typed, label: command, insert: `${command} `, hint: [usage_hint, description].filter(Boolean).join(" — "), before: icon("bolt"),
    }));
  const at = /(?:^|\s)(@[\p{L}\d ._-]*)$/u.exec(typed)?.[1];
  if (!at || at.endsWith("  ")) return [];
  const wanted = at.slice(1).toLowerCase();
  return people.filter((user) => user.real_name.toLowerCase().startsWith(wanted) || user.name.startsWith(wanted)).slice(0, 6)
    .map((user) => ({
      typed: at, label: `@${user.name}`, insert: `@${user.name} `, hint: `${user.real_name}, ${user.title}`, before: avatar(user),
    }));
}
