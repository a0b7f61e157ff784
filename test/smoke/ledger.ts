export async function ledger(): Promise<string> {
  throw new Error("not yet");
}
