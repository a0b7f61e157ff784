/** Sets an object's alarm to run by `at` (ms since the epoch). Calls at the same time do not undo each other. */
export async function armBy(storage: DurableObjectStorage, at: number): Promise<void> {
  const set = await storage.getAlarm();
  if (set !== null && set <= at) return;
  await storage.setAlarm(at);
  // Another call, for a later time, may have found no alarm either, and set its own after this one.
  const now = await storage.getAlarm();
  if (now !== null && now > at) await storage.setAlarm(at);
}
