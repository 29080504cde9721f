// Messages -> rows, and a list that is brought up to date without touching rows that did not change.
import { renderBlocks } from "./blocks.js";
import { arrange, avatar, h, icon, iconButton } from "./dom.js";
import { readValues } from "./elements.js";
import { clock, dayTitle, dayWords, emojiNamed, link, mrkdwn } from "./mrkdwn.js";
import { isPressed } from "./press.js";

const when = (ts) => new Date(Number(ts) * 1000);
const authorKey = (message) => message.user ?? message.bot_id ?? message.username;
const isQuiet = (message) => /^(channel|group|bot)_|^pinned_item$/.test(message.subtype ?? "") && message.subtype !== "bot_message";

/** Slack folds the byline of a message that follows its author's last one within five minutes. */
function folds(message, before) {
  if (!before || message.ephemeral || before.ephemeral || isQuiet(before) || before.reply_count) return false;
  const soon = message.ts - before.ts < 300 && when(message.ts).toDateString() === when(before.ts).toDateString();
  return soon && authorKey(message) === authorKey(before);
}

/**
 * Bring `list` up to date with `messages`. `view` = {people, users, bot, pins, surface(message), openThread?(ts), menu(message, anchor)}.
 * Stays at the bottom if it was there; otherwise the scroll position is kept.
 */
export function update(list, messages, view) {
  const known = new Map([...list.children].map((node) => [node.key, node]));
  const wanted = [];
  messages.forEach((message, n) => {
    const before = messages[n - 1];
    const day = when(message.ts).toDateString();
    if (!view.inThread && (!before || when(before.ts).toDateString() !== day))
      wanted.push(reuse(known, `day ${day}`, day, () => separator(when(message.ts))));
    const folded = folds(message, before);
    const pinned = view.pins.includes(message.ts);
    wanted.push(reuse(known, message.ts, JSON.stringify([message, folded, pinned]), (old) => row(message, folded, pinned, view, old)));
    if (view.inThread && n === 0 && messages.length > 1)
      wanted.push(reuse(known, "count", messages.length, () => counted(messages.length - 1)));
  });
  const sticks = isStuck(list);
  arrange(list, wanted);
  if (sticks) follow(list);
}

const isAtBottom = (list) => list.scrollHeight - list.scrollTop - list.clientHeight < 60;
// The scroll event comes a frame late: whoever has just scrolled up is told by where the list was left.
const isStuck = (list) => isAtBottom(list) || (list.stuck !== false && list.scrollTop >= (list.left ?? 0) - 1);

/** Go to the bottom and stay there: who writes wants to see what comes of it. */
export function follow(list) {
  list.scrollTop = list.scrollHeight;
  Object.assign(list, { stuck: true, left: list.scrollTop });
}

/** Keep a list that is at its bottom there, also when the space around it changes. */
export function stick(list) {
  list.addEventListener("scroll", () => Object.assign(list, { stuck: isAtBottom(list), left: list.scrollTop }));
  new ResizeObserver(() => { if (isStuck(list)) follow(list); }).observe(list);
}

const separator = (day) => h("div", { class: "day", role: "separator" }, h("span", {}, dayTitle(day)));
const plural = (n) => `${n} ${n === 1 ? "reply" : "replies"}`;
const counted = (n) => h("div", { class: "counted" }, plural(n));

function reuse(known, key, signature, build) {
  const old = known.get(key);
  if (old?.signature === signature) return old;
  if (old && isPressed(old)) return old;
  return Object.assign(build(old), { key, signature });
}

// What somebody chose in a message outlives its edits while block_id and action_id stay, as in Slack's own clients:
// https://github.com/slackapi/java-slack-sdk/issues/762
function row(message, folded, pinned, view, old) {
  const author = view.people.user(message.user) ?? view.bot;
  const name = message.username ?? author?.real_name ?? "Unknown";
  const isApp = !author || author.is_bot;
  const sent = when(message.ts);
  const time = h("time", { class: "at", datetime: sent.toISOString(), title: sent.toLocaleString() }, clock(sent));
  const classes = ["message", folded && "folded", pinned && "pinned", message.ephemeral && "ephemeral", isQuiet(message) && "quiet"];
  return h("article", { class: classes.filter(Boolean).join(" "), dataset: { ts: message.ts }, "aria-label": `${name}, ${clock(sent)}` },
    pinned && h("p", { class: "flag" }, icon("pin"), "Pinned"),
    message.ephemeral && h("p", { class: "flag" }, icon("eye"), "Only visible to you"),
    message.subtype === "thread_broadcast" && !view.inThread && h("p", { class: "flag" }, icon("reply"), "Replied to a thread"),
    h("div", { class: "gutter" }, folded ? time : avatar(isApp ? null : author)),
    h("div", { class: "content" },
      !folded && h("div", { class: "byline" }, h("b", {}, name), isApp && h("span", { class: "badge" }, "APP"), time),
      content(message, view, old ? readValues(old) : {}),
      replies(message, view)),
    tools(message, view));
}

function content(message, view, kept) {
  if (message.subtype === "tombstone") return h("p", { class: "text gone" }, "This message was deleted.");
  const surface = view.surface(message);
  const blocks = (given) => h("div", { class: "blocks" }, renderBlocks(given, surface, kept));
  return h("div", { class: "said" },
    message.blocks?.length ? blocks(message.blocks) : message.text && h("div", { class: "text" }, mrkdwn(message.text, view.people)),
    message.edited && h("small", { class: "edited" }, "(edited)"),
    (message.attachments ?? []).map((part) => h("div", { class: "attachment", style: /^#[0-9a-f]{6}$/i.test(part.color) && `border-color:${part.color}` },
      part.blocks ? blocks(part.blocks) : h("div", { class: "text" }, mrkdwn(part.text ?? part.fallback, view.people)))),
    (message.files ?? []).map((file) => h("div", { class: "file" }, link(file.permalink ?? "", file.title ?? file.name))),
    message.reactions?.length && h("div", { class: "reactions" }, message.reactions.map(({ name, count }) =>
      h("span", { class: "chip" }, `${emojiNamed(name)} ${count}`))));
}

function replies(message, view) {
  if (!message.reply_count || !view.openThread) return null;
  const last = message.latest_reply && when(message.latest_reply);
  return h("button", { type: "button", class: "replies", onclick: () => view.openThread(message.thread_ts ?? message.ts) },
    h("b", {}, plural(message.reply_count)), last && h("span", {}, `Last reply ${dayWords(last)} at ${clock(last)}`));
}

function tools(message, view) {
  if (message.ephemeral) return null;
  const more = iconButton("more", "More actions for this message", () => view.menu(message, more), { "aria-haspopup": "menu" });
  const reply = view.openThread && iconButton("reply", "Reply in thread", () => view.openThread(message.thread_ts ?? message.ts));
  return h("div", { class: "tools" }, reply, more);
}

/** Bring the message into view and light it up for a moment. Whether it is there. */
export function highlight(list, ts) {
  const found = list.querySelector(`[data-ts="${CSS.escape(ts)}"]`);
  if (!found) return false;
  list.stuck = false;
  found.scrollIntoView({ block: "center" });
  found.classList.add("found");
  setTimeout(() => found.classList.remove("found"), 3000);
  return true;
}
