/** What asks a process to end. A terminal sends it to all of its own, at Ctrl-C or when it is closed. */
export const END_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
