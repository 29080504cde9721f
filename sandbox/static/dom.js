// Nodes are always built, never parsed: nothing that anyone wrote can become markup.
const SVG = "http://www.w3.org/2000/svg";
const ICONS = {
  hash: "M9 4 7 20M17 4l-2 16M4.5 9H20M4 15h15.5",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  bolt: "M13 3 5 14h6l-1 7 8-11h-6z",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  reply: "M4 5h16v11H10l-5 4v-4H4z",
  close: "M6 6l12 12M18 6 6 18",
  back: "M15 5l-7 7 7 7",
  down: "M6 9l6 6 6-6",
  send: "M4 5l17 7-17 7 2.5-7z",
  pin: "M9 3h6l-1 6 3 4H7l3-4zM12 13v8",
  bookmark: "M7 4h10v16l-5-4-5 4z",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4M12 3v2",
  eye: "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5z",
  archive: "M4 5h16v4H4zM5.5 9v10h13V9M10 13h4",
  people: "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.5 20a6.5 6.5 0 0 1 13 0M16 4.5a3.5 3.5 0 0 1 0 6M18 14a6.5 6.5 0 0 1 3.5 6",
};

/** Build an element. Strings become attributes, other values properties, `on…` listeners; empty children are skipped. */
export function h(tag, props = {}, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(props)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (key === "dataset") Object.assign(node.dataset, value);
    else if (typeof value !== "string" && key in node) node[key] = value;
    else node.setAttribute(key, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  for (const [key, value] of Object.entries({ viewBox: "0 0 24 24", class: `icon icon-${name}`, "aria-hidden": "true" }))
    svg.setAttribute(key, value);
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}

/** Same children, same order, and one that stays is never taken out: it would lose focus, open menus and clicks. */
export function arrange(list, wanted) {
  const staying = new Set(wanted);
  for (const node of [...list.children]) if (!staying.has(node)) node.remove();
  wanted.forEach((node, n) => { if (list.children[n] !== node) list.insertBefore(node, list.children[n] ?? null); });
}

/** Bring the children of `list` up to date with `items`: one node for each `key`, made once and then only changed. */
export function keyed(list, items, key, make, change) {
  const known = new Map([...list.children].map((node) => [node.key, node]));
  arrange(list, items.map((item) => {
    const node = known.get(key(item)) ?? Object.assign(make(item), { key: key(item) });
    change(node, item);
    return node;
  }));
}

/** Replace what is in `node`, if it reads differently. */
export function refill(node, ...children) {
  const fresh = h("div", {}, children);
  if (fresh.innerHTML !== node.innerHTML) node.replaceChildren(...fresh.childNodes);
}

/** A square button that is only an icon; `label` is what a screen reader says. */
export const iconButton = (name, label, onclick, more = {}) =>
  h("button", { type: "button", class: "plain", "aria-label": label, onclick, ...more }, icon(name));

export function avatar(user) {
  if (!user || user.is_bot) return h("span", { class: "avatar app", "aria-hidden": "true" }, icon("bell"));
  const initials = user.real_name.split(/\s+/).map((word) => word[0]).slice(0, 2).join("");
  return h("span", { class: "avatar", style: `background:${user.avatar_color || "#5b6b7d"}`, "aria-hidden": "true" }, initials);
}

/** Open a menu at `anchor`. Each item: {label, hint?, before?, after?, danger?, dataset?, run()}. Escape or a click elsewhere closes it. */
export function menu(anchor, label, items) {
  const panel = h("div", { class: "menu", popover: "auto", role: "menu", "aria-label": label },
    items.map((item) => h("button", {
      type: "button", role: "menuitem", class: item.danger ? "danger" : "", dataset: item.dataset,
      "aria-current": item.current ? "true" : undefined,
      onclick: () => { panel.hidePopover(); item.run(); },
    }, item.before,
    h("span", { class: "grow" }, h("span", { class: "label" }, item.label), item.hint && h("small", {}, item.hint)),
    item.after)));
  panel.addEventListener("toggle", (event) => { if (event.newState === "closed") { panel.remove(); anchor.focus(); } });
  panel.addEventListener("keydown", (event) => moveFocus(panel, event));
  (anchor.closest("dialog") || document.body).append(panel);
  panel.showPopover();
  place(panel, anchor.getBoundingClientRect());
  panel.querySelector("button")?.focus();
}

function moveFocus(panel, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...panel.querySelectorAll("button")];
  buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length].focus();
}

function place(panel, at) {
  const fitsBelow = at.bottom + panel.offsetHeight + 8 < innerHeight;
  panel.style.top = `${fitsBelow ? at.bottom + 4 : Math.max(8, at.top - panel.offsetHeight - 4)}px`;
  panel.style.left = `${Math.max(8, Math.min(at.left, innerWidth - panel.offsetWidth - 8))}px`;
}

const MOST_TOASTS = 4; // a phone has room for one

/** Show `text` for a few seconds; a click runs `open`. */
export function toast(text, { from, open, urgent } = {}) {
  const node = h("button", { type: "button", class: urgent ? "toast urgent" : "toast", onclick: () => { node.remove(); open?.(); } },
    from && avatar(from), h("span", {}, from && h("b", {}, from.real_name), h("span", { class: "line" }, text)));
  const shelf = document.getElementById("toasts");
  shelf.append(node);
  while (shelf.childElementCount > (innerWidth > 640 ? MOST_TOASTS : 1)) shelf.firstElementChild.remove();
  if (shelf.matches(":popover-open")) shelf.hidePopover();
  shelf.showPopover(); // anew each time: the last one shown lies on top, also of an open modal
  setTimeout(() => node.remove(), 8000);
}
