// The stack of open modals of the acting person: the top one is on the screen.
import { coalesce, get, post } from "./api.js";
import { renderBlocks } from "./blocks.js";
import { h, iconButton, toast } from "./dom.js";
import { isEmpty, readValues } from "./elements.js";
import { textObject } from "./mrkdwn.js";
import { isPressed } from "./press.js";

const dialog = document.getElementById("modal");
const entered = new Map(); // view id -> what was filled in, for views below the top one and for updates
let complaints = {}; // block id -> what is wrong there, in the view on the screen

let me, surfaceFor;
export function setup(user, makeSurface) {
  [me, surfaceFor] = [user, makeSurface];
  entered.clear();
  show([]);
}

/** Read the open modals again and show the top one. */
export const refresh = coalesce(async () => {
  const asked = me;
  const { views } = await get("views", { as: asked });
  if (asked === me && views) show(views);
});

function show(views) {
  if (isPressed(dialog)) return;
  const view = views.at(-1);
  const shown = dialog.dataset.viewId;
  if (dialog.open && shown) entered.set(shown, readValues(dialog));
  for (const id of entered.keys()) if (!views.some((open) => open.id === id)) entered.delete(id);
  if (!view) return hide();
  const signature = JSON.stringify(view);
  if (dialog.open && dialog.signature === signature) return;
  dialog.signature = signature;
  const keep = shown === view.id ? position() : null;
  dialog.dataset.viewId = view.id;
  dialog.replaceChildren(form(view, views.length));
  if (keep) mark();
  else complaints = {};
  if (!dialog.open) dialog.showModal();
  keep ? keep() : dialog.querySelector(".body :is(input, select, textarea)")?.focus();
}

function hide() {
  if (dialog.open) dialog.close();
  dialog.signature = "";
  delete dialog.dataset.viewId;
  dialog.replaceChildren();
}

/** Remember focus, caret and scroll; the returned function restores them in the new nodes. */
function position() {
  const { blockId, actionId } = document.activeElement.dataset;
  const { selectionStart, selectionEnd } = document.activeElement;
  const { scrollTop } = dialog.querySelector(".body");
  return () => {
    dialog.querySelector(".body").scrollTop = scrollTop;
    const node = [...dialog.querySelectorAll("[data-action-id]")]
      .find(({ dataset }) => dataset.blockId === blockId && dataset.actionId === actionId);
    node?.focus({ preventScroll: true });
    if (typeof selectionStart === "number") node?.setSelectionRange?.(selectionStart, selectionEnd);
  };
}

function form(view, depth) {
  const cancel = () => post("close", { as: me, view_id: view.id }).then(refresh);
  const send = h("button", { type: "submit", class: "button primary" }, textObject(view.submit ?? { text: "Submit" }));
  const submittable = view.submit || view.blocks.some((block) => block.type === "input");
  dialog.oncancel = (event) => { event.preventDefault(); cancel(); };
  // Pressed twice, Escape closes a dialog without asking.
  dialog.onclose = () => { if (!dialog.open && dialog.dataset.viewId) cancel(); };
  return h("form", { method: "dialog", noValidate: true, onsubmit: (event) => { event.preventDefault(); submit(view, send); } },
    h("header", {}, depth > 1 && iconButton("back", "Back", cancel),
      h("h2", { id: "modal-title" }, textObject(view.title)),
      iconButton("close", "Close", cancel)),
    h("div", { class: "body" }, renderBlocks(view.blocks, surfaceFor({ type: "view", view_id: view.id }), entered.get(view.id))),
    h("footer", {}, h("p", { class: "error", role: "alert", hidden: true }),
      h("button", { type: "button", class: "button", onclick: cancel }, textObject(view.close ?? { text: submittable ? "Cancel" : "Close" })),
      submittable && send));
}

async function submit(view, send) {
  const errors = missing();
  if (Object.keys(errors).length) return showErrors(errors);
  showErrors({});
  send.disabled = true;
  send.setAttribute("aria-busy", "true");
  const answer = await post("submit", { as: me, view_id: view.id, state: { values: readValues(dialog) } });
  send.disabled = false;
  send.removeAttribute("aria-busy");
  const isShown = dialog.dataset.viewId === view.id; // it may have been closed meanwhile
  if (answer.errors && isShown) return showErrors(answer.errors);
  if (!answer.ok && !answer.errors) return failed(answer.error || "We had some trouble connecting. Try again?");
  await refresh();
}

function missing() {
  const empty = [...dialog.querySelectorAll("[data-required=yes]")].filter((node) => isEmpty(node.readState()));
  const wrong = [...dialog.querySelectorAll(":is(input, textarea):invalid")].filter((node) => node.value && node.dataset.blockId);
  return Object.fromEntries([...wrong.map((node) => [node.dataset.blockId, node.validationMessage]),
    ...empty.map((node) => [node.dataset.blockId, "Please complete this required field."])]);
}

function failed(text) {
  const line = dialog.querySelector("footer .error");
  if (!line) return toast(text, { urgent: true });
  line.textContent = text;
  line.hidden = false;
}

function showErrors(errors) {
  complaints = errors;
  dialog.querySelector("footer .error").hidden = true;
  const homeless = Object.values(mark());
  if (homeless.length) failed(homeless.join(" "));
  const first = dialog.querySelector(".block.wrong");
  first?.scrollIntoView({ block: "center", behavior: "smooth" });
  first?.querySelector("input, select, textarea, summary")?.focus({ preventScroll: true });
}

/** Say what is wrong at its field; returns what has none. */
function mark() {
  const homeless = { ...complaints };
  for (const block of dialog.querySelectorAll(".block.input")) {
    const text = complaints[block.dataset.block];
    delete homeless[block.dataset.block];
    const line = block.querySelector(".error");
    const field = block.querySelector("[data-action-id]");
    line.textContent = text ?? "";
    line.hidden = !text;
    block.classList.toggle("wrong", Boolean(text));
    text ? field.setAttribute("aria-invalid", "true") : field.removeAttribute("aria-invalid");
    text ? field.setAttribute("aria-describedby", line.id) : field.removeAttribute("aria-describedby");
  }
  return homeless;
}
