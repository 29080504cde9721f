// Slack's mrkdwn and date tokens -> DOM nodes. `people` = {me, user(id), channel(id), group(id), href(channel id)}.
import { h } from "./dom.js";

const EMOJI = {
  rotating_light: "🚨", fire: "🔥", white_check_mark: "✅", heavy_check_mark: "✔️", warning: "⚠️", bell: "🔔", no_entry: "⛔",
  no_bell: "🔕", lock: "🔒", unlock: "🔓", hourglass_flowing_sand: "⏳", hourglass: "⌛", eyes: "👀", wrench: "🔧", hammer: "🔨",
  hammer_and_wrench: "🛠️", mag: "🔍", x: "❌", tada: "🎉", loudspeaker: "📢", mega: "📣", memo: "📝", clipboard: "📋", pencil: "✏️",
  link: "🔗", shield: "🛡️", calendar: "📅", clock1: "🕐", alarm_clock: "⏰", stopwatch: "⏱️", timer_clock: "⏲️", busts_in_silhouette: "👥",
  bust_in_silhouette: "👤", speech_balloon: "💬", telephone_receiver: "📞", pager: "📟", phone: "☎️", email: "✉️", arrow_up: "⬆️",
  arrow_down: "⬇️", arrow_right: "➡️", arrows_counterclockwise: "🔄", repeat: "🔁", red_circle: "🔴", large_orange_circle: "🟠",
  large_yellow_circle: "🟡", large_green_circle: "🟢", large_blue_circle: "🔵", white_circle: "⚪", black_circle: "⚫", question: "❓",
  exclamation: "❗", information_source: "ℹ️", bulb: "💡", chart_with_upwards_trend: "📈", bar_chart: "📊", ballot_box_with_check: "☑️",
  construction: "🚧", rocket: "🚀", boom: "💥", zzz: "💤", sos: "🆘", octagonal_sign: "🛑", ok: "🆗", raised_hand: "✋", wave: "👋",
  "+1": "👍", thumbsup: "👍", "-1": "👎", pray: "🙏", clap: "👏", siren: "🚨", checkered_flag: "🏁", pushpin: "📌", file_folder: "📁",
  bookmark_tabs: "📑", house: "🏠", gear: "⚙️", test_tube: "🧪", fire_engine: "🚒", ambulance: "🚑", sleeping: "😴", slightly_smiling_face: "🙂",
};

