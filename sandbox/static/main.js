// Who acts and where is in the address (#as=…&c=…&thread=…&ts=…); events are hints to read again what they name.
import * as alerts from "./alerts.js";
import { coalesce, follow, get, post } from "./api.js";
import { renderBlocks } from "./blocks.js";
import { composer } from "./composer.js";
import { h, icon, iconButton, menu, toast } from "./dom.js";
import { readValues } from "./elements.js";
import * as messages from "./messages.js";
import * as modal from "./modal.js";
import { link, mrkdwn, plainLine } from "./mrkdwn.js";
import { isPressed, whenReleased } from "./press.js";
import * as sidebar from "./sidebar.js";

const $ = (id) => document.getElementById(id);
const address = (place) => `#${new URLSearchParams(Object.entries(place).filter(([, value]) => value))}`;

let state = null; // what /ui/state answered last
let at = {}; // {as, c, thread, ts, tab}
let home = null; // the published Home tab of the acting person
let publications = 0; // how often it was published since this page was loaded
let announced = ""; // ts of the direct message that was announced last
let unfollow = () => {};
const waiting = {}; // user id -> unread messages from the app
const drafts = new Map();

const current = () => state.channels.find((channel) => channel.id === at.c);
const isAppPlace = () => at.c === "app" || current()?.user === state.app.bot_user_id;
const fromApp = (given) => given.channels.find((channel) => channel.type === "dm" && channel.user === given.app.bot_user_id);
const isOnHome = () => isAppPlace() && at.tab === "home";
const isSeen = () => !document.hidden && !isOnHome();
const people = {
  get me() { return at.as; },
  user: (id) => state.users.find((user) => user.id === id),
  channel: (id) => state.channels.find((channel) => channel.id === id),
  group: (id) => state.usergroups?.find((group) => group.id === id),
  href: (id) => address({ as: at.as, c: id }),
};
const bot = () => people.user(state.app.bot_user_id) ?? { real_name: state.app.name, is_bot: true };

// --- where we are --------------------------------------------------------------------------------------------------

function go(changes) {
  const { as, c, tab } = at;
  const next = address({ as, c, tab: changes.c ? "" : tab, thread: changes.c ? "" : at.thread, ...changes });
  document.body.dataset.pane = changes.thread ? "thread" : "main";
  next === location.hash ? arrive() : (location.hash = next);
}

async function arrive() {
  const wanted = Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
  const before = at;
  if (!state || (wanted.as && wanted.as !== at.as)) await become(wanted.as);
  at = { ...wanted, as: at.as, c: resolve(wanted.c) };
  if (before.c !== at.c || before.as !== at.as) enter(before);
  if (before.thread !== at.thread) $("replies").stuck = true;
  history.replaceState(null, "", address(at));
  draw();
  await Promise.all([refreshMessages(), refreshThread(), showHome()]);
  if (at.ts) await pointOut(at.ts);
}

/** Light up the message that a link points at; a reply has its thread opened first. */
async function pointOut(ts) {
  const found = [$("messages"), $("replies")].map((list) => messages.highlight(list, ts)).some(Boolean);
  if (found || at.thread) return;
  const { messages: [row] = [] } = await get("thread", { as: at.as, channel: at.c, ts });
  if (row?.thread_ts) go({ thread: row.thread_ts, ts });
}

function resolve(wanted) {
  const seen = state.channels.find((channel) => channel.id === wanted) ?? (wanted === "app" && fromApp(state));
  const first = state.channels.find((channel) => channel.name === "general") ?? state.channels[0];
  return seen ? seen.id : wanted === "app" ? "app" : first?.id;
}

const FIRST = "U0DANA0001"; // where a first visit starts

async function become(wanted) {
  for (const as of [wanted, at.as, localStorage.getItem("acting-as"), FIRST].filter(Boolean)) {
    const next = await get("state", { as });
    if (next.users) return start(as, next);
  }
  throw new Error("The workspace knows none of these people");
}

function start(as, next) {
  if (at.as && at.as !== as) moveOver();
  state = next;
  at = { as };
  home = null;
  localStorage.setItem("acting-as", as);
  modal.setup(as, viewSurface);
  unfollow();
  unfollow = follow(at.as, {
    onEvent,
    onOpen: () => { $("offline").hidden = true; refreshAll(); },
    onLost: () => { $("offline").hidden = false; },
  });
  sweepSoon();
}

