// Block Kit's interactive elements. Each control carries data-block-id, data-action-id and, if it has a value,
// `readState()` in Slack's shape.
// `surface` = {people, users, channels, dispatch(action, control) -> promise}.
import { h, icon, menu } from "./dom.js";
import { textObject } from "./mrkdwn.js";

const label = (object) => h("span", {}, textObject(object));

export function control(element, block, surface) {
  const build = BUILDERS[element.type];
  if (!build) return h("span", { class: "unsupported" }, `${element.type} is not shown in this workspace`);
  const act = (part) => perform(node, element, block, surface, part);
  const node = build(element, act, surface, block);
  Object.assign(node.dataset, { blockId: block.block_id, actionId: element.action_id });
  // Inside an input block a change is only reported when the block asks for it.
  let last = Promise.resolve(); // a second box ticked while the app still answers for the first is reported after it
  const report = (chosen) => { last = last.then(() => act(chosen)); };
  if (node.readState && (block.type !== "input" || (block.dispatch_action && !element.type.includes("_input"))))
    node.addEventListener("change", () => { if (!node.matches("select") || node.value) report(node.readState()); });
  return node;
}

async function perform(node, element, block, surface, part) {
  if (node.getAttribute("aria-busy") === "true") return;
  if (element.confirm && !(await confirmed(element.confirm, surface.people))) return;
  node.setAttribute("aria-busy", "true");
  try {
    await surface.dispatch({ block_id: block.block_id, action_id: element.action_id, type: element.type, ...part }, node);
  } finally {
    node.removeAttribute("aria-busy");
  }
}

/** Ask with Slack's confirm object; resolves to true when the person agrees. */
function confirmed(confirm, people) {
  return new Promise((resolve) => {
    const close = (answer) => () => { dialog.close(); dialog.remove(); resolve(answer); };
    const dialog = h("dialog", { class: "confirm", "aria-label": confirm.title.text, oncancel: close(false) },
      h("header", {}, h("h2", {}, textObject(confirm.title))),
      h("div", { class: "body" }, textObject(confirm.text, people)),
      h("footer", {}, h("button", { type: "button", class: "button", onclick: close(false) }, label(confirm.deny)),
        h("button", { type: "button", class: `button ${confirm.style || "primary"}`, onclick: close(true) }, label(confirm.confirm))));
    document.body.append(dialog);
    dialog.showModal();
  });
}

const visit = ({ url }) => { if (/^https?:/i.test(url)) window.open(url, "_blank", "noopener"); };

function button(element, act) {
  const press = () => { visit(element); act({ value: element.value, text: element.text }); };
  const look = { type: "button", class: `button ${element.style ?? ""}`, "aria-label": element.accessibility_label };
  return h("button", { ...look, onclick: press }, label(element.text));
}

function overflow(element, act) {
  const items = () => element.options.map((option) => ({
    label: option.text.text, hint: option.description?.text,
    run: () => { visit(option); act({ selected_option: option }); },
  }));
  const node = h("button", { type: "button", class: "button overflow", "aria-label": "More actions", "aria-haspopup": "menu",
    onclick: () => menu(node, "More actions", items()) }, icon("more"));
  return node;
}

// --- choosing ------------------------------------------------------------------------------------------------------

const person = (user) => ({ raw: user.id, key: user.id, text: user.real_name });
const place = (channel) => ({ raw: channel.id, key: channel.id, text: channel.type === "dm" ? channel.name : `#${channel.name}` });
const option = (given) => ({ raw: given, key: given.value, text: given.text.text, hint: given.description?.text });
const grouped = (group) => group.options.map((given) => ({ ...option(given), group: group.label.text }));
const sources = {
  static: ({ options, option_groups: groups }) => (groups ? groups.flatMap(grouped) : options.map(option)),
  users: (_, { users }) => users.filter((user) => !user.deleted && !user.is_bot).map(person),
  conversations: (_, { channels }) => channels.filter((channel) => !channel.is_archived).map(place),
  channels: (_, { channels }) => channels.filter((channel) => channel.type === "channel" && !channel.is_archived).map(place),
};
const FIELD = { static: "option", users: "user", conversations: "conversation", channels: "channel" };

