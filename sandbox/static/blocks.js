// Block Kit layout blocks -> DOM nodes.
import { chart, dataTable } from "./data.js";
import { h } from "./dom.js";
import { control, withKept } from "./elements.js";
import { mrkdwn, richText, textObject } from "./mrkdwn.js";

/** Render blocks for `surface` (see elements.js); `kept` = what was entered and opened, in the shape of readValues(). */
export function renderBlocks(blocks, surface, kept = {}) {
  return blocks.map((block, n) => {
    const known = { ...block, block_id: block.block_id ?? `block-${n}` };
    const node = (BLOCKS[block.type] ?? unsupported)(known, surface, kept[known.block_id] ?? {}, kept);
    node.classList.add("block", block.type);
    node.dataset.block = known.block_id;
    return node;
  });
}

const make = (element, block, surface, kept) =>
  element.type === "image" ? picture(element) : control(withKept(element, kept[element.action_id]), block, surface);

const picture = (image) => h("img", { src: image.image_url, alt: image.alt_text ?? "", loading: "lazy" });
const unsupported = (block) => h("p", { class: "unsupported" }, `${block.type} is not shown in this workspace`);

function section(block, surface, kept) {
  const words = h("div", { class: "words" }, block.text && h("div", { class: "text" }, textObject(block.text, surface.people)),
    block.fields && h("div", { class: "fields" }, block.fields.map((field) => h("div", {}, textObject(field, surface.people)))));
  return h("div", {}, words, block.accessory && h("div", { class: "accessory" }, make(block.accessory, block, surface, kept)));
}

function input(block, surface, kept) {
  const node = make(block.element, block, surface, kept);
  const field = node.matches("input, select, textarea") ? node : null;
  const id = `field-${crypto.randomUUID()}`;
  (field ?? node).id = id;
  node.dataset.required = block.optional ? "" : "yes";
  if (!field) node.setAttribute("aria-label", block.label.text);
  return h("div", {},
    h(field ? "label" : "div", { class: "label", for: field && id }, 
      textObject(block.label, surface.people), block.optional && h("span", { class: "optional" }, " (optional)")),
    node, h("p", { class: "error", role: "alert", id: `${id}-error`, hidden: true }),
    block.hint && h("p", { class: "hint" }, textObject(block.hint, surface.people)));
}

/** A collapsible one opens and closes; whether it is open outlives edits of its message. */
function container(block, surface, kept, all) {
  const { title, rich_text_title: rich, subtitle, icon, child_blocks: children } = block;
  const words = h("span", { class: "grow" }, rich ? rich.elements.map((part) => richText(part, surface.people)) : h("b", {}, textObject(title)),
    subtitle && h("small", {}, textObject(subtitle, surface.people)));
  const head = [icon && picture(icon), words];
  const body = h("div", { class: "children" }, renderBlocks(children, surface, all));
  if (!block.is_collapsible) return h("div", {}, h("div", { class: "head" }, head), body);
  const open = all.open?.[block.block_id] ?? !block.default_collapsed;
  return h("details", { open }, h("summary", { class: "head" }, head), body);
}

const BLOCKS = {
  section, input, container,
  data_table: dataTable,
  data_visualization: chart,
  header: (block) => h("h3", {}, textObject(block.text)),
  divider: () => h("hr"),
  context: (block, { people }) =>
    h("div", {}, block.elements.map((e) => (e.type === "image" ? picture(e) : h("span", {}, textObject(e, people))))),
  actions: (block, surface, kept) => h("div", {}, block.elements.map((element) => make(element, block, surface, kept))),
  image: (block) => h("figure", {}, block.title && h("figcaption", {}, textObject(block.title)), picture(block)),
  rich_text: (block, { people }) => h("div", {}, block.elements.map((part) => richText(part, people))),
  markdown: (block, { people }) => h("div", {}, mrkdwn(block.text, people)),
};
