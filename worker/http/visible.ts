/** Names that people give: of a file, of a version. */

/** Whether a text has a visible character, and none that changes how the text around it looks. */
export const isVisible = (text: string): boolean =>
  // A literal in a function: its tables take part of a millisecond of a cold start, and are made when they are needed.
  /^(?=.*[^\s\p{DI}\u2800])[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text);
