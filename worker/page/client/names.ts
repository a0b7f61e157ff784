/**
 * The ids of the objects that the page shows. They are in its address, so that a second window, a reload or a shared
 * link shows the same objects.
 */
import { find } from "./dom.ts";

/**
 * Calls `use` with the id of this kind, encoded for URLs: now, and whenever the visitor chooses another. The panel's
 * field for it has `data-name="<kind>"`; its first value is the default.
 */
export function onName(kind: string, use: (id: string) => void): void {
  const input = find(document, `[data-name="${kind}"]`, HTMLInputElement);
  const byDefault = input.defaultValue;
  input.value = new URLSearchParams(location.search).get(kind) || byDefault;
  use(encodeURIComponent(input.value));
  input.addEventListener("change", () => {
    const id = input.value.trim() || byDefault;
    input.value = id;
    const here = new URL(location.href);
    if (id === byDefault) here.searchParams.delete(kind);
    else here.searchParams.set(kind, id);
    history.replaceState(null, "", here);
    use(encodeURIComponent(id));
  });
}

/** Makes the link open a second window beside this one, with the same objects. */
export function secondWindow(link: HTMLAnchorElement): void {
  link.addEventListener("click", (event) => {
    link.href = location.href;
    if (event.metaKey || event.ctrlKey || event.shiftKey) return;
    const width = Math.min(Math.round(screen.availWidth / 2), 900);
    if (open(location.href, "_blank", `popup,width=${width},height=${screen.availHeight}`)) event.preventDefault();
  });
}