/** Somebody else acts now: what was announced to the one before is not theirs, and the first steps were taken. */
function moveOver() {
  $("toasts").replaceChildren();
  localStorage.setItem("hint-seen", "yes");
}

function enter(before) {
  drafts.set(`${before.as} ${before.c}`, write.read());
  write.set(drafts.get(`${at.as} ${at.c}`) ?? "");
  for (const list of [$("messages"), $("replies")]) Object.assign(list, { stuck: true }).replaceChildren();
}

// --- reading -------------------------------------------------------------------------------------------------------

const refreshState = coalesce(async () => {
  const as = at.as;
  const next = await get("state", { as });
  if (as !== at.as || !next.users) return;
  announce(state, next);
  state = next;
  if (at.c === "app" && fromApp(state)) return arrive(); // its first message made the place we were waiting in
  draw();
});

const refreshMessages = coalesce(async () => {
  const { as, c } = at;
  if (!current()) return $("messages").replaceChildren(h("p", { class: "empty" }, beginning()));
  const { messages: found } = await get("messages", { as, channel: c });
  if (found && as === at.as && c === at.c) messages.update($("messages"), found, { ...view(), openThread: (ts) => go({ thread: ts }) });
});

const beginning = () => `This is the very beginning of your direct messages with ${state.app.name}.`;

const refreshThread = coalesce(async () => {
  const { as, c, thread } = at;
  if (!thread) return $("replies").replaceChildren();
  const { messages: found } = await get("thread", { as, channel: c, ts: thread });
  if (found && thread === at.thread && as === at.as) messages.update($("replies"), found, { ...view(), inThread: true });
});

const refreshAll = () => Promise.all([refreshState(), refreshMessages(), refreshThread(), modal.refresh(), refreshHome()]);

function onEvent(event) {
  if (event.type === "view" || event.type === "view_closed") modal.refresh();
  else if (event.type === "home") { publications += 1; home = event.view; drawHome(); }
  else if (event.type === "notice") toast(event.text, { from: bot(), urgent: true });
  else {
    refreshState();
    if (!event.channel || event.channel === at.c) { refreshMessages(); refreshThread(); }
  }
  sweepSoon();
}

/** A direct message from the app that is not on the screen is announced, as a desktop notification would. */
async function announce(before, next) {
  const was = fromApp(before)?.unread ?? 0;
  const dm = fromApp(next);
  if (!dm || dm.unread <= was || (dm.id === at.c && isSeen())) return;
  const { messages: found } = await get("messages", { as: at.as, channel: dm.id });
  const last = found?.at(-1);
  // Meanwhile somebody may have gone there, and the reading for an earlier message may have found this one.
  if (!last || last.ts === announced || (dm.id === at.c && isSeen())) return;
  announced = last.ts;
  toast(plainLine(last.text, people), { from: bot(), open: () => go({ c: dm.id }) });
}

let sweeping;
function sweepSoon() {
  clearTimeout(sweeping);
  sweeping = setTimeout(sweep, document.hidden ? 15000 : 800);
}

/**
 * Who else has something unread from the app. Nobody tells us about other people's messages, so we look; at one after the
 * other, so that what somebody does here never queues behind it: a browser has six connections for all.
 */
const sweep = coalesce(async () => {
  for (const user of state.users.filter(({ is_bot, deleted, id }) => !is_bot && !deleted && id !== at.as)) {
    const seen = await get("state", { as: user.id });
    if (seen.channels) waiting[user.id] = fromApp(seen)?.unread ?? 0;
  }
  drawSidebar();
  clearTimeout(sweeping);
  sweeping = setTimeout(sweep, 10000);
});

// --- drawing -------------------------------------------------------------------------------------------------------

function drawSidebar() {
  if (!isPressed($("sidebar"))) sidebar.draw(state, at, waiting, go);
}

function draw() {
  const channel = current();
  if (channel?.unread && isSeen()) {
    Object.assign(channel, { unread: 0, mentions: 0 });
    post("read", { as: at.as, channel: channel.id });
  }
  drawSidebar();
  alerts.draw(state, (source, ended) => tell("alert", { source, ended }));
  drawHeader(channel);
  const onHome = isOnHome();
  $("home").hidden = !onHome;
  $("messages").hidden = onHome;
  const closed = closedBecause(channel);
  $("composer-slot").hidden = onHome || Boolean(closed);
  $("archived").hidden = onHome || !closed;
  $("archived").replaceChildren(icon("archive"), closed);
  $("thread").hidden = !at.thread;
  $("thread-slot").hidden = !channel || channel.is_archived;
  $("thread-place").textContent = channel ? title(channel) : "";
  drawHint();
}

