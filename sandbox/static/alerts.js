// Sample alerts: the page plays a monitoring tool, for people who have none at hand.
import { h, toast } from "./dom.js";

const form = document.getElementById("alerts");
const source = document.getElementById("alert-source");
const end = document.getElementById("alert-end");
let send = () => {};

/** Show what can be sent. `tell(source, ended)` sends it, and answers true once the app has accepted it. */
export function draw(state, tell) {
  form.hidden = !state.alerts?.length;
  if (!source.childElementCount) source.append(...(state.alerts ?? []).map(({ name, title }) => h("option", { value: name }, title)));
  source.onchange = () => { end.disabled = !state.alerts?.find(({ name }) => name === source.value)?.ends; };
  source.onchange();
  send = async (ended) => {
    const title = source.selectedOptions[0].textContent;
    if (await tell(source.value, ended)) toast(`${state.app.name} accepted ${ended ? "the end of " : ""}${title}'s sample alert.`);
  };
}

form.onsubmit = (event) => { event.preventDefault(); send(false); };
end.onclick = () => send(true);
