/** The time. */

/** A moment, as the API writes it. */
export const now = () => new Date().toISOString();