const single = (kind) => (element, _act, surface) => {
  const choices = sources[kind](element, surface);
  const initial = element[`initial_${FIELD[kind]}`];
  const first = initial?.value ?? initial;
  const add = (parent, { key, text }) => parent.append(h("option", { value: key, selected: key === first }, text));
  const node = h("select", {}, h("option", { value: "" }, element.placeholder?.text ?? "Select an option"));
  const groups = new Map();
  for (const choice of choices) {
    if (choice.group && !groups.has(choice.group)) groups.set(choice.group, node.appendChild(h("optgroup", { label: choice.group })));
    add(choice.group ? groups.get(choice.group) : node, choice);
  }
  const picked = () => choices.find((choice) => choice.key === node.value)?.raw ?? null;
  node.readState = () => ({ type: element.type, [`selected_${FIELD[kind]}`]: picked() });
  return node;
};

const several = (kind) => (element, _act, surface) => {
  const choices = sources[kind](element, surface);
  const plural = `${FIELD[kind]}s`;
  const chosen = new Set((element[`initial_${plural}`] ?? []).map((given) => given.value ?? given));
  const summary = h("summary", {});
  const boxes = choices.map((choice) => h("input", { type: "checkbox", value: choice.key, checked: chosen.has(choice.key) }));
  const picked = () => choices.filter((_, n) => boxes[n].checked);
  const show = () => {
    const chips = picked().map((choice) => h("span", { class: "chip" }, choice.text));
    summary.replaceChildren(...(chips.length ? chips : [element.placeholder?.text ?? "Select options"]));
    const isFull = element.max_selected_items && picked().length >= element.max_selected_items;
    for (const box of boxes) box.disabled = isFull && !box.checked;
  };
  const node = h("details", { class: "several", onchange: show }, summary,
    h("div", { class: "choices" }, choices.map((choice, n) => h("label", {}, boxes[n], choice.text))));
  node.readState = () => ({ type: element.type, [`selected_${plural}`]: picked().map((choice) => choice.raw) });
  show();
  return node;
};

// --- asking the app for options ------------------------------------------------------------------------------------

const SUGGEST_AFTER = 250; // milliseconds without a key
const LEAST = 3; // characters, unless `min_query_length` says otherwise

/** A field whose options the app offers while somebody types; with `min_query_length` 0 also before. */
function external(element, _act, surface, block) {
  let chosen = element.initial_option ?? null;
  let timer, asked = 0;
  const box = h("input", { type: "text", role: "combobox", autocomplete: "off", "aria-expanded": "false",
    placeholder: element.placeholder?.text ?? "Select an option", value: chosen?.text.text ?? "" });
  const list = h("div", { class: "offers", role: "listbox", hidden: true });
  const show = (...rows) => {
    list.replaceChildren(...rows);
    list.hidden = !rows.length;
    box.setAttribute("aria-expanded", String(!list.hidden));
  };
  const settle = () => { show(); box.value = chosen?.text.text ?? ""; };
  const pick = (given) => { chosen = given; settle(); node.dispatchEvent(new Event("change")); };
  const row = (given) => h("button", { type: "button", role: "option", "aria-selected": String(given.value === chosen?.value),
    onpointerdown: (event) => event.preventDefault(), onclick: () => pick(given) },
    textObject(given.text), given.description && h("small", {}, textObject(given.description)));
  const ask = async () => {
    const turn = (asked += 1);
    if (box.value.length < (element.min_query_length ?? LEAST)) return show();
    const query = { block_id: block.block_id, action_id: element.action_id, value: box.value };
    const answer = await surface.suggest(query);
    if (turn !== asked || document.activeElement !== box) return;
    const groups = answer.option_groups?.flatMap((group) => [h("b", {}, textObject(group.label)), ...group.options.map(row)]);
    const rows = groups ?? (answer.options ?? []).map(row);
    show(...(rows.length ? rows : [h("p", {}, answer.ok === false ? answer.error : "No results")]));
  };
  box.addEventListener("focus", () => { box.select(); ask(); });
  box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, SUGGEST_AFTER); });
  box.addEventListener("change", (event) => event.stopPropagation());
  box.addEventListener("blur", () => { clearTimeout(timer); asked += 1; settle(); });
  box.addEventListener("keydown", (event) => {
    const offers = [...list.querySelectorAll("button")];
    if (event.key === "Escape" && !list.hidden) { settle(); event.stopPropagation(); }
    else if (event.key === "Enter") offers[0]?.click();
    else return;
    event.preventDefault();
  });
  const node = h("div", { class: "external" }, box, list);
  node.readState = () => ({ type: element.type, selected_option: chosen });
  return node;
}

