/** Makes elements, and updates the page without losing the focus or open details. */

/** @typedef {Node | string | null | undefined | false} Child */

/**
 * A new element. Text is never read as HTML. An attribute that is null or false is left out.
 * @param {string} tag
 * @param {Record<string, string | number | boolean | null | undefined>} attributes
 * @param {...(Child | readonly Child[])} children
 * @returns {HTMLElement}
 */
export function h(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (value !== null && value !== undefined && value !== false)
      made.setAttribute(name, value === true ? "" : String(value));
  for (const child of children.flat()) if (child !== null && child !== undefined && child !== false) made.append(child);
  return made;
}

/**
 * The element with this id.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`view.html has no #${id}`);
  return found;
}

/**
 * Makes `wanted` the children of `parent`. Keeps existing elements where it can, and with them the focus, open details
 * and typed text. `data-key` identifies an element among its siblings. The content of one with `data-own` stays.
 * @param {Element} parent
 * @param {readonly Node[]} wanted
 */
export function patch(parent, wanted) {
  /** @type {Map<string, Element>} */
  const keyed = new Map();
  for (const child of parent.children) {
    const key = keyOf(child);
    if (key !== null) keyed.set(key, child);
  }
  wanted.forEach((node, index) => {
    const key = keyOf(node);
    const here = parent.childNodes[index];
    const old = key === null ? here : keyed.get(key);
    if (old === undefined || !isAlike(old, node)) parent.insertBefore(node, here ?? null);
    else {
      if (old !== here) parent.insertBefore(old, here ?? null);
      bring(old, node);
    }
  });
  while (parent.childNodes.length > wanted.length) parent.lastChild?.remove();
}

/**
 * @param {Node} old
 * @param {Node} node
 */
function bring(old, node) {
  if (old instanceof Element && node instanceof Element) {
    for (const { name } of [...old.attributes])
      if (!node.hasAttribute(name) && !(name === "open" && old instanceof HTMLDetailsElement))
        old.removeAttribute(name);
    for (const { name, value } of node.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
    if (!node.hasAttribute("data-own")) patch(old, [...node.childNodes]);
  } else if (old.nodeValue !== node.nodeValue) old.nodeValue = node.nodeValue;
}

/**
 * @param {Node} old
 * @param {Node} node
 */
const isAlike = (old, node) => old.nodeName === node.nodeName && keyOf(old) === keyOf(node);

/** @param {Node} node */
const keyOf = (node) => (node instanceof Element ? node.getAttribute("data-key") : null);
