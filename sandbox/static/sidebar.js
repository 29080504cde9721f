// The left side: who acts, who else was paged, and the channels.
import { post } from "./api.js";
import { avatar, h, icon, keyed, menu, refill } from "./dom.js";

const badge = (count) => count > 0 && h("span", { class: "count", "aria-label": `${count} unread` }, String(count));
const calls = (channel) => (channel.type === "dm" ? channel.unread : channel.mentions);
const acting = (state) => state.users.filter((user) => !user.is_bot && !user.deleted);

/** Bring all of it up to date; what somebody may be about to press stays the same node. `waiting` = {user id: unread messages from the app}; `go(changes)` navigates. */
export function draw(state, at, waiting, go) {
  document.getElementById("team").textContent = state.team.name;
  drawSwitcher(state, at, waiting, go);
  drawWaiting(state, at, waiting, go);
  const elsewhere = state.channels.some((channel) => channel.id !== at.c && calls(channel));
  document.getElementById("to-sidebar").classList.toggle("dot", elsewhere || !document.getElementById("waiting").hidden);
  drawChannels(state, at, go);
}

function drawSwitcher(state, at, waiting, go) {
  const me = state.users.find((user) => user.id === at.as);
  const button = document.getElementById("switcher");
  button.dataset.acting = at.as;
  const words = [h("small", {}, "Acting as"), h("b", {}, me.real_name), h("small", { class: "title" }, me.title)];
  refill(button, avatar(me), h("span", { class: "grow" }, words), icon("down"));
  button.onclick = () => menu(button, "Act as", [...acting(state).map((user) => ({
    label: user.real_name, hint: standing(user, state), before: avatar(user), after: badge(waiting[user.id]),
    current: user.id === at.as, dataset: { user: user.id }, run: () => go({ as: user.id, c: placeFor(state, at) }),
  })), pausing(me)]);
}

const pausing = (me) => ({
  label: me.silent ? "Resume my notifications" : "Pause my notifications for an hour", before: icon("bell"),
  dataset: { pause: me.id }, run: () => post("pause", { as: me.id, minutes: me.silent ? 0 : 60 }),
});

const standing = (user, state) => [user.title, user.is_guest && "guest", user.silent && "notifications paused",
  ...(state.usergroups ?? []).filter((group) => group.users.includes(user.id)).map((group) => `@${group.handle}`)].filter(Boolean).join(" · ");

// A direct message belongs to one person: whoever comes next looks at their own.
const placeFor = (state, at) => (state.channels.some((channel) => channel.id === at.c && channel.type !== "dm") ? at.c : "app");

function drawWaiting(state, at, waiting, go) {
  const others = acting(state).filter((user) => user.id !== at.as && waiting[user.id]);
  const strip = document.getElementById("waiting");
  strip.hidden = !others.length;
  if (!strip.childElementCount) strip.append(h("small"), h("div"));
  const [words, faces] = strip.children;
  words.textContent = `${state.app.name} also wrote to`;
  const make = (user) => h("button", { type: "button", title: `Act as ${user.real_name}`, dataset: { waiting: user.id },
    onclick: () => go({ as: user.id, c: "app" }) });
  keyed(faces, others, (user) => user.id, make, (node, user) => {
    node.setAttribute("aria-label", `Act as ${user.real_name}, ${waiting[user.id]} unread`);
    refill(node, avatar(user), badge(waiting[user.id]));
  });
}

function drawChannels(state, at, go) {
  const rooms = state.channels.filter((channel) => channel.type !== "dm").sort((a, b) => a.name.localeCompare(b.name));
  const direct = state.channels.filter((channel) => channel.type === "dm" && channel.user !== state.app.bot_user_id);
  const app = state.channels.find((channel) => channel.type === "dm" && channel.user === state.app.bot_user_id)
    ?? { id: "app", type: "dm", user: state.app.bot_user_id, unread: 0 };
  const groups = [
    ["Channels", rooms.filter((c) => !c.is_archived && c.is_member)],
    ["Direct messages", direct],
    ["Apps", [app]],
    ["Other channels", rooms.filter((c) => !c.is_archived && !c.is_member)],
    ["Archived", rooms.filter((c) => c.is_archived)],
  ].filter(([, channels]) => channels.length);
  const section = ([title]) => h("section", {}, h("h3", {}, title), h("ul"));
  keyed(document.getElementById("channels"), groups, ([title]) => title, section, (node, [, channels]) =>
    keyed(node.querySelector("ul"), channels, (channel) => channel.id, () => h("li", {}, h("button", { type: "button" })),
      (item, channel) => drawEntry(item.firstChild, channel, state, channel.id === at.c, () => go({ c: channel.id }))));
}

const userOf = (channel, state) => state.users.find((user) => user.id === channel.user);

/** What stands before a channel's name: #, a lock, or whom the direct message is with. */
export function mark(channel, state) {
  if (channel.type === "dm") return avatar(userOf(channel, state));
  return icon(channel.is_archived ? "archive" : channel.type === "private" ? "lock" : "hash");
}

export function title(channel, state) {
  if (channel.user === state.app.bot_user_id) return state.app.name;
  return channel.type === "dm" ? (userOf(channel, state)?.real_name ?? channel.name) : channel.name;
}

function drawEntry(button, channel, state, current, open) {
  button.onclick = open;
  button.className = channel.unread ? "unread" : "";
  Object.assign(button.dataset, { channel: channel.id, channelName: title(channel, state) });
  current ? button.setAttribute("aria-current", "page") : button.removeAttribute("aria-current");
  refill(button, mark(channel, state), h("span", { class: "grow" }, title(channel, state)), badge(calls(channel)));
}