const unescape = (text) => text.replace(/&(amp|lt|gt);/g, (_, name) => ({ amp: "&", lt: "<", gt: ">" })[name]);
const emoji = (text) => text.replace(/:([a-z0-9_+'-]+):/g, (code, name) => EMOJI[name] ?? code);
export const emojiNamed = (name) => EMOJI[name] ?? `:${name}:`;

// Marks count only at the edge of a word, and whatever stands in <…> or `…` is one atom to them.
const pair = (mark) => `(?<![\\p{L}\\p{N}])[${mark}]((?:<[^<>\\n]*>|\`[^\`\\n]*\`|[^${mark}\\n<])+?)[${mark}](?![\\p{L}\\p{N}])`;
const INLINE = new RegExp(`\`([^\`\\n]+)\`|<([^<>\\n]+)>|${pair("*")}|${pair("_")}|${pair("~")}|(https?://[^\\s<>|]+)`, "gu");

function inline(text, people) {
  const nodes = [];
  let at = 0;
  const plain = (until) => { if (until > at) nodes.push(emoji(unescape(text.slice(at, until)))); };
  for (const found of text.matchAll(INLINE)) {
    plain(found.index);
    nodes.push(marked(found, people));
    at = found.index + found[0].length;
  }
  plain(text.length);
  return nodes;
}

function marked([, code, token, bold, italic, strike, url], people) {
  if (code) return h("code", {}, unescape(code));
  if (token) return angle(token, people);
  if (bold) return h("strong", {}, inline(bold, people));
  if (italic) return h("em", {}, inline(italic, people));
  if (strike) return h("s", {}, inline(strike, people));
  return link(url, unescape(url));
}

function angle(token, people) {
  const [head, ...rest] = token.split("|");
  const label = rest.length ? unescape(rest.join("|")) : "";
  if (head.startsWith("@")) return mention(head.slice(1), people);
  if (head.startsWith("#")) return room(head.slice(1), label, people);
  if (head.startsWith("!date^")) return date(head.split("^"), label);
  if (head.startsWith("!subteam^")) return group(head.split("^")[1], label, people);
  if (head.startsWith("!")) return broadcast(head.slice(1).split("^")[0]);
  return link(head, emoji(label) || unescape(head));
}

const broadcast = (range) => h("span", { class: "mention loud", title: "Notifies everyone here" }, `@${range}`);

function mention(id, people) {
  const user = people.user(id);
  return h("span", { class: id === people.me ? "mention me" : "mention" }, `@${user ? user.real_name : id}`);
}

function group(id, label, people) {
  const known = people.group(id);
  if (!known) return h("span", { class: "mention" }, label || "@group");
  const title = known.users.map((user) => people.user(user)?.real_name ?? user).join(", ");
  return h("span", { class: known.users.includes(people.me) ? "mention me" : "mention", title }, `@${known.handle}`);
}

function room(id, label, people) {
  const channel = people.channel(id);
  if (!channel) return h("span", { class: "mention" }, label ? `#${label}` : "#private-channel");
  return h("a", { class: "mention", href: people.href(id) }, `#${channel.name}`);
}

/** A link, if its scheme is one that a message may carry; plain text otherwise. */
export function link(url, label) {
  const target = unescape(url);
  if (!/^(https?:|mailto:|tel:)/i.test(target)) return h("span", {}, `<${target}>`);
  const outside = !target.startsWith(location.origin);
  return h("a", { href: target, target: outside ? "_blank" : undefined, rel: "noopener noreferrer" }, label);
}

function lines(text, people) {
  const out = [];
  let quote = null;
  for (const line of text.split("\n")) {
    const quoted = /^(?:&gt;|>) ?(.*)$/.exec(line);
    if (quoted && !quote) out.push((quote = h("blockquote")));
    if (!quoted) { if (out.length && !quote) out.push(h("br")); quote = null; }
    if (quoted && quote.childNodes.length) quote.append(h("br"));
    (quote ?? { append: (...nodes) => out.push(...nodes) }).append(...inline(quoted ? quoted[1] : line, people));
  }
  return out;
}

/** mrkdwn text -> DocumentFragment. */
export function mrkdwn(text, people) {
  const fragment = document.createDocumentFragment();
  (text ?? "").split(/```\n?([\s\S]+?)\n?```\n?/).forEach((part, n) => {
    if (n % 2) fragment.append(h("pre", {}, unescape(part)));
    else if (part) fragment.append(...lines(part, people));
  });
  return fragment;
}

/** A text object ({type, text}) -> node. */
export function textObject(object, people) {
  if (!object) return document.createDocumentFragment();
  if (object.type === "mrkdwn") return mrkdwn(object.text, people);
  return document.createTextNode(object.emoji === false ? object.text : emoji(object.text));
}

/** mrkdwn as one line of plain words, for toasts: its own lines are set apart. */
export const plainLine = (text, people) => text.replaceAll("```", "\n").split("\n")
  .map((line) => h("p", {}, mrkdwn(line, people)).textContent.replace(/\s+/g, " ").trim()).filter(Boolean).join(" · ").slice(0, 140);

const rich = {
  text: (e) => styled(e.text, e.style),
  link: (e) => link(e.url, e.text || e.url),
  emoji: (e) => emojiNamed(e.name),
  user: (e, people) => mention(e.user_id, people),
  channel: (e, people) => room(e.channel_id, "", people),
  usergroup: (e, people) => group(e.usergroup_id, "", people),
  broadcast: (e) => broadcast(e.range),
  date: (e) => date(["", String(e.timestamp), e.format, e.url], e.fallback ?? ""),
};

function styled(text, style = {}) {
  const tags = { bold: "strong", italic: "em", strike: "s", code: "code" };
  return Object.keys(tags).filter((key) => style[key]).reduce((node, key) => h(tags[key], {}, node), text);
}

/** One element of a rich_text block -> node. */
export function richText(part, people) {
  const inside = () => part.elements.map((e) => rich[e.type]?.(e, people) ?? "");
  if (part.type === "rich_text_list")
    return h(part.style === "ordered" ? "ol" : "ul", {}, part.elements.map((e) => h("li", {}, richText(e, people))));
  const tag = { rich_text_preformatted: "pre", rich_text_quote: "blockquote" }[part.type] ?? "p";
  return h(tag, { class: "rich" }, inside());
}

// --- dates, in the reader's own zone -------------------------------------------------------------------------------

const HOUR12 = new Intl.DateTimeFormat(navigator.language, { hour: "numeric" }).resolvedOptions().hour12;
const written = (options) => (day) => new Intl.DateTimeFormat("en-US", options).format(day);
const ordinal = (n) => n + (n % 100 > 10 && n % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th"));
const full = (day) => `${written({ month: "long" })(day)} ${ordinal(day.getDate())}, ${day.getFullYear()}`;
const long = (day) => `${written({ weekday: "long" })(day)}, ${full(day)}`;
const short = written({ month: "short", day: "numeric", year: "numeric" });
export const clock = written({ hour: "numeric", minute: "2-digit", hour12: HOUR12 });

function pretty(day, otherwise) {
  const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime();
  const apart = Math.round((midnight(day) - midnight(new Date())) / 86400000);
  return { "-1": "yesterday", 0: "today", 1: "tomorrow" }[apart] ?? otherwise(day);
}

function ago(day) {
  const seconds = (day.getTime() - Date.now()) / 1000;
  const units = [["day", 86400], ["hour", 3600], ["minute", 60]];
  const [unit, size] = units.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  return new Intl.RelativeTimeFormat("en", { numeric: "auto" }).format(Math.trunc(seconds / size), unit);
}

const FORMATS = {
  date_num: (day) => [day.getFullYear(), day.getMonth() + 1, day.getDate()].map((n) => String(n).padStart(2, "0")).join("-"),
  date: full, date_long: long, date_short: short,
  date_pretty: (day) => pretty(day, full), date_short_pretty: (day) => pretty(day, short), date_long_pretty: (day) => pretty(day, long),
  time: clock, time_secs: written({ hour: "numeric", minute: "2-digit", second: "2-digit", hour12: HOUR12 }), ago,
};

const dateText = (day, format) => format.replace(/\{(\w+)\}/g, (token, name) => FORMATS[name]?.(day) ?? token);

function date([, unix, format, url], fallback) {
  const day = new Date(Number(unix) * 1000);
  if (!format || Number.isNaN(day.getTime())) return document.createTextNode(fallback);
  const exact = `${long(day)} at ${FORMATS.time_secs(day)}`;
  const node = h("time", { datetime: day.toISOString(), dataset: { unix, format }, title: exact }, dateText(day, format));
  return url ? link(url, node) : node;
}

export const dayWords = (day) => pretty(day, written({ weekday: "long", month: "long", day: "numeric" }));

export function dayTitle(day) {
  const text = dayWords(day);
  return text[0].toUpperCase() + text.slice(1);
}

// "3 minutes ago" and "today" go stale by themselves.
setInterval(() => {
  for (const node of document.querySelectorAll("time[data-format]"))
    node.textContent = dateText(new Date(node.dataset.unix * 1000), node.dataset.format);
}, 10000);
