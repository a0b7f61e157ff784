/** The page's elements. If one is missing, the error names index.html. */

/** The element of a selector, with its type checked. */
export function find<T extends Element>(root: ParentNode, selector: string, type: abstract new () => T): T {
  const found = root.querySelector(selector);
  if (found instanceof type) return found;
  throw new Error(`index.html: "${selector}" is not a ${type.name}`);
}

/** A new element with a class and content. Text is never read as HTML. */
export function element(tag: string, className: string, ...content: (string | Node)[]): HTMLElement {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

/** Runs `act` with the pressed button's value instead of submitting the form. */
export function onSubmit(form: HTMLFormElement, act: (value: string) => void): void {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    act(event.submitter instanceof HTMLButtonElement ? event.submitter.value : "");
  });
}

/** Runs `act` whenever the visitor comes back to this window. */
export function onReturn(act: () => void): void {
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) act();
  });
}

/** Sets how full a meter is, from 0 to 1. */
export function fill(meter: HTMLElement, share: number): void {
  meter.style.setProperty("--fill", String(Math.min(Math.max(share, 0), 1)));
}

/** A number with its thousands grouped: 1,234,567. */
export const grouped = (value: number) => value.toLocaleString("en");
