// What changes between the press of a button and its release swallows the click: it is redrawn afterwards.
let target = null;
let isLate = false;
const later = new EventTarget();
addEventListener("pointerdown", (event) => { target = event.target; }, true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => setTimeout(release), true);

function release() {
  target = null;
  if (isLate) later.dispatchEvent(new Event("redraw"));
  isLate = false;
}

/** Whether somebody is pressing something in `node`, so that it has to stay as it is for now. */
export function isPressed(node) {
  const held = target !== null && node.contains(target);
  isLate ||= held;
  return held;
}

/** Call `redraw` when something could not be brought up to date and now can. */
export const whenReleased = (redraw) => later.addEventListener("redraw", redraw);
