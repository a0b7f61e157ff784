/** A text as a sentence, so that another can follow it: with a full stop where it has no mark at its end. */
export const sentence = (text: string): string => (/[.?!…]$/.test(text) ? text : `${text}.`);