const boxes = (kind) => (element, _act, surface, block) => {
  const many = kind === "checkbox";
  const initial = many ? (element.initial_options ?? []) : [element.initial_option].filter(Boolean);
  const name = `${block.block_id}.${element.action_id}.${crypto.randomUUID()}`;
  const isFirst = ({ value }) => initial.some((given) => given.value === value);
  const inputs = element.options.map((o) => h("input", { type: kind, name, value: o.value, checked: isFirst(o) }));
  const words = (o) => h("span", {}, textObject(o.text, surface.people),
    o.description && h("small", {}, textObject(o.description, surface.people)));
  const node = h("div", { class: "boxes", role: many ? "group" : "radiogroup" },
    element.options.map((o, n) => h("label", {}, inputs[n], words(o))));
  const picked = () => element.options.filter((_, n) => inputs[n].checked);
  node.readState = () => ({ type: element.type, ...(many ? { selected_options: picked() } : { selected_option: picked()[0] ?? null }) });
  return node;
};

// --- writing -------------------------------------------------------------------------------------------------------

const limits = (element) => ({
  placeholder: element.placeholder?.text, maxLength: element.max_length, minLength: element.min_length,
  min: element.min_value, max: element.max_value,
});

const written = (type) => (element, act, _surface, block) => {
  const node = element.multiline ? h("textarea", { rows: "4", ...limits(element) })
    : h("input", { type, ...limits(element), step: element.is_decimal_allowed ? "any" : undefined });
  node.value = element.initial_value ?? "";
  node.readState = () => ({ type: element.type, value: node.value === "" ? null : node.value });
  const on = element.dispatch_action_config?.trigger_actions_on ?? ["on_enter_pressed"];
  const report = () => act({ value: node.value });
  if (block.dispatch_action && on.includes("on_character_entered")) node.addEventListener("input", report);
  if (block.dispatch_action && on.includes("on_enter_pressed"))
    node.addEventListener("keydown", (event) => { if (event.key === "Enter" && !element.multiline) { event.preventDefault(); report(); } });
  return node;
};

const picker = (type, field) => (element) => {
  const node = h("input", { type, value: element[`initial_${field}`] });
  node.readState = () => ({ type: element.type, [`selected_${field}`]: node.value || null });
  return node;
};

function local(unix) {
  const day = new Date(unix * 1000);
  return new Date(day - day.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function datetime(element) {
  const node = h("input", { type: "datetime-local", value: element.initial_date_time && local(element.initial_date_time) });
  const unix = () => (node.value ? Math.floor(new Date(node.value).getTime() / 1000) : null);
  node.readState = () => ({ type: element.type, selected_date_time: unix() });
  return node;
}

const BUILDERS = {
  button, overflow, workflow_button: button,
  external_select: external, static_select: single("static"), multi_static_select: several("static"),
  users_select: single("users"), multi_users_select: several("users"),
  conversations_select: single("conversations"), multi_conversations_select: several("conversations"),
  channels_select: single("channels"), multi_channels_select: several("channels"),
  radio_buttons: boxes("radio"), checkboxes: boxes("checkbox"),
  plain_text_input: written("text"), number_input: written("number"),
  url_text_input: written("url"), email_text_input: written("email"),
  datepicker: picker("date", "date"), timepicker: picker("time", "time"), datetimepicker: datetime,
};

// --- state ---------------------------------------------------------------------------------------------------------

/** What is filled in below `root`: {block_id: {action_id: {type, value|selected_…}}}; `open` tells of its containers. */
export function readValues(root) {
  const values = {};
  Object.defineProperty(values, "open", { value: {} }); // not sent to the app
  for (const node of root.querySelectorAll("details.container")) values.open[node.dataset.block] = node.open;
  for (const node of root.querySelectorAll("[data-action-id]"))
    if (node.readState) (values[node.dataset.blockId] ??= {})[node.dataset.actionId] = node.readState();
  return values;
}

const INITIAL = { value: "initial_value", selected_option: "initial_option", selected_options: "initial_options" };

/** `element` with what the person had already entered as its initial value (a view was updated under their hands). */
export function withKept(element, kept) {
  if (!kept || kept.type !== element.type) return element;
  const [field, value] = Object.entries(kept).find(([key]) => key !== "type");
  return { ...element, [INITIAL[field] ?? field.replace("selected_", "initial_")]: value ?? undefined };
}

export const isEmpty = (state) => Object.entries(state).every(([key, value]) => key === "type" || value === null || value.length === 0);