/** Why nobody can write here; empty where they can. */
function closedBecause(channel) {
  if (channel?.is_archived) return `You are viewing #${channel.name}, an archived channel. It can only be read.`;
  return isAppPlace() && !state.app.messages_tab ? "Sending messages to this app has been turned off." : "";
}

const title = (channel) => (channel.type === "dm" ? "" : "#") + sidebar.title(channel, state);

function drawHeader(channel) {
  const name = channel ? sidebar.title(channel, state) : state.app.name;
  const badges = [isAppPlace() && "APP", channel?.is_archived && "ARCHIVED"].filter(Boolean);
  $("channel-name").replaceChildren(sidebar.mark(channel ?? { user: state.app.bot_user_id, type: "dm" }, state),
    h("span", {}, name), ...badges.map((text) => h("span", { class: "badge" }, text)));
  $("topic").replaceChildren(mrkdwn(channel?.topic, people));
  $("topic").title = $("topic").textContent;
  $("member-count").replaceChildren(...(channel && channel.type !== "dm" ? [icon("people"), String(channel.members.length)] : []));
  $("member-count").title = (channel?.members ?? []).map((id) => people.user(id)?.real_name).join(", ");
  $("tabs").hidden = !isAppPlace();
  for (const tab of $("tabs").children) tab.setAttribute("aria-selected", String(tab.dataset.tab === (at.tab || "messages")));
  $("bookmarks").hidden = !channel?.bookmarks?.length;
  $("bookmarks").replaceChildren(...(channel?.bookmarks ?? []).map((mark) => h("span", {}, icon("bookmark"), link(mark.link, mark.title))));
  const unread = state.channels.reduce((sum, c) => sum + (c.type === "dm" ? c.unread : c.mentions), 0);
  document.title = `${unread ? `(${unread}) ` : ""}${name} | ${state.team.name}`;
  write.invite(`Message ${channel ? title(channel) : name}`);
}

/** Opening Home tells the app, which may publish it anew. */
const showHome = () => readHome((as) => post("home", { as }));
/** What was published while nobody could hear of it. */
const refreshHome = () => readHome((as) => get("home", { as }));

async function readHome(read) {
  if (!isOnHome()) return;
  const as = at.as;
  const before = publications;
  const answer = await read(as);
  // What was published meanwhile is newer than the answer, which may be read after it.
  if (as === at.as && answer.view && publications === before) home = answer.view;
  drawHome();
}

function drawHome() {
  if (isPressed($("home"))) return;
  const kept = readValues($("home"));
  $("home").replaceChildren(...(home ? renderBlocks(home.blocks, viewSurface({ type: "view", view_id: home.id }, $("home")), kept)
    : [h("p", { class: "empty" }, `${state.app.name} has not published a Home tab for you yet.`)]));
}

const EXPECT_INCIDENT = "A form opens. Choose P0 and send it: the incident gets its card in #incidents and a channel of its own, and whoever is on call "
  + "is paged. The badges under your name show who that is; switch to them and acknowledge, or wait and watch it escalate.";
const EXPECT_ANYTHING = "You are one of several people here. Switch between them at the top left; "
  + "what the app sends each of them is shown with a badge.";

function drawHint() {
  const seen = localStorage.getItem("hint-seen") || state.app.has_written; // the first steps were taken
  const declare = state.commands.find((command) => command.command === "/incident") && "/incident declare Checkout is down";
  $("hint").hidden = Boolean(seen) || at.tab === "home" || !state.commands.length;
  if ($("hint").hidden || $("hint").childElementCount) return;
  const example = declare || state.commands[0].command;
  const done = () => { localStorage.setItem("hint-seen", "yes"); $("hint").hidden = true; };
  $("hint").append(
    h("div", { class: "grow" }, h("b", {}, "Try: "),
      h("button", { type: "button", class: "try", onclick: () => draft(example) }, example),
      h("p", {}, declare ? EXPECT_INCIDENT : EXPECT_ANYTHING)),
    iconButton("close", "Dismiss", done));
}

// --- acting --------------------------------------------------------------------------------------------------------

