/** The style of the editor. It comes with the editor, so that a visitor who does not open it does not load it. */

const RULES = `
.paper { position: relative; border-block: 1px solid var(--etch); }
.paper textarea, .marks {
  width: 100%; margin: 0; padding: 0.6rem 0; border: 0;
  font: 1rem / 1.6 var(--text); unicode-bidi: plaintext; white-space: pre-wrap; overflow-wrap: break-word; overflow-y: scroll;
  scrollbar-width: thin; scrollbar-color: var(--etch) transparent;
}
.paper textarea { display: block; position: relative; background: transparent; color: var(--glow); resize: vertical; }
.marks { position: absolute; inset: 0; color: transparent; pointer-events: none; overflow: hidden scroll; scrollbar-color: transparent transparent; }
.marks i { position: relative; border-left: 2px solid var(--mark); margin-right: -2px; }
.marks b {
  position: absolute; left: -2px; bottom: 100%; padding: 0 0.3rem; border-radius: 2px 2px 2px 0;
  background: var(--mark); color: #14171a; font: 600 0.6875rem / 1.3 var(--text); white-space: nowrap;
}
.paper[data-past] textarea { color: var(--dim); }
.controls .line { display: flex; flex: 1 1 18rem; gap: 0.6rem; align-items: flex-end; }
.line button { flex: none; }
.line ::placeholder { color: var(--soft); opacity: 1; }
.controls .time { flex: 1 1 12rem; }
.time input { padding: 0; accent-color: var(--accent); }
.time[hidden] { display: none; }
`;

let isThere = false;

/** Adds the style to the page, once. */
export function style(): void {
  if (isThere) return;
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(RULES);
  document.adoptedStyleSheets.push(sheet);
  isThere = true;
}
