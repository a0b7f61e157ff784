/** The clock. */

/** The present time, in the API's form. */
export const now = () => new Date().toISOString();