async function tell(path, body) {
  const answer = await post(path, { as: at.as, ...body });
  if (answer.ok === false) toast(answer.error ?? "That did not work.", { urgent: true });
  return answer.ok !== false;
}

const viewSurface = (container, root = $("modal")) => surface(container, () => readValues(root));
const surface = (container, values) => ({
  people, users: state.users, channels: state.channels,
  suggest: (action) => post("suggest", { as: at.as, container, action, state: { values: values() } }),
  dispatch: (action) => tell("action", { container, action, state: { values: values() } }),
});

const view = () => ({
  people, bot: bot(), pins: current()?.pins ?? [], menu: messageMenu,
  surface: (message) => surface({ type: "message", channel: at.c, message_ts: message.ts }, () => messageValues(message.ts)),
});

const messageValues = (ts) => readValues(document.querySelector(`.message[data-ts="${CSS.escape(ts)}"]`));

function messageMenu(message, anchor) {
  const shortcuts = state.shortcuts.filter((shortcut) => shortcut.type === "message").map((shortcut) => ({
    label: shortcut.name, hint: state.app.name, before: icon("bolt"), dataset: { shortcut: shortcut.callback_id },
    run: () => tell("shortcut", { callback_id: shortcut.callback_id, channel: at.c, message_ts: message.ts }),
  }));
  const copy = () => navigator.clipboard.writeText(`${location.origin}/${address({ c: at.c, ts: message.ts, thread: message.thread_ts })}`);
  const pinned = (current()?.pins ?? []).includes(message.ts);
  const pin = () => tell("pin", { channel: at.c, ts: message.ts, remove: pinned });
  menu(anchor, "Message actions", [{ label: "Copy link", before: icon("bookmark"), run: copy },
    { label: pinned ? "Unpin" : "Pin to channel", before: icon("pin"), dataset: { pin: message.ts }, run: pin }, ...shortcuts]);
}

const groups = () => (state.usergroups ?? []).map(({ handle, name, users }) => ({
  name: handle, real_name: name, title: users.map((id) => people.user(id)?.real_name ?? id).join(", "),
}));
const room = () => ({ people: [...state.users.filter((user) => !user.is_bot && !user.deleted), ...groups()], commands: state.commands });
const draft = (text) => { write.set(text); write.focus(); };
const bolt = iconButton("bolt", "Shortcuts", () => menu(bolt, "Shortcuts", shortcuts()), { "aria-haspopup": "menu" });
const shortcuts = () => [
  ...state.shortcuts.filter((shortcut) => shortcut.type === "global").map((shortcut) => ({
    label: shortcut.name, hint: state.app.name, before: icon("bolt"), dataset: { shortcut: shortcut.callback_id },
    run: () => tell("shortcut", { callback_id: shortcut.callback_id }),
  })),
  ...state.commands.map(({ command, description }) => ({
    label: command, hint: description, before: icon("bolt"), run: () => draft(`${command} `),
  })),
];

const write = composer({
  id: "composer", label: "Message", room, extra: [bolt],
  send: (text) => { messages.follow($("messages")); return tell("say", { channel: at.c, text }); },
  command: (command, text) => { messages.follow($("messages")); return tell("command", { channel: at.c, command, text }); },
});
const reply = composer({
  id: "thread-composer", label: "Reply", room: () => ({ ...room(), commands: [] }),
  send: (text) => { messages.follow($("replies")); return tell("say", { channel: at.c, text, thread_ts: at.thread }); },
  command: (command) => { toast(`${command} is not supported in threads. Sorry!`, { urgent: true }); return false; },
});
reply.invite("Reply…");

$("composer-slot").append(write.node);
$("thread-slot").append(reply.node);
$("thread-close").append(icon("close"));
$("thread-close").onclick = () => go({ thread: "" });
$("to-sidebar").append(icon("back"));
$("to-sidebar").onclick = () => { document.body.dataset.pane = "sidebar"; $("switcher").focus(); };
for (const tab of $("tabs").children) tab.onclick = () => go({ tab: tab.dataset.tab });
messages.stick($("messages"));
messages.stick($("replies"));
whenReleased(() => { drawSidebar(); refreshMessages(); refreshThread(); modal.refresh(); drawHome(); });
addEventListener("hashchange", arrive);
document.addEventListener("visibilitychange", () => { if (!document.hidden && state) refreshAll(); });
arrive();
